#!/usr/bin/env python3
"""The door to Queue Lab: `python3 labctl.py COMMAND`. Standard library only."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from labkit.install import door

if __name__ == "__main__":
    sys.exit(door.main(sys.argv[1:]))
