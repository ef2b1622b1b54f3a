"""Where a running stack answers, and with which login."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from labkit.runtime.base import Runtime

_SUMMARIES = {
    ("rabbitmq", "management"): "RabbitMQ in the browser",
    ("rabbitmq", "prometheus"): "the broker's metrics",
    ("object-store", "s3"): "images, S3 protocol",
    ("tracker", "http"): "health and metrics",
    ("notifier", "http"): "health and metrics",
    ("api", "http"): "uploads and jobs",
    ("dashboard", "http"): "the pipeline in the browser",
    ("prometheus", "http"): "metrics and alerts",
    ("grafana", "http"): "metrics as pictures",
}
MAIN = ("api", "dashboard", "rabbitmq management", "object-store", "prometheus", "grafana")


@dataclass(frozen=True)
class Link:
    """An address for people; `name` such as "api" or "rabbitmq management"."""

    name: str
    url: str
    summary: str


@dataclass(frozen=True)
class Login:
    """What to type into the login page of `name`; of webhooks, what verifies a signature. A secret."""

    name: str
    user: str
    password: str


def summary_of(service: str, port: str) -> str:
    """Return what is found at a port, in a few words; empty if it is nothing for a browser."""
    return _SUMMARIES.get((service, port), "")


def links(runtime: Runtime) -> list[Link]:
    """Return the address of every HTTP port of the services that run, API first."""
    running = {found.service for found in runtime.instances()}
    found = [
        Link(_name(service.name, port.name), runtime.address(service.name, port.name), summary)
        for service in runtime.services
        if service.name in running
        for port in service.ports
        if port.scheme == "http"
        for summary in [summary_of(service.name, port.name)]
    ]
    return sorted(found, key=lambda link: link.name != "api")


def main_links(runtime: Runtime) -> list[Link]:
    """Return the addresses that a class opens."""
    return [link for link in links(runtime) if link.name in MAIN]


def logins(environment: dict[str, str]) -> list[Login]:
    """Return the secrets in the variables of a stack: of the broker, the object store and webhooks."""
    broker = urlsplit(environment.get("LAB_AMQP_URL", ""))
    found = []
    if broker.username and broker.password:
        found.append(Login("rabbitmq", unquote(broker.username), unquote(broker.password)))
    if "LAB_S3_SECRET_KEY" in environment:
        user = environment.get("LAB_S3_ACCESS_KEY", "")
        found.append(Login("object-store", user, environment["LAB_S3_SECRET_KEY"]))
    if environment.get("LAB_WEBHOOK_SECRET"):
        found.append(Login("webhooks", "", environment["LAB_WEBHOOK_SECRET"]))
    return found


def _name(service: str, port: str) -> str:
    return service if port in ("http", "s3") else f"{service} {port}"
