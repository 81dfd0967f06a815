"""Tables that supplement the comparison: parts, times, hard deadlines, ranks, pairs, behaviour."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from satedge.bench.report.behaviour import behaviour_tables
from satedge.bench.report.frontier import frontier_tables
from satedge.bench.report.hard_deadlines import hard_deadline_tables
from satedge.bench.report.pairwise import pair_tables
from satedge.bench.report.parts import part_tables
from satedge.bench.report.ranks import reward_tables
from satedge.bench.report.tables import Table
from satedge.bench.run.store import Store
from satedge.bench.score.summary import Line


def supplementary(store: Store, scored: pd.DataFrame, lines: Sequence[Line]) -> list[Table]:
    """All that the study has data for."""
    return [
        *part_tables(lines),
        *frontier_tables(scored, lines),
        *hard_deadline_tables(store, scored),
        *reward_tables(lines),
        *pair_tables(scored, lines),
        *behaviour_tables(store, scored, lines),
    ]
