"""The comparison of methods: a table a group, and a selection of columns for each form.

Columns that say nothing in a group are left out of its table. CSV has every column, in one table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from satedge.bench.report.tables import NONE, Cell, Column, Table, Value
from satedge.bench.score.claims.paper import Claim
from satedge.bench.score.score import DEFINITIONS
from satedge.bench.score.summary import COLUMNS, Line, by_comparison, label

#: What fits a terminal, a paper's page, a README and a screen.
TERMINAL = (
    "cost", "cost_median", "cost_worst", "excess", "over_hindsight", "gap", "own_gap",
    "deadline_misses", "time_s",
)  # fmt: skip
PAPER = (
    "cost", "cost_median", "cost_worst", "excess", "interval", "over_hindsight", "gap",
    "controllable_gap", "latency_s", "energy_J", "deadline_misses", "time_s",
)  # fmt: skip
README = (
    "cost", "cost_median", "cost_worst", "excess", "interval", "over_hindsight",
    "excess_over_floor", "gap", "controllable_gap", "own_gap", "latency_s", "energy_J",
    "deadline_misses", "refused",
    "outages", "resampled", "cost_without_resampled", "time_s",
)  # fmt: skip
PAGE = (
    "cost", "cost_median", "cost_worst", "excess", "interval", "over_hindsight",
    "excess_over_floor", "gap", "gap_max", "controllable_gap", "own_gap", "normalised",
    "latency_s", "energy_J", "reward",
    "deadline_misses", "refused", "outages", "feasible", "resampled", "cost_without_resampled",
    "primal_s", "time_s", "time_per_slot_s", "peak_MB",
)  # fmt: skip

#: Columns of the page that fit a screen of 1400 pixels; the others show on demand.
SCREEN = (
    "cost", "excess", "interval", "over_hindsight", "excess_over_floor", "gap", "own_gap",
    "deadline_misses", "refused", "time_s",
)  # fmt: skip

#: What a narrow terminal leaves out, the greatest first.
SPARE = {"cost_median": 5, "cost_worst": 4, "own_gap": 3, "over_hindsight": 2, "deadline_misses": 1}

#: Columns in which the greatest value is the best.
MORE_IS_BETTER = ("reward", "feasible", "bound")

#: Columns of the CSV that say which line it is.
IDENTITY = (
    "group", "budget_s", "method", "family", "hindsight", "seeds", "instances", "runs", "plans",
)  # fmt: skip


def comparison(
    lines: Sequence[Line], names: Sequence[str], remarks: bool = True, kind: bool = False
) -> list[Table]:
    """A table for each group, best method first, with the named columns that say something.

    `remarks` adds a column of statuses and the like, `kind` the family of each method.
    """
    return [_group(group, part, names, remarks, kind) for group, part in by_comparison(lines)]


def _group(
    group: str, lines: list[Line], names: Sequence[str], with_remarks: bool, with_kind: bool
) -> Table:
    columns = [Column("method")]
    columns += [Column("kind", page="side")] * with_kind
    columns.append(
        Column("plans", form="d", page="side", doc="runs with an admissible plan, of all")
    )
    measures = [c for n in names if (c := _measure(n, lines)) is not None]
    columns += [column for _, column in measures]
    columns += [Column("remarks", page="fold")] * with_remarks
    rows = []
    for line in lines:
        row: list[Value] = [label(line, lines)]
        row += [Cell(line.family, line.family, f"kind {line.family}")] * with_kind
        row.append(_plans(line))
        row += [_value(name, line) for name, _ in measures]
        row += [_remarks(line, lines)] * with_remarks
        rows.append(row)
    return Table(columns, rows, _title(group, lines), name=group)


def _plans(line: Line) -> Cell:
    """Of how many runs there is a plan; nothing of methods that only give bounds."""
    bound_only = line.family == "bound" and not line.plans
    return Cell(NONE) if bound_only else Cell(f"{line.plans}/{line.runs}", line.plans)


def _measure(name: str, lines: list[Line]) -> tuple[str, Column] | None:
    """A column with its best value marked; None where no line has anything to say."""
    page = " ".join(["more"] * (name not in PAPER) + ["extra"] * (name not in SCREEN))
    if name == "interval":
        column = Column("interval of excess %", form="s", doc=DEFINITIONS["interval"], page=page)
    else:
        meta = COLUMNS[name]
        here = name == "excess" and lines[0].reference == "study"
        head, doc = ["over best here"] * 2 if here else (meta["head"], meta["doc"])
        column = Column(head, meta["unit"], meta["form"], DEFINITIONS[doc], page=page)
        column = replace(column, best=_best(name, column, lines), spare=SPARE.get(name, 0))
    if all(column.cell(_value(name, line)).text == NONE for line in lines):
        return None
    return name, column


def _value(name: str, line: Line) -> Value:
    """What stands in a line's cell; of "interval" the bootstrap interval of the excess."""
    if name != "interval":
        return float(getattr(line, name))
    found = line.excess_interval
    low, high = (round(100 * v, 3) + 0.0 for v in (found.low, found.high))
    if not math.isfinite(found.low) or low == high == 0:
        return math.nan
    return Cell(f"[{low:.4g}, {high:.4g}]", found.low)


def _best(name: str, column: Column, lines: Sequence[Line]) -> str:
    """The best value of a column as shown, of methods with every plan; '' where one is alone."""
    whole = max(v.instances for v in lines)
    complete = [v for v in lines if v.plans == v.runs and v.instances == whole]
    finite = [x for v in complete if math.isfinite(x := getattr(v, name))]
    choose = max if name in MORE_IS_BETTER else min
    return column.number(choose(finite)) if len(finite) > 1 else ""


def _title(group: str, lines: Sequence[Line]) -> str:
    """What a comparison is about."""
    runs = sorted({v.runs for v in lines})
    count = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    budgets = sorted({v.budget_s for v in lines})
    each = " or ".join(f"{b:g}" for b in budgets)
    clock = " of processor time" if any(v.cpu_clock for v in lines) else ""
    earlier = ", judged by an earlier cost" if any(v.earlier_cost for v in lines) else ""
    return f"{group}: {count} runs a method, {each} s{clock} each{earlier}"


def _remarks(line: Line, lines: Sequence[Line]) -> str:
    """Statuses other than done, what it ran on if not on all, whether it sees the future, and
    whether it waited for a core."""
    whole = max(v.instances for v in lines)
    parts = [f"{line.instances} of {whole} instances"] if line.instances < whole else []
    parts += [f"{n} {status}" for status, n in line.troubles.items()]
    if line.hindsight:
        parts.append("hindsight")
    if line.contended > 0:
        parts.append("waited")
    return ", ".join(parts)


def all_columns(lines: Sequence[Line]) -> Table:
    """Every column of every line, for CSV."""
    names = (*IDENTITY, *COLUMNS)
    heads = (*names, "excess_low", "excess_high", "statuses")
    rows = [
        (
            *(getattr(line, n) for n in names),
            line.excess_interval.low,
            line.excess_interval.high,
            "; ".join(f"{status}={n}" for status, n in line.statuses.items()),
        )
        for line in lines
    ]
    return Table([Column(head) for head in heads], rows, name="comparison")


CLAIMS = (
    "Verdicts follow from 95 % intervals, of ratios of means less 1 unless the column says other. "
    "An order is reproduced where every interval lies above 0, contradicted where one is shown to "
    "lie below it (Holm) or within 3 % of it, else inconclusive; a number is reproduced where the "
    "interval lies within 3 points of it. Fitted: the calibration of the catalogue asks for it. "
    "Final: at the last epoch, on validation episodes, seeds drawn. Selected: the policies chosen "
    "by validation cost, on the episodes of the study, seeds and episodes drawn; of figures 5 to 7 "
    "there is no other, since policies of the last epoch are not kept."
)


def claims_table(stated: Sequence[Claim]) -> Table:
    """The paper's statements and ours."""
    columns = (
        Column("figure"),
        Column("the paper states", page="long"),
        Column("measured as", page="long"),
        Column("policies"),
        Column("here", page="long"),
        Column("verdict"),
    )
    rows = [(c.figure, c.paper, c.how, c.policies, c.ours, c.verdict) for c in stated]
    return Table(columns, rows, caption=CLAIMS, name="claims")


def claim_parts(stated: Sequence[Claim]) -> Table:
    """Every comparison behind the verdicts, for CSV."""
    heads = ("figure", "statement", "policies", "verdict", "study", "comparison", "unit")
    rows = [
        (c.figure, c.paper, c.policies, c.verdict, c.study, p.name, p.unit,
         p.ratio.difference.value, p.ratio.difference.low, p.ratio.difference.high, p.ratio.p)
        for c in stated
        for p in c.parts
    ]  # fmt: skip
    more = ("estimate", "low", "high", "p")
    return Table([Column(head) for head in (*heads, *more)], rows, name="claims-parts")
