"""Supplementary tables: parts side by side, ranks by reward, hard deadlines."""

from pathlib import Path
from typing import Any

from satedge.bench.report.hard_deadlines import hard_deadline_tables
from satedge.bench.report.parts import part_tables
from satedge.bench.report.ranks import discordant, reward_tables
from satedge.bench.run.rows import from_records
from satedge.bench.run.store import Store
from satedge.bench.score.stats import Interval
from satedge.bench.score.summary import Line
from support.toys import record_of

NAN = float("nan")


def line(
    group: str, method: str, family: str = "exact", budget_s: float = 1.0, **values: float
) -> Line:
    ends = Interval(NAN, NAN, NAN)
    head = (group, budget_s, method, family, False, False, 1, 2, 2, 2, {"done": 2}, (), ends)
    return Line(*head, **values)


def test_ranks_by_cost_and_by_reward() -> None:
    """Expensive slots decide the mean cost, cheap ones that of 1/C: the order may turn round."""
    lines = [
        line("g", "steady", "learned", cost=10.0, reward=2.0),
        line("g", "spiky", "learned", cost=20.0, reward=2.5),
        line("g", "poor", cost=40.0, reward=0.5),
        line("g", "worse", cost=50.0, reward=0.4),
    ]
    (table,) = reward_tables(lines)
    assert [row[0] for row in table.rows] == ["steady", "spiky", "poor", "worse"]
    assert tuple(table.rows[0][1:]) == (10.0, 1.0, 1.0, 2.0, 1.25, 2.0)
    assert tuple(table.rows[3][1:]) == (50.0, 5.0, 4.0, 0.4, 6.25, 4.0)
    assert table.caption.startswith("Of 6 pairs of methods 1 stand")


def test_ranks_need_learners() -> None:
    """Where nobody maximised a reward, nothing is said of it."""
    lines = [line("g", name, cost=1.0, reward=1.0) for name in "abcd"]
    assert reward_tables(lines) == []


def test_discordant_pairs() -> None:
    """The same order: none. The reverse of three: all three."""
    assert discordant([1, 2, 3], [3, 2, 1]) == 0
    assert discordant([1, 2, 3], [1, 2, 3]) == 3


def test_parts_side_by_side() -> None:
    """One row a method and one column a part, the largest budget of each; too few are left out."""
    lines = [
        line(part, method, excess=0.01 * i, deadline_misses=0.1, budget_s=b)
        for i, part in enumerate(("a", "b", "c"))
        for method in ("x", "y", "z")
        for b in (1.0, 2.0)
    ]
    lines.insert(0, line("a", "only here", excess=1.0))
    excess, misses = part_tables(lines)
    assert [c.head for c in excess.columns] == ["method", "a", "b", "c"]
    assert [row[0] for row in excess.rows] == ["x", "y", "z"]
    assert excess.rows[0][1:] == [0.0, 1.0, 2.0]
    assert misses.rows[1] == ["y", 10.0, 10.0, 10.0]
    assert part_tables([v for v in lines if v.group != "c"]) == []


def test_slots_are_counted_by_cause(tmp_path: Path) -> None:
    """Of four slots one has a plan, two have none, for two causes, and one is left open."""
    store = Store(tmp_path).make()
    ends: list[tuple[str, bool, dict[str, Any]]] = [
        ("optimal", True, {}),
        ("infeasible", False, {"cause": "interference"}),
        ("infeasible", False, {"cause": "execution"}),
        ("stopped", False, {}),
    ]
    rows = []
    for i, (status, feasible, certificate) in enumerate(ends):
        row = {
            "group": "g", "method": "hard", "settings": '{"hard": true}',
            "method_status": status, "status": "done", "feasible": feasible,
        }  # fmt: skip
        record = record_of(i, certificate, **row)
        store.write(record)
        rows.append(record["row"])
    rows.append({**rows[0], "key": "soft", "settings": "{}"})
    (table,) = hard_deadline_tables(store, from_records(rows))
    told = dict(zip((c.head for c in table.columns), table.rows[0], strict=True))
    assert (told["slots"], told["all met"], told["open"]) == (4.0, 1.0, 1.0)
    assert (told["interference"], told["execution"], told["power"]) == (1.0, 1.0, 0.0)
