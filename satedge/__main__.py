"""`python -m satedge`."""

import sys

from satedge.cli import main

sys.exit(main())
