"""What Docker's own words mean, and what to do about it."""

import re
from collections.abc import Callable

from labkit.doctor.engine import install_docker, start_docker
from labkit.errors import DockerRefused, ImageMissing, LabError, NoDocker, PortTaken

OR_LOCAL = "or work without Docker: labctl up --runtime local"
_QUOTE_CHARACTERS = 300

_FLAGS = re.IGNORECASE | re.DOTALL
_PERMISSION = re.compile(r"permission denied.*(docker|connect|sock)|Permission denied'\)", _FLAGS)
_NO_ENGINE = re.compile(
    r"Cannot connect to the Docker daemon|Is the docker daemon running|error during connect"
    r"|failed to connect to the docker API|docker_engine|FileNotFoundError|Connection(Refused|Reset)Error"
    r"|Error while fetching server API version|Connection aborted|Max retries exceeded|Read timed out",
    re.IGNORECASE,
)
_NO_COMPOSE = re.compile(
    r"'compose' is not a docker command|unknown (docker )?command: .*compose"
    r"|unknown shorthand flag: '\w' in -\w|unknown flag: --project",
    re.IGNORECASE,
)
_PORT = re.compile(
    r"(?:Bind for|listen tcp4?|exposing port TCP|bind host port for) \S*?:(\d+)\S*.*?"
    r"(?:already (?:allocated|in use)|Only one usage|access permissions)",
    re.IGNORECASE | re.DOTALL,
)
_DISK = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_PULL = re.compile(
    r"pull access denied|manifest (for \S+ )?(unknown|not found)|failed to resolve reference"
    r"|toomanyrequests|Error response from daemon: (Get|Head) \"?https?://|no such host"
    r"|No such image|TLS handshake timeout|registry",
    re.IGNORECASE,
)
_IMAGE = re.compile(
    r"(?:access denied for|manifest for|failed to resolve reference|No such image:)"
    r" \"?([\w./-]+(?::[\w.-]+)?)"
)


def no_docker() -> NoDocker:
    """Say that there is no docker command."""
    return NoDocker("Docker is not installed.", f"Install it: {install_docker()}   {OR_LOCAL}")


def no_compose() -> NoDocker:
    """Say that Compose is missing, or is the old one."""
    return NoDocker(
        "This Docker has no Compose v2 (the command `docker compose`); docker-compose v1 is too old.",
        f"Install it: {install_docker()}   {OR_LOCAL}",
    )


def explain(words: str) -> LabError:
    """Turn the words of the engine or of Compose into an error with a next step."""
    for pattern, make in _MEANINGS:
        if found := pattern.search(words):
            return make(found, words)
    return DockerRefused(f"Docker refuses: {gist(words)}", "See what the engine thinks: labctl doctor")


def gist(words: str) -> str:
    """Return the line that matters: the last one that speaks of an error, else the last one."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"error|failed|denied|refused", line, re.IGNORECASE)]
    line = (errors or lines or ["no words"])[-1]
    return line.removeprefix("Error response from daemon: ")[:_QUOTE_CHARACTERS]


def _permission(found: re.Match[str], words: str) -> LabError:
    del found, words
    return NoDocker(
        "You may not talk to the Docker engine: its socket belongs to root and the group docker.",
        f'Join the group: sudo usermod -aG docker "$USER"   (then log in again); {OR_LOCAL}',
    )


def _no_engine(found: re.Match[str], words: str) -> LabError:
    del found, words
    return NoDocker(
        "The Docker engine does not answer.", f"Start it: {start_docker()}   (then try again); {OR_LOCAL}"
    )


def _no_compose(found: re.Match[str], words: str) -> LabError:
    del found, words
    return no_compose()


def _port(found: re.Match[str], words: str) -> LabError:
    del words
    return PortTaken(
        f"Port {found[1]} is held by another program.",
        "End that program, or shift all ports: labctl up --port-offset 100",
    )


def _disk(found: re.Match[str], words: str) -> LabError:
    del found, words
    return DockerRefused(
        "The disk that Docker uses is full.", "Free some room: docker system prune   (then try again)"
    )


def _pull(found: re.Match[str], words: str) -> LabError:
    del found
    image = _IMAGE.search(words)
    return not_fetched(image[1] if image else "of a service", gist(words))


def not_fetched(image: str, why: str) -> ImageMissing:
    """Say that an image cannot be had."""
    return ImageMissing(
        f"The image {image} cannot be fetched: {why}",
        f"Look at the network and try again, load a bundle of your class (labctl prepare --from), {OR_LOCAL}",
    )


_MEANINGS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str], LabError]], ...] = (
    (_DISK, _disk),
    (_PORT, _port),
    (_PERMISSION, _permission),
    (_NO_COMPOSE, _no_compose),
    (_NO_ENGINE, _no_engine),
    (_PULL, _pull),
)
