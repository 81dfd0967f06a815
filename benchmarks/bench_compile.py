"""How long kernels take to compile where nothing is cached: `python benchmarks/bench_compile.py`.

    --load    instead, how long processes take to load what is compiled

CPU seconds of one thread in a process of its own for each family of methods, imports aside.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

#: Module in which each family begins.
FAMILIES = {
    "branch and bound": "minlp.branch_and_bound.solve",
    "alternating": "minlp.alternating.solve",
    "MILP and rounding": "minlp.milp.solve",
    "horizon": "minlp.horizon.solve",
}

CODE = """
import importlib, resource, sys
from satedge.kernels import KERNELS, import_all, warm_up

def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

importlib.import_module(sys.argv[1]) if sys.argv[1:] else import_all()
began = cpu_s()
warm_up()
used = resource.getrusage(resource.RUSAGE_SELF)
print(len(KERNELS), cpu_s() - began, used.ru_maxrss / 1024)
"""


def measured(module: str | None, cache: str) -> tuple[int, float, float]:
    """(kernels, CPU seconds, peak memory in MB) of a process with this cache folder."""
    command = [sys.executable, "-c", CODE, *([module] if module else [])]
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    count, seconds, memory_MB = done.stdout.split()
    return int(count), float(seconds), float(memory_MB)


def main() -> None:
    """Print one line a family, and one for all kernels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--load", action="store_true")
    load = parser.parse_args().load
    print(f"{'family':20s} {'kernels':>8s} {'CPU s':>8s} {'MB':>6s}")
    for name, module in [*FAMILIES.items(), ("all", None)]:
        with tempfile.TemporaryDirectory() as cache:
            found = measured(module, cache)
            if load:
                found = measured(module, cache)
        print(f"{name:20s} {found[0]:8d} {found[1]:8.2f} {found[2]:6.0f}", flush=True)


if __name__ == "__main__":
    main()
