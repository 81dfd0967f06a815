"""Shared by all tests: the second writing of the model lives beside the tests of the problem."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "problem"))
