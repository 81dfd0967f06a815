"""Cost against decision time: who is compared, who is finished, and who is on the front."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from satedge.bench.report.frontier import frontier_tables
from satedge.bench.report.tables import csv
from satedge.bench.run.rows import SCHEMA
from satedge.bench.score.frontier import FINISHED, places
from satedge.bench.score.score import score
from satedge.bench.score.summary import by_comparison, summarise


def rows(*methods: dict[str, object]) -> pd.DataFrame:
    """Two instances a method; a cost of 10 is the least."""
    usual = {c.name: np.nan for c in SCHEMA}
    usual |= {
        "family": "heuristic", "settings": "{}", "seed": 0, "budget_s": 10.0, "n_slots": 100,
        "status": "done", "admissible": True, "hindsight": False, "cpu_clock": False,
        "contended": False, "group": "g", "reason": "", "cost_version": 2, "requests": 10,
        "method_status": "feasible", "floor": 0.0, "violations": "", "key": "k",
    }  # fmt: skip
    told = [
        usual | {"instance": f"i{i}", "instance_sha256": f"i{i}", **method}
        for method in methods
        for i in range(2)
    ]
    return score(pd.DataFrame(told))


def test_the_front_is_of_causal_methods_with_all_plans() -> None:
    """Dominated ones, those that know later slots, bounds and failures are not on it."""
    scored = rows(
        {"method": "quick", "cost": 12.0, "wall_s": 0.1, "family": "learned"},
        {"method": "finished", "cost": 11.0, "wall_s": 0.5, "settings": '{"finish": "powers"}'},
        {"method": "beaten", "cost": 11.5, "wall_s": 0.6},
        {"method": "best", "cost": 10.0, "wall_s": 5.0, "family": "exact"},
        {"method": "as slow", "cost": 10.0, "wall_s": 6.0},
        {"method": "seer", "cost": 9.0, "wall_s": 0.2, "hindsight": True},
        {"method": "broken", "cost": 9.0, "wall_s": 0.2, "status": "crashed"},
    )
    ((_, lines),) = by_comparison(summarise(scored))
    found = places(lines, scored)
    assert [p.name for p in found] == ["quick", "finished", "beaten", "best", "as slow"]
    assert [p.name for p in found if p.front] == ["quick", "finished", "best"]
    assert [p.kind for p in found] == ["learned", FINISHED, "heuristic", "exact", "heuristic"]
    assert [p.time_s.value for p in found] == pytest.approx([1e-3, 5e-3, 6e-3, 0.05, 0.06])
    assert found[0].excess.value == pytest.approx(0.2)
    (table,) = frontier_tables(scored, lines)
    assert len(table.rows) == 5
    assert csv(table).splitlines()[1].startswith("quick,learned,1.0")
