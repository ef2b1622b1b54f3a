"""The check of RabbitMQ on this machine."""

import sys

from labkit.doctor.check import Result
from labkit.install import packages, rabbitmq


def check_rabbitmq() -> Result:
    """Tell whether a RabbitMQ that is new enough is installed."""
    install = packages.command(rabbitmq.PACKAGE) or ("wsl --install" if sys.platform == "win32" else "")
    server = rabbitmq.find_server()
    if server is None:
        return Result("RabbitMQ", ok=False, detail="not installed", fix=install or rabbitmq.NEWER)
    if server.new_enough is None:
        return Result("RabbitMQ", ok=None, detail=f"{server.path} does not tell its version", fix=install)
    detail = f"{server.version} ({server.path})"
    if server.new_enough:
        return Result("RabbitMQ", ok=True, detail=detail)
    return Result("RabbitMQ", ok=False, detail=f"{detail}; 3.10 is needed", fix=rabbitmq.NEWER)
