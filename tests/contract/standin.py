"""A program as small as a service can be: /health, a log, and a polite end on SIGTERM.

Run as `python -m tests.contract.standin [crash]`; listens on LAB_HOST:LAB_PORT.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import FrameType


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.exit("stopped")


def main() -> None:
    """Serve until told to end."""
    signal.signal(signal.SIGTERM, _end)
    if "crash" in sys.argv:
        sys.exit("cannot start: no configuration")
    server = HTTPServer((os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])), _Handler)
    sys.stderr.write(f"started with prefetch {os.environ.get('LAB_PREFETCH', 'default')}\n")
    server.serve_forever()


if __name__ == "__main__":
    main()
