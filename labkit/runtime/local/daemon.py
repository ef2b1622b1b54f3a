"""The process behind `labctl up`: a Circus arbiter that starts instances again when they die.

Run as `python -m labkit.runtime.local.daemon SOCKET_FOLDER LOG_FOLDER`.
"""

import logging
import socket
import sys
from pathlib import Path

from circus.arbiter import Arbiter
from circus.exc import ConflictError
from tornado.ioloop import IOLoop, PeriodicCallback

from labkit.runtime.local.logs import bound
from labkit.runtime.local.supervisor import control

# A dead instance is seen within this time.
_CHECK_S = 0.2
_BOUND_LOGS_MS = 10_000


def _is_news(record: logging.LogRecord) -> bool:
    """Drop the complaint that a look at the instances fell together with a command; the next look is near."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConflictError))


def main(endpoint: str, log_dir: str) -> None:
    """Supervise until told to quit."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True)
    # Circus asks DNS for this machine's full name, which takes seconds where no network is.
    socket.getfqdn = lambda name="": name or socket.gethostname()
    logging.getLogger("tornado.application").addFilter(_is_news)
    loop = IOLoop.current()
    arbiter = Arbiter([], control(endpoint), f"ipc://{endpoint}/events", check_delay=_CHECK_S)
    PeriodicCallback(lambda: bound(Path(log_dir)), _BOUND_LOGS_MS).start()
    arbiter.start()
    loop.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
