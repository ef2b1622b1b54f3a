"""A Prometheus of the stack's own, from the machine's own package.

It has the configuration and the rules that it has on Docker, with other places to look at: workers take free
ports, which the tracker knows from their heartbeats; the other addresses are in two files, which are written
anew whenever instances come or go. Works with Prometheus 2.42 to 3.x.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from labkit.errors import MissingProgram
from labkit.install.programs import find
from labkit.project import REPOSITORY, Project
from labkit.runtime.local.ports import HOST, instance_ports
from labkit.runtime.private import make_private_dir, write_private
from labkit.stack import Service

SOURCE = REPOSITORY / "services" / "prometheus"
LIMITS = ("--storage.tsdb.retention.time=2d", "--storage.tsdb.retention.size=256MB")

_REFRESH = "2s"
_SHOWS_METRICS = "prometheus"
"""The name of the broker's port for it."""


def prometheus_program() -> str:
    """Find the program. Raises MissingProgram."""
    path = find("prometheus")
    if path is None:
        raise MissingProgram(
            "Prometheus is not installed.",
            "See how to install it: labctl doctor. To do without: labctl up --no-observability",
            "prometheus",
        )
    return path


class Prometheus:
    """The Prometheus of one project: its files, and the arguments of its program."""

    def __init__(self, project: Project, service: Service, tracker: Service) -> None:
        self._project = project
        self._port = project.port(service.ports[0].base)
        self._tracker = f"http://{HOST}:{project.port(tracker.ports[0].base)}/targets"
        self.home = project.data_dir / "prometheus"

    def arguments(self) -> tuple[str, ...]:
        """Give what stands after the program's name."""
        return (
            f"--config.file={self.home / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.home / 'tsdb'}",
            *LIMITS,
            f"--web.listen-address={HOST}:{self._port}",
            "--log.level=warn",
        )

    def prepare(self) -> None:
        """Write the configuration; data of an earlier life stays."""
        make_private_dir(self.home)
        source = yaml.safe_load((SOURCE / "prometheus.yml").read_text(encoding="utf-8"))
        text = yaml.safe_dump(self._here(source), sort_keys=False)
        write_private(self.home / "prometheus.yml", text)

    def look_at(self, instances: Mapping[str, Service]) -> None:
        """Write down where these instances show their metrics; Prometheus reads it again by itself."""
        make_private_dir(self.home)
        groups: dict[str, list[dict[str, Any]]] = {"programs": [], "rabbitmq": []}
        for name, service in instances.items():
            ports = instance_ports(self._project, service, name)
            labels = {"instance": name, "service": service.name}
            if service.readiness == "broker":
                place = [port.name for port in service.ports].index(_SHOWS_METRICS)
                groups["rabbitmq"].append({"targets": [f"{HOST}:{ports[place]}"], "labels": labels})
            elif service.command and ports:
                groups["programs"].append({"targets": [f"{HOST}:{ports[0]}"], "labels": labels})
        for kind, found in groups.items():
            write_private(self._targets(kind), json.dumps(found, indent=2))

    def _here(self, source: dict[str, Any]) -> dict[str, Any]:
        """Give the configuration with the places of this machine, job by job."""
        broker = {"file_sd_configs": [self._file("rabbitmq")]}
        own = {"instance": "prometheus-1", "service": "prometheus"}
        places: dict[str, dict[str, Any]] = {
            "programs": {
                "http_sd_configs": [{"url": self._tracker, "refresh_interval": _REFRESH}],
                "file_sd_configs": [self._file("programs")],
            },
            "rabbitmq": broker,
            "queues": broker,
            "prometheus": {"static_configs": [{"targets": [f"{HOST}:{self._port}"], "labels": own}]},
        }
        jobs = [{**_placeless(job), **places[job["job_name"]]} for job in source["scrape_configs"]]
        rules = [str(SOURCE / name) for name in source["rule_files"]]
        return {**source, "rule_files": rules, "scrape_configs": jobs}

    def _file(self, kind: str) -> dict[str, Any]:
        return {"files": [str(self._targets(kind))], "refresh_interval": _REFRESH}

    def _targets(self, kind: str) -> Path:
        return self.home / f"{kind}.json"


def _placeless(job: dict[str, Any]) -> dict[str, Any]:
    """Leave out where the job looks, and what is made of such a place."""
    return {
        name: value
        for name, value in job.items()
        if not name.endswith(("_sd_configs", "static_configs")) and name != "relabel_configs"
    }
