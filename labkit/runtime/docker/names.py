"""Compose's names and labels."""

from labkit.doctor.project import COMPOSE_PROJECT as PROJECT
from labkit.doctor.project import COMPOSE_SERVICE as SERVICE
from labkit.doctor.project import PREFIX, compose_project

__all__ = ["NUMBER", "ONE_OFF", "PREFIX", "PROJECT", "SERVICE", "compose_project", "lab_project"]

NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"


def lab_project(compose: str) -> str:
    """Name the project of labctl that a Compose project is; "" if it is somebody else's."""
    if compose == PREFIX:
        return "default"
    head, _, tail = compose.partition(f"{PREFIX}-")
    return tail if not head else ""
