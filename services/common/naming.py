"""The name of an instance in a container: Compose names the container, and Docker's DNS tells who we are.

Only the container's id is in its environment. The answer to "who has my address?" is the container's name
and its network, `queue-lab-worker-2.queue-lab_lab`: https://docs.docker.com/engine/network/#dns-services
"""

from __future__ import annotations

import secrets
import socket
import struct
from pathlib import Path

DOCKER_DNS = ("127.0.0.11", 53)

_MARK = Path("/.dockerenv")
_ANSWER_S = 1.0
_ANSWER_BYTES = 512
# https://www.rfc-editor.org/rfc/rfc1035, 4.1: a header of six numbers, then names as counted words.
_HEADER = struct.Struct(">6H")
_RECURSION = 0x0100
_QUESTION = struct.pack(">2H", 12, 1)  # PTR, internet
_RECORD = struct.Struct(">2s2HIH")  # the name again as a pointer, type, class, time to live, length


def own_name() -> str:
    """Return "worker-2" in a container of Compose, else ""."""
    if not _MARK.exists():
        return ""
    try:
        return instance_of(ask(socket.gethostbyname(socket.gethostname())))
    except (OSError, ValueError, struct.error):
        return ""


def instance_of(name: str) -> str:
    """Take service and number out of a full container name; "" when Compose has not made it.

    The network's name begins with the project's name, and so does the container's.
    """
    container, _, network = name.partition(".")
    project = network.rpartition("_")[0]
    head, dash, instance = container.partition(f"{project}-")
    made = project and dash and not head and instance.rpartition("-")[2].isdecimal()
    return instance if made else ""


def ask(address: str, server: tuple[str, int] = DOCKER_DNS) -> str:
    """Return the name that belongs to an IPv4 address. Raises OSError, ValueError and struct.error."""
    number = secrets.randbits(16)
    words = [*reversed(address.split(".")), "in-addr", "arpa"]
    question = b"".join(bytes([len(word)]) + word.encode() for word in words) + b"\0" + _QUESTION
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(_ANSWER_S)
        udp.sendto(_HEADER.pack(number, _RECURSION, 1, 0, 0, 0) + question, server)
        answer = udp.recv(_ANSWER_BYTES)
    if _HEADER.unpack_from(answer)[0] != number or not _HEADER.unpack_from(answer)[3]:
        raise ValueError("no answer to this question")
    return _read_name(answer, _HEADER.size + len(question))


def _read_name(answer: bytes, at: int) -> str:
    """Read the name in the first record, whose own name is repeated in full or pointed at."""
    if answer[at] < 0xC0:  # noqa: PLR2004 - a pointer begins with two ones
        at = answer.index(0, at) - 1
    at += _RECORD.size
    words = []
    while length := answer[at]:
        words.append(answer[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(words)
