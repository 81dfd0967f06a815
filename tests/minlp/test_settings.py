"""Settings and limits of methods are checked before anything is searched."""

import numpy as np
import pytest

from minlp.alternating.solve import alternate
from minlp.branch_and_bound.limits import Limits
from minlp.branch_and_bound.solve import solve
from satedge.problem.fields import FieldError
from support.worlds import world


@pytest.mark.parametrize(
    ("method", "settings", "told"),
    [
        (solve, {"gap": -1e-3}, "gap = -0.001: allowed is a number >= 0"),
        (solve, {"max_nodes": 10.0}, "max_nodes = 10.0: allowed is an integer >= 0"),
        (solve, {"hard": 1}, "hard = 1: allowed is true or false"),
        (solve, {"budget_s": float("nan")}, "budget_s = nan: allowed is a number"),
        (alternate, {"rounds": -1}, "rounds = -1: allowed is an integer >= 0"),
        (alternate, {"hope": np.inf}, "hope = inf: allowed is a number >= 0"),
    ],
)
def test_values_out_of_range_are_refused(method, settings, told):
    """In one line, with what is allowed; an infinite budget is fine."""
    with pytest.raises(FieldError) as caught:
        method(world("tiny", 0, n_slots=1), **{"budget_s": 1.0, "seed": 0} | settings)
    assert str(caught.value).startswith(told)
    assert Limits(budget_s=np.inf).budget_s == np.inf
