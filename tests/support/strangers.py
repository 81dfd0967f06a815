"""Methods of people whom nobody knows: clocks set wrong, results of wrong types, half messages."""

import array
import dataclasses
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan, Progress, Report
from support.toys import plan_of

#: What a method may return in place of what it should, by name.
RETURNS: dict[str, Any] = {
    "nothing at all": lambda p: None,
    "a number": lambda p: 5.0,
    "the plan alone": lambda p: p,
    "a dict": lambda p: {"plan": p},
    "a class": lambda p: Outcome,
    "an exception": lambda p: ValueError("x"),
    "a generator": lambda p: (p for _ in range(1)),
    "plan as dict": lambda p: Outcome(p.to_dict()),
    "plan as text": lambda p: Outcome("plan"),  # type: ignore[arg-type]
    "plan as tuple": lambda p: Outcome((p.server, p.power_W, p.uav_xy_m)),  # type: ignore[arg-type]
    "status unknown": lambda p: Outcome(p, "best"),  # type: ignore[arg-type]
    "status None": lambda p: Outcome(p, None),  # type: ignore[arg-type]
    "status list": lambda p: Outcome(p, ["optimal"]),  # type: ignore[arg-type]
    "info list": lambda p: Outcome(p, info=[1, 2]),  # type: ignore[arg-type]
    "info None": lambda p: Outcome(p, info=None),  # type: ignore[arg-type]
    "info text": lambda p: Outcome(p, info="fast"),  # type: ignore[arg-type]
    "info object": lambda p: Outcome(p, info={"me": object()}),
    "info function": lambda p: Outcome(p, info={"f": plan_of}),
    "info complex": lambda p: Outcome(p, info={"z": 1j}),
    "info bytes": lambda p: Outcome(p, info={"b": b"x"}),
    "info tuple key": lambda p: Outcome(p, info={(1, 2): 3}),
    "info cycle": lambda p: Outcome(p, info=_cycle()),
    "info deep": lambda p: Outcome(p, info=_deep()),
    "info huge": lambda p: Outcome(p, info={"x": "y" * (17 << 20)}),
    "info heavy": lambda p: Outcome(p, info={"x": [[]] * (3 << 20)}),
    "resampled number": lambda p: Outcome(p, info={"resampled": 3}),
    "resampled flat": lambda p: Outcome(p, info={"resampled": [0, 1]}),
    "resampled beyond": lambda p: Outcome(p, info={"resampled": [[0, 99]]}),
    "resampled negative": lambda p: Outcome(p, info={"resampled": [[0, -1]]}),
    "resampled text": lambda p: Outcome(p, info={"resampled": "ab"}),
    "resampled floats": lambda p: Outcome(p, info={"resampled": [[0.0, 1.0]]}),
    "certificate list": lambda p: Outcome(p, certificate=["ok"]),  # type: ignore[arg-type]
    "certificate text": lambda p: Outcome(p, certificate="optimal"),  # type: ignore[arg-type]
    "certificate None": lambda p: Outcome(p, certificate=None),  # type: ignore[arg-type]
    "certificate object": lambda p: Outcome(p, certificate={"o": object()}),
    "bound array": lambda p: Outcome(p, lower_bound=np.zeros(3)),  # type: ignore[arg-type]
    "bound array of one": lambda p: Outcome(p, lower_bound=np.zeros(1)),  # type: ignore[arg-type]
    "bound text": lambda p: Outcome(p, lower_bound="0"),  # type: ignore[arg-type]
    "bound complex": lambda p: Outcome(p, lower_bound=1j),  # type: ignore[arg-type]
    "bound bool": lambda p: Outcome(p, lower_bound=True),
    "bound list": lambda p: Outcome(p, lower_bound=[0.0]),  # type: ignore[arg-type]
    "bound nan": lambda p: Outcome(p, lower_bound=float("nan")),
    "bound inf": lambda p: Outcome(p, lower_bound=float("inf")),
    "bound huge": lambda p: Outcome(p, lower_bound=10**400),
    "bound date": lambda p: Outcome(p, lower_bound=np.datetime64("2025-01-01")),  # type: ignore[arg-type]
}

#: What stands in place of one array of the plan.
ARRAYS: dict[str, Any] = {
    "None": lambda a: None,
    "text": lambda a: "0 1 2",
    "objects": lambda a: a.astype(object),
    "None inside": lambda a: np.full(a.shape, None),
    "texts": lambda a: a.astype(str),
    "bools": lambda a: np.ones(a.shape, bool),
    "complex": lambda a: a.astype(complex),
    "flat": lambda a: a.reshape(-1),
    "one too many": lambda a: np.concatenate([a, a]),
    "empty": lambda a: a[:0],
    "transposed": lambda a: a.T,
    "a scalar": lambda a: a.flat[0],
    "ragged": lambda a: [[1, 2], [3]],
    "dates": lambda a: a.astype("datetime64[s]"),
    "structured": lambda a: np.zeros(a.shape, [("x", "f8")]),
    "a buffer": lambda a: array.array("d", [0.0]),
    "stacked": lambda a: a[None],
}

#: What is no plan of numbers, where numbers of floating point belong or do not.
SERVERS: dict[str, Any] = {
    "floats": lambda a: a.astype(float),
    "nan": lambda a: a * np.nan,
    "unsigned 64": lambda a: a.astype(np.uint64),
}
FLOATS: dict[str, Any] = {
    "nan": lambda a: a * np.nan,
    "inf": lambda a: a + np.inf,
    "long double": lambda a: a.astype(np.longdouble),
}

#: What is reported in place of a Progress.
REPORTS: dict[str, Any] = {
    "text": lambda p: "junk",
    "None": lambda p: None,
    "the plan": lambda p: p,
    "a class": lambda p: Progress,
    "bound text": lambda p: Progress(p, "1"),  # type: ignore[arg-type]
    "bound array": lambda p: Progress(p, np.ones(2)),  # type: ignore[arg-type]
    "plan text": lambda p: Progress("plan"),  # type: ignore[arg-type]
    "plan stacked": lambda p: Progress(Plan(p.server[None], p.power_W[None], p.uav_xy_m[None])),
    "powers nan": lambda p: Progress(dataclasses.replace(p, power_W=p.power_W * np.nan)),
}


def _cycle() -> dict[str, Any]:
    around: dict[str, Any] = {}
    around["me"] = around
    return around


def _deep() -> dict[str, Any]:
    inside: dict[str, Any] = {}
    for _ in range(100_000):
        inside = {"x": inside}
    return inside


def returns(instance: Instance, *, budget_s: float, seed: int, what: str) -> Any:
    """Returns something of RETURNS."""
    return RETURNS[what](plan_of(instance))


def arrays(instance: Instance, *, budget_s: float, seed: int, which: str, what: str) -> Outcome:
    """Returns a plan with one array replaced."""
    plan = plan_of(instance)
    own = SERVERS if which == "server" else FLOATS
    return Outcome(
        dataclasses.replace(plan, **{which: {**ARRAYS, **own}[what](getattr(plan, which))})
    )


def reports(
    instance: Instance, *, budget_s: float, seed: int, report: Report, what: str
) -> Outcome:
    """Reports something of REPORTS, then returns a plan."""
    report(REPORTS[what](plan_of(instance)))
    return Outcome(plan_of(instance))


def _late(clock: Callable[[], float]) -> Callable[[], float]:
    return lambda: clock() - 3600.0


def resets_clocks(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Sets every clock that Python has back by an hour, and computes for 0.3 seconds."""
    began = time.process_time()
    while time.process_time() < began + 0.3:
        pass
    for name in ("perf_counter", "monotonic", "time", "process_time", "thread_time"):
        setattr(time, name, _late(getattr(time, name)))
    return Outcome(plan_of(instance))


def forks_twice(instance: Instance, *, budget_s: float, seed: int, note: str) -> Outcome:
    """Leaves a process behind that nobody waits for, and that computes and takes memory."""
    spin = (
        "import os, time\n"
        f"open({note!r}, 'w').write(str(os.getpid()))\n"
        "kept = bytearray(80_000_000)\n"
        "began = time.process_time()\n"
        "while time.process_time() < began + 0.3: pass\n"
        f"open({note + '.done'!r}, 'w').close()\n"
        "time.sleep(1000)\n"
    )
    if os.fork() == 0:
        subprocess.Popen([sys.executable, "-c", spin], start_new_session=True)
        os._exit(0)
    os.wait()
    while not Path(note + ".done").exists():
        time.sleep(0.05)
    return Outcome(plan_of(instance))


def forks_twice_and_dies(instance: Instance, *, budget_s: float, seed: int, note: str) -> Outcome:
    """The same, and ends its own process."""
    forks_twice(instance, budget_s=budget_s, seed=seed, note=note)
    os._exit(7)


def _link() -> socket.socket:
    """The worker's connection to the bench."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                return socket.socket(fileno=int(name))
        except OSError:
            continue
    raise AssertionError("no connection")


def half_message(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Announces a message and sends half of it."""
    link = _link()
    link.sendall(struct.pack("<IQ", 100, 0) + b"{")
    time.sleep(1000)
    raise AssertionError


def endless_message(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Announces more than any plan has."""
    link = _link()
    link.sendall(struct.pack("<IQ", 100, 1 << 60) + b"{")
    time.sleep(1000)
    raise AssertionError


def noise(instance: Instance, *, budget_s: float, seed: int, head: str) -> Outcome:
    """Sends a whole frame that is no message."""
    link, data = _link(), head.encode()
    link.sendall(struct.pack("<IQ", len(data), 0) + data)
    time.sleep(1000)
    raise AssertionError


def hangs_up(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Closes the connection and lives on."""
    _link().close()
    time.sleep(1000)
    raise AssertionError


def prints_without_end(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Fills the disk with words."""
    while True:
        os.write(1, b"x" * (1 << 20))


def changes_the_world(instance: Instance, *, budget_s: float, seed: int) -> Outcome:
    """Changes what later runs in the same process would use."""
    np.zeros = np.ones  # type: ignore[assignment]
    os.environ["OMP_NUM_THREADS"] = "64"
    return Outcome(plan_of(instance), info={"pid": os.getpid()})
