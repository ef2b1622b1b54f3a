"""A private RabbitMQ node from the machine's own package: its own name, cookie, ports, epmd and data.

Settings by variable: https://www.rabbitmq.com/docs/configure#supported-environment-variables
Works with RabbitMQ 3.10 to 4.x.
"""

from collections.abc import Mapping
from pathlib import Path

from labkit.errors import MissingProgram
from labkit.install.rabbitmq import find_server
from labkit.project import Project
from labkit.runtime.credentials import Credentials
from labkit.runtime.local.ports import HOST
from labkit.runtime.private import make_private_dir, write_private
from labkit.stack import Service

WAL_BYTES = 64 * 1024 * 1024


def server_script() -> Path:
    """Find the script that starts a node. Raises MissingProgram."""
    server = find_server()
    if server is None:
        raise MissingProgram("RabbitMQ is not installed.", "See how to install it: labctl doctor", "rabbitmq")
    return server.path


class Node:
    """The private node of one project: its files, and the environment that its script needs."""

    def __init__(self, project: Project, service: Service, credentials: Credentials) -> None:
        self._credentials = credentials
        self._ports = {port.name: project.port(port.base) for port in service.ports}
        self.home = project.data_dir / "rabbitmq"

    def amqp_url(self) -> str:
        """Give the URL for clients, password included."""
        user, password = self._credentials.amqp_user, self._credentials.amqp_password
        return f"amqp://{user}:{password}@{HOST}:{self._ports['amqp']}/"

    def prepare(self) -> None:
        """Write the node's configuration; data of an earlier life stays."""
        make_private_dir(self.home)
        write_private(self.home / "rabbitmq.conf", self._configuration())
        # Quorum queues tell their lengths on this tick, 5 s by default; it has no key in rabbitmq.conf.
        write_private(self.home / "advanced.config", "[{rabbit, [{quorum_tick_interval, 1000}]}].\n")
        write_private(self.home / "enabled_plugins", "[rabbitmq_management,rabbitmq_prometheus].\n")
        # Without this the Erlang VM asks DNS for localhost: 5 s more where no network is.
        write_private(self.home / "inetrc", '{lookup,[file]}.\n{host,{127,0,0,1},["localhost"]}.\n')
        write_private(self.home / ".erlang.cookie", self._credentials.erlang_cookie, mode=0o400)

    def environment(self) -> dict[str, str]:
        """Give the variables that keep the node private, away from a system broker and its settings."""
        files = {
            "HOME": self.home,  # holds the cookie
            "ERL_INETRC": self.home / "inetrc",
            "RABBITMQ_CONFIG_FILE": self.home / "rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": self.home / "conf.d",
            "RABBITMQ_ADVANCED_CONFIG_FILE": self.home / "advanced.config",
            "RABBITMQ_CONF_ENV_FILE": self.home / "rabbitmq-env.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.home / "enabled_plugins",
            "RABBITMQ_MNESIA_BASE": self.home / "mnesia",
            "RABBITMQ_LOG_BASE": self.home / "log",
        }
        return {
            **{name: str(path) for name, path in files.items()},
            "RABBITMQ_NODENAME": "lab@localhost",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_DIST_PORT": str(self._ports["distribution"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._ports["epmd"]),
            "ERL_EPMD_ADDRESS": HOST,
        }

    def _configuration(self) -> str:
        settings: Mapping[str, object] = {
            "listeners.tcp.1": f"{HOST}:{self._ports['amqp']}",
            "management.tcp.ip": HOST,
            "management.tcp.port": self._ports["management"],
            "prometheus.tcp.ip": HOST,
            "prometheus.tcp.port": self._ports["prometheus"],
            "default_user": self._credentials.amqp_user,
            "default_pass": self._credentials.amqp_password,
            # Rates and lengths shown to people are one second old, not five.
            "collect_statistics_interval": 1000,
            # What is in the log is in memory, too: by default up to 512 MB, which a laptop would rather keep.
            # https://www.rabbitmq.com/docs/persistence-conf#quorum-queues
            "raft.wal_max_size_bytes": WAL_BYTES,
            "management.sample_retention_policies.global.minute": 1,
            "management.sample_retention_policies.basic.minute": 1,
            "management.sample_retention_policies.detailed.10": 1,
            "log.console": "true",
            "log.file": "false",
        }
        return "".join(f"{name} = {value}\n" for name, value in settings.items())
