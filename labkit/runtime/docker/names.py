"""Compose's names and labels."""

PREFIX = "queue-lab"

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"


def compose_project(project: str) -> str:
    """Name the Compose project: "default" is the one that a plain `docker compose up` starts."""
    return PREFIX if project == "default" else f"{PREFIX}-{project}"


def lab_project(compose: str) -> str:
    """Name the project of labctl that a Compose project is; "" if it is somebody else's."""
    if compose == PREFIX:
        return "default"
    head, _, tail = compose.partition(f"{PREFIX}-")
    return tail if not head else ""
