"""Who we are, told by a name server."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from services.common.naming import ask, instance_of

NAME = "queue-lab-worker-2.queue-lab_lab"


def _words(name: str) -> bytes:
    return b"".join(bytes([len(word)]) + word.encode() for word in name.split(".")) + b"\0"


@pytest.fixture(params=["pointer", "full"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Give a name server that answers one question, with its name repeated in full or pointed at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))

        def answer() -> None:
            asked, whom = udp.recvfrom(512)
            owner = b"\xc0\x0c" if request.param == "pointer" else asked[12:-4]
            data = _words(NAME)
            record = owner + struct.pack(">2HIH", 12, 1, 600, len(data)) + data
            udp.sendto(asked[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0) + asked[12:] + record, whom)

        thread = threading.Thread(target=answer)
        thread.start()
        yield udp.getsockname()
        thread.join()


def test_an_address_has_a_name(server: tuple[str, int]) -> None:
    """The name server's answer is read, in both of its forms."""
    assert ask("172.19.0.2", server) == NAME


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        (NAME, "worker-2"),
        ("queue-lab-class-force_resize-10.queue-lab-class_lab", "force_resize-10"),
        ("queue-lab-worker-2.bridge", ""),
        ("somebody.queue-lab_lab", ""),
        ("queue-lab-worker-run-4f5e.queue-lab_lab", ""),
        ("", ""),
    ],
)
def test_compose_names_instances(name: str, instance: str) -> None:
    """Service and number are taken out of a name that Compose has given, and out of no other."""
    assert instance_of(name) == instance
