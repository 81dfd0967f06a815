"""No method of the table compiles, or loads, a kernel after its clock has started."""

import subprocess
import sys

import pytest

from satedge.bench.methods import table as methods

#: Prints the kernels that get ready only in a run that a worker prepared, and how many are there.
CODE = """
import sys
from satedge.bench.methods import table as methods
from satedge.bench.run.worker import Job, _call, _prepared
from satedge.problem.generation.generate import generate
from satedge.problem.scenario import preset

class End:
    def sendall(self, data): pass

instance = generate(preset("tiny", n_slots=2, arrivals="every-slot"), 7)
job = Job(methods.find(sys.argv[1]), instance, 0, 3600.0)
function = _prepared(job, set())
kernels = sys.modules.get("satedge.kernels")
ready = lambda: {name for name, made in kernels.KERNELS.items() if made.ready} if kernels else set()
before = ready()
_call(function, job, End())
kernels = sys.modules.get("satedge.kernels")
print(len(before), sorted(ready() - before), file=sys.stderr)
"""

NAMES = [m.name for m in methods.TABLE if m.entry.startswith("minlp") and not methods.missing(m)]


@pytest.mark.parametrize("name", NAMES)
def test_kernels_are_ready_before_the_clock(name: str) -> None:
    """What a run calls was ready before; methods that use kernels have some."""
    done = subprocess.run([sys.executable, "-c", CODE, name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, late = done.stderr.splitlines()[-1].split(" ", 1)
    assert late == "[]"
    if "numba" in methods.find(name).needs:
        assert int(count) > 20
