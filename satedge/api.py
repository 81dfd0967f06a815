"""Satedge from Python: what `import satedge` offers, and what the command line is made of.

Everything is one call on plain objects: an `Instance` is loaded or generated, `solve` gives a
`Result`, `judge` a `Verdict`. Methods run as they do in studies, in a process of their own that is
killed at its limit, and are judged by the same referee. Packages that methods need are imported
where they run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan
from satedge.problem.referee import Verdict
from satedge.problem.referee import judge as judged

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from satedge.bench.run.supervisor import Listener

#: A method: its name, 'module:function', or the function itself.
MethodLike = str | Callable[..., Outcome]

#: Where studies are run by default.
RUNS = Path("results/runs")


def load(file: str | Path, slot: int | None = None) -> Instance:
    """The instance of a .json or .json.gz file, or one slot of it, counted from 0.

    Raises FileError for a damaged file, InstanceError for a slot that it does not have.
    """
    from satedge.problem.io.files import read_instance

    instance = read_instance(Path(file))
    return instance if slot is None else instance.window(slot, slot + 1)


def generate(preset: str = "paper", seed: int = 0, slots: int = 1, **changes: Any) -> Instance:
    """The instance of a preset, a seed and a number of slots; `changes` are scenario fields.

    The same as `satedge generate`: equal arguments give equal instances everywhere. Raises
    ScenarioError for an unknown preset or field, or a value that is not allowed.
    """
    from satedge.problem.generation.generate import generate as generated
    from satedge.problem.scenario import preset as named

    scenario = named(preset, **changes).replace(n_slots=slots)
    return generated(scenario, seed, name=f"{preset}-{seed}")


def judge(instance: Instance, plan: Plan | str | Path) -> Verdict:
    """The referee's verdict on a plan, or on the file of one: cost, and every constraint.

    Raises PlanError for a plan that does not fit the instance.
    """
    if isinstance(plan, (str, Path)):
        from satedge.problem.io.files import read_plan

        plan = read_plan(Path(plan), instance)
    return judged(instance, plan)


def methods() -> pd.DataFrame:
    """The methods by name: family, doc, needs, settings, hindsight, available, missing (why)."""
    import pandas as pd

    from satedge.bench.methods.table import listing

    return pd.DataFrame(listing()).set_index("name")


def solve(
    instance: Instance,
    method: MethodLike = "branch-and-bound",
    *,
    budget_s: float = 10.0,
    seed: int = 0,
    memory_MB: float = 4096.0,
    verbose: bool = False,
    listener: Listener | None = None,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> Result:
    """Run a method on an instance within its budget, and judge what it leaves.

    A method named by a text runs in a process of its own and is killed at its limits; a function
    runs in this one, and nothing kills it. Its settings are keyword arguments, or a mapping.
    `verbose` shows the progress on standard error; a `listener` is told of it instead. A method
    that fails is a result whose status says so. Raises MethodError for one that is unknown, lacks
    something here, or does not take the settings.
    """
    from satedge import preparation
    from satedge.bench.methods.table import Method, MethodError, find, missing
    from satedge.bench.run.local import execute, execute_here, ignore
    from satedge.bench.run.worker_process import WorkerProcess
    from satedge.bench.study.cell import Cell
    from satedge.bench.study.limits import Limits

    if verbose:
        from satedge.bench.run.progress import on_standard_error

        listener = on_standard_error(instance, budget_s)
    limits = Limits(memory_MB=float(memory_MB))
    given = {**(settings or {}), **more}
    if not isinstance(method, str):
        entry = f"{method.__module__}:{method.__qualname__}"
        row = Method(method.__name__, entry, "user", "A caller's function.", settings=given)
        cell = Cell(row, instance, seed, float(budget_s), limits=limits)
        return Result(instance, execute_here(cell, method, listener))
    row = find(method).with_settings(**given)
    reason = missing(row)
    if reason:
        raise MethodError(f"method {method} cannot run here: {reason}")
    cell = Cell(row, instance, seed, float(budget_s), limits=limits)
    said = preparation.on_terminal if verbose or listener else ignore
    with preparation.listening(said), WorkerProcess() as worker:
        return Result(instance, execute(worker, cell, listener=listener))


def benchmark(
    study: str | Path = "quick",
    *,
    out: str | Path | None = None,
    methods: Sequence[str] = (),
    only: Iterable[str] = (),
    jobs: int = 1,
    report: bool = True,
    verbose: bool = False,
) -> pd.DataFrame:
    """Run a study by its name or .toml file, write tables and the page, and return its rows.

    Finished runs are not repeated. `methods` are added to every part, as by `--method`; with
    `only`, just the methods of these labels run. `verbose` shows what is going on. Raises
    StudyError, MethodError.
    """
    from satedge import preparation
    from satedge.bench.report.write_up import write
    from satedge.bench.run.local import ignore, local
    from satedge.bench.run.runner import carry_out, sort_out
    from satedge.bench.run.store import Store
    from satedge.bench.study.study_file import load_study
    from satedge.problem.io.folder import only_one

    chosen = load_study(str(study)).with_methods(list(methods))
    labels = chosen.labels(list(only))
    store = Store(Path(out) if out is not None else RUNS / chosen.name)
    said = preparation.on_terminal if verbose else ignore
    with preparation.listening(said), only_one(store.make().root):
        work = sort_out(chosen, store, only=labels)
        with closing(carry_out(chosen, work, store, local(jobs))) as records:  # type: ignore[type-var]
            for _ in records:
                pass
        write(store, report=report)
    return read_results(store.root)


def read_results(folder: str | Path) -> pd.DataFrame:
    """The rows of a study's folder with their scores, one a run.

    `attrs["units"]` and `attrs["docs"]` tell the unit and meaning of every column, as do the
    tables of the reference on files and scores. Unknown numbers are NaN. Raises StoreError.
    """
    from satedge.bench.run.rows import SCHEMA
    from satedge.bench.run.store import Store, StoreError
    from satedge.bench.score.score import SCORES, score

    store = Store(Path(folder))
    if store.cells.is_dir():
        rows = store.look().rows
    elif (store.root / "rows.parquet").is_file():
        rows = store.gather()
    else:
        raise StoreError(f"{folder}: no results are there (neither cells nor rows.parquet)")
    scored = score(rows)
    columns = (*SCHEMA, *SCORES)
    scored.attrs = {
        "units": {c.name: c.unit for c in columns},
        "docs": {c.name: c.doc for c in columns},
    }
    return scored[[c.name for c in columns]]


def plot_slot(
    solved: Result | Instance,
    plan: Plan | None = None,
    slot: int = 0,
    file: str | Path | None = None,
) -> Figure:
    """The map of one slot: of a result, or of an instance under a plan (None: undecided).

    With `file` (.svg, .pdf, .png) it is saved, too.
    """
    from satedge.drawing import style
    from satedge.drawing.figure import draw_map, title_of
    from satedge.drawing.slot_map import slot_map

    instance = solved.instance if isinstance(solved, Result) else solved
    plan = solved.plan if isinstance(solved, Result) else plan
    with style.house():
        figure = draw_map(slot_map(instance, plan, slot), title_of(instance, slot))
        if file is not None:
            style.save(figure, Path(file))
    return figure


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What came of a method on an instance; costs are the referee's, per device and slot."""

    instance: Instance
    record: dict[str, Any]
    """All that is stored of a run, as in the files of a study."""

    @property
    def row(self) -> dict[str, Any]:
        """The run as a row of a study; see the reference on files."""
        return dict(self.record["row"])

    @property
    def status(self) -> str:
        """How the run ended: done, timeout, killed-memory, crashed or failed."""
        return str(self.row["status"])

    @property
    def method_status(self) -> str:
        """What the method says of its plan: optimal, feasible, infeasible, stopped or failed."""
        return str(self.row["method_status"])

    @property
    def reason(self) -> str:
        """Why the run ended otherwise than done."""
        return str(self.row["reason"])

    @property
    def answered(self) -> bool:
        """The run ended so that its last incumbent counts as its answer."""
        from satedge.bench.run.supervisor import ANSWERED

        return self.status in ANSWERED

    @cached_property
    def last_incumbent(self) -> Plan | None:
        """The plan that the run left, however it ended."""
        from satedge.bench.run.record import plan_of

        return plan_of(self.record)

    @property
    def plan(self) -> Plan | None:
        """The plan; None of a run that failed or gave a bound only."""
        return self.last_incumbent if self.answered else None

    @cached_property
    def verdict(self) -> Verdict | None:
        """The referee's on the plan."""
        return None if self.plan is None else judged(self.instance, self.plan)

    @property
    def cost(self) -> float | None:
        """Of the plan, unless it breaks a constraint."""
        admissible = self.plan is not None and self.row.get("admissible", False)
        return self.row["cost"] if admissible else None

    @property
    def bound(self) -> float | None:
        """A certified bound below which no plan can cost, if the method has proved one."""
        return self.row.get("lower_bound") if self.answered else None

    @property
    def gap(self) -> float | None:
        """(cost - bound) / |cost|."""
        cost, bound = self.cost, self.bound
        if cost is None or bound is None or cost == 0:
            return None if cost or bound is None else 0.0
        return (cost - bound) / abs(cost)

    @property
    def wall_s(self) -> float:
        """Seconds that the method took."""
        return float(self.row["wall_s"])

    def to_dict(self) -> dict[str, Any]:
        """The published fields, those of `satedge solve --json`."""
        import json

        row = self.row
        same = ("instance", "instance_sha256", "method", "seed", "budget_s", "status", "reason")
        told = ("feasible", "latency_s", "energy_J", "deadline_misses", "refused", "outages")
        return {
            **{name: row[name] for name in same},
            "method_status": row["method_status"],
            "settings": json.loads(row["settings"]),
            "cost": self.cost,
            "lower_bound": self.bound,
            "gap": self.gap,
            "admissible": row.get("admissible", False),
            "violations": json.loads(row["violations"]),
            **{name: row.get(name) if self.answered else None for name in told},
            "wall_s": row["wall_s"],
            "certificate": self.record["certificate"],
            "info": self.record["info"],
            "versions": self.record["versions"],
        }

    def lines(self) -> list[tuple[str, str]]:
        """The result in words: heading and text, for the terminal and for notebooks."""
        row = self.row
        ended = self.status + (f" ({self.method_status})" if self.method_status else "")
        lines = [
            ("method", f"{row['method']} on {row['instance']}, seed {row['seed']}"),
            ("status", ended + (f": {self.reason}" if self.reason else "")),
        ]
        if self.answered:
            lines += self._scores()
        elif self.last_incumbent is not None:
            lines.append(("cost", "none: the last incumbent of a failed run is no answer"))
        lines.append(("time", f"{self.wall_s:.3f} s of {row['budget_s']:g} s"))
        return lines

    def _scores(self) -> list[tuple[str, str]]:
        row, lines = self.row, []
        if row.get("cost") is not None:
            lines.append(("cost", f"{row['cost']:.6f} per device and slot"))
        if self.bound is not None:
            shown = "" if self.gap is None else f", gap {percent(self.gap)}"
            lines.append(("lower bound", f"{self.bound:.6f}{shown}"))
        if row.get("cost") is not None:
            counts = f"{row['deadline_misses']} deadline misses, {row['refused']} refused, "
            lines.append(("requests", f"{row['requests']}: {counts}{row['outages']} outages"))
            # None in a record: not finite, where nobody hears a request.
            spent = [math.inf if row[n] is None else row[n] for n in ("latency_s", "energy_J")]
            lines.append(("latency", f"{spent[0]:.4f} s, mean over requests"))
            lines.append(("energy", f"{spent[1]:.3f} J per slot, all devices"))
        return lines

    def __repr__(self) -> str:
        row = self.row
        told = [f"{row['method']} on {row['instance']}: {self.status}"]
        told += [f"cost {self.cost:.6g}"] if self.cost is not None else []
        told += [f"bound {self.bound:.6g}"] if self.bound is not None else []
        told += [f"gap {percent(self.gap)}"] if self.gap is not None else []
        return f"<Result {', '.join([*told, f'{self.wall_s:.2f} s'])}>"

    def _repr_html_(self) -> str:
        from satedge.bench.report.tables import html
        from satedge.bench.report.verdicts import device_table, slot_table

        rows = "".join(
            f"<tr><th style='text-align:left'>{head}</th>"
            f"<td style='text-align:left'>{escape(text)}</td></tr>"
            for head, text in self.lines()
        )
        shown = f"<table>{rows}</table>"
        if self.plan is None:
            return shown
        table = device_table if self.instance.n_slots == 1 else slot_table
        return shown + html(table(self.instance, self.plan))


def percent(value: float) -> str:
    """A share as text, with digits enough for a gap."""
    digits = 4 if abs(value) < 1e-3 else 2
    return f"{100 * value:.{digits}f} %" if math.isfinite(value) else "-"
