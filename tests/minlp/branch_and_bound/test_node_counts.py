"""How many nodes slots take: a search that grew slower does not land unnoticed.

Counts are deterministic on one machine; another one's exp and log may move a few nodes, so that a
suite's sum is compared, with room. After a change that is meant to move them, print the new ones:
`python -c "from test_node_counts import COUNTED, nodes; print([nodes(*c) for c in COUNTED])"`.
"""

import numpy as np
import pytest

from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve_slot, warm_up
from satedge.bench.study.suites import load_suite

#: (suite, relative gap) -> nodes of its first nine slots.
COUNTED = {
    ("slots", 1e-4): [95, 414, 51, 70, 68, 161, 105, 15, 652],
    ("slots-balanced", 1e-4): [3, 8, 4, 31, 1, 32, 15, 1, 9],
    ("contended", 1e-3): [27, 134, 21, 3, 62, 6, 13, 5, 146],
    ("contended-balanced", 1e-3): [20, 59, 36, 177, 49, 29, 78, 26, 152],
}

#: Share by which a suite's sum may differ from what is written here, either way.
ROOM = 0.15


def nodes(suite, gap):
    """Nodes of the first slots of a suite, each solved to the gap."""
    limits = Limits(gap=gap, budget_s=np.inf)
    found = [solve_slot(slot, 0, limits) for slot in load_suite(suite)[:9]]
    assert all(outcome.status == "optimal" for outcome in found)
    return [outcome.certificate["nodes"] for outcome in found]


@pytest.mark.parametrize(("suite", "gap"), COUNTED)
def test_slots_take_as_many_nodes_as_they_did(suite, gap):
    """Neither more, which is a loss, nor far fewer, which belongs into the table."""
    warm_up()
    assert sum(nodes(suite, gap)) == pytest.approx(sum(COUNTED[suite, gap]), rel=ROOM)
