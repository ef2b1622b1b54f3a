#!/usr/bin/env python3
"""Is this computer ready for Queue Lab? `python3 verify_setup.py [--json]`. Standard library only."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from labkit import doctor

if __name__ == "__main__":
    sys.exit(doctor.main(sys.argv[1:], again="verify_setup.py"))
