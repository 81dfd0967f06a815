"""How soon the command line answers; run by `make bench`."""

import subprocess
import sys

SCRIPT = """
import resource, sys, satedge.cli
try:
    sys.argv = ["satedge", "--help"]
    satedge.cli.main()
except SystemExit:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime)
"""


def seconds() -> float:
    """CPU seconds of one call of `satedge --help`."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def test_help_takes_half_a_second() -> None:
    """The best of a few calls; the interpreter's own start is in it."""
    best_s = min(seconds() for _ in range(3))
    print(f"\nsatedge --help: {best_s:.2f} s of CPU")
    assert best_s < 0.5
