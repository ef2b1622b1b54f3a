"""`python -m labkit.cli`, which is what labctl.py becomes."""

from __future__ import annotations

from labkit.cli.app import main

if __name__ == "__main__":
    main()
