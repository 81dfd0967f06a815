"""What the reward's shape does: the mean of 1/C against the mean of C.

The reward of eq. (34) is beta_r over a slot's cost. Its mean is beta_r over the harmonic mean of
the costs: cheap slots decide it, and a slot that costs a thousand times as much as another hardly
lowers it. beta_r itself multiplies all rewards alike and changes no rank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from satedge.bench.report.tables import Column, Table
from satedge.bench.score.summary import Line, by_comparison, label

#: Methods below which ranks say nothing.
LEAST = 4

_HEADS = ("mean cost", "factor", "rank", "mean reward", "factor of reward", "its rank")
COLUMNS = (Column("method"), *(Column(head, form=".4g") for head in _HEADS))


def reward_tables(lines: Sequence[Line]) -> list[Table]:
    """One table for each group with learners, of the methods that have plans everywhere."""
    return [e for group, part in by_comparison(lines) if (e := _table(group, part)) is not None]


def _table(group: str, lines: list[Line]) -> Table | None:
    whole = max(v.instances for v in lines)
    shown = [
        v for v in lines
        if v.plans == v.runs and v.instances == whole and v.family != "bound"
        and math.isfinite(v.cost + v.reward)
    ]  # fmt: skip
    if len(shown) < LEAST or not any(v.family == "learned" for v in shown):
        return None
    by_cost = sorted(shown, key=lambda v: v.cost)
    by_reward = sorted(shown, key=lambda v: -v.reward)
    place = {id(v): i + 1.0 for i, v in enumerate(by_reward)}
    least, most = by_cost[0].cost, by_reward[0].reward
    rows = [
        (label(v, lines), v.cost, v.cost / least, i + 1.0, v.reward, most / v.reward, place[id(v)])
        for i, v in enumerate(by_cost)
    ]
    swapped = discordant([v.cost for v in shown], [v.reward for v in shown])
    pairs = len(shown) * (len(shown) - 1) // 2
    return Table(
        COLUMNS,
        rows,
        f"{group}: ranks by cost and by reward",
        f"Of {pairs} pairs of methods {swapped} stand the other way round by reward. The reward is "
        "the mean over slots of beta_r / C: cheap slots decide it, expensive ones the mean cost. "
        "Where the reward's factor is less than the cost's, expensive slots are what the method "
        "loses by. Another beta_r multiplies every reward alike and changes no rank.",
        f"reward-{group}",
    )


def discordant(costs: Sequence[float], rewards: Sequence[float]) -> int:
    """Pairs that the two orders put the other way round: less cost ought to be more reward."""
    c, r = np.asarray(costs, float), np.asarray(rewards, float)
    wrong = np.sign(c[:, None] - c) * np.sign(r[:, None] - r) > 0
    return int(np.triu(wrong, 1).sum())
