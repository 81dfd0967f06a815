"""`python -m satedge`."""

import sys
from pathlib import Path

# Python puts the current folder first, and what lies there is not to pass for somebody's module.
if not sys.flags.safe_path and Path(__file__).resolve().parents[1] != Path(sys.path[0]).resolve():
    del sys.path[0]

from satedge.cli import main

sys.exit(main())
