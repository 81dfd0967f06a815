"""Linear programs by HiGHS, and bounds from their duals that hold whatever the solver did.

For min c'x, a <= A x <= b, l <= x <= u and ANY y, with r = c - A'y,

    c'x >= sum_i (y_i a_i if y_i > 0 else y_i b_i) + sum_j min(r_j l_j, r_j u_j)

for every feasible x (Neumaier and Shcherbina, Math. Programming 99, 2004). The right side is
computed in floating point and lowered by a bound on its rounding error. With c = 0 a positive
value proves that nothing is feasible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy import sparse

from minlp.p1.solvers import call

Array = NDArray[np.float64]

#: Of double precision, IEEE 754.
UNIT_ROUNDOFF = 2.0**-53

#: Relative amount by which a claimed optimum may exceed what its multipliers prove.
DISAGREEMENT = 1e-5


@dataclass(eq=False)
class LinearProgram:
    """min c'x + offset over row_low <= A x <= row_high, low <= x <= high. Rows may be added."""

    objective: Array  # (n,)
    offset: float
    matrix: sparse.csr_matrix  # (rows, n)
    row_low: Array
    row_high: Array
    low: Array  # (n,) finite
    high: Array
    column: dict[int, int]
    """id of a Pyomo variable -> its column."""

    @classmethod
    def of(cls, model: pyo.ConcreteModel) -> LinearProgram:
        """The LP relaxation of a Pyomo model whose variables are all bounded."""
        form = LinearStandardFormCompiler().write(model, mixed_form=True)
        side, sense = np.asarray(form.rhs, float), np.array([r.bound_type for r in form.rows])
        return cls(
            objective=np.asarray(form.c.todense(), float).ravel(),
            offset=float(np.asarray(form.c_offset).ravel()[0]),
            matrix=sparse.csr_matrix(form.A),
            row_low=np.where(sense <= 0, side, -np.inf),
            row_high=np.where(sense >= 0, side, np.inf),
            low=np.array([v.lb for v in form.columns], float),
            high=np.array([v.ub for v in form.columns], float),
            column={id(v): j for j, v in enumerate(form.columns)},
        )

    def safe_bound(self, y: Array, low: Array, high: Array, costs: bool = True) -> float:
        """The bound above from any multipliers y (rows,), for columns within low..high (n,).

        With `costs=False` c = 0: a positive result proves that no point is feasible.
        """
        if not np.isfinite(y).all():
            return -np.inf
        open_side = ((y > 0) & np.isinf(self.row_low)) | ((y < 0) & np.isinf(self.row_high))
        y = np.where(open_side, 0.0, y)
        side = np.where(y > 0, self.row_low, np.where(y < 0, self.row_high, 0.0))
        c = self.objective if costs else np.zeros_like(self.objective)
        reduced = c - self.matrix.T @ y
        # absolute sums of all products; each sum of m terms errs by less than (m + 2) roundoffs
        terms = np.abs(c) + abs(self.matrix).T @ np.abs(y)
        farthest = np.maximum(np.abs(low), np.abs(high))
        least = np.minimum(reduced * low, reduced * high)
        products = y * side
        size = np.abs(products).sum() + (terms * farthest).sum() + abs(self.offset)
        roundoffs = 2 * (sum(self.matrix.shape) + 8) * UNIT_ROUNDOFF
        bound = products.sum() + least.sum() + (self.offset if costs else 0.0)
        return float(bound - roundoffs * size)


@dataclass(frozen=True, eq=False)
class LpAnswer:
    """What an LP told: a certified bound, and a point if the solver has one."""

    bound: float
    """Certified; inf when infeasibility is proven, -inf when nothing is."""
    claimed: float
    """The solver's own optimum; inf when it claims infeasibility, NaN when it claims nothing."""
    x: Array | None
    fault: str = ""
    """What was wrong with the solver's answer; empty where nothing was."""


class Solver:
    """HiGHS holding one LP; columns' bounds change from solve to solve and rows are added."""

    def __init__(self, program: LinearProgram) -> None:
        self.program = program
        self._highs: Any = highspy.Highs()
        self._highs.setOptionValue("output_flag", False)
        self._highs.setOptionValue("threads", 1)
        self._load()

    def _load(self) -> None:
        p, lp = self.program, highspy.HighsLp()
        lp.num_col_, lp.num_row_ = p.matrix.shape[1], p.matrix.shape[0]
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = p.objective, p.low, p.high
        lp.row_lower_, lp.row_upper_, lp.offset_ = p.row_low, p.row_high, p.offset
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = p.matrix.indptr
        lp.a_matrix_.index_ = p.matrix.indices
        lp.a_matrix_.value_ = p.matrix.data
        self._highs.passModel(lp)

    def add_rows(self, rows: sparse.csr_matrix, low: Array) -> None:
        """Add rows `rows x >= low`."""
        p = self.program
        p.matrix = sparse.csr_matrix(sparse.vstack([p.matrix, rows]))
        p.row_low = np.append(p.row_low, low)
        p.row_high = np.append(p.row_high, np.full(len(low), np.inf))
        rows = sparse.csr_matrix(rows)
        self._highs.addRows(
            len(low), low, np.full(len(low), np.inf), rows.nnz,
            rows.indptr[:-1].astype(np.int32), rows.indices.astype(np.int32), rows.data,
        )  # fmt: skip

    def solve(self, low: Array, high: Array, limit_s: float) -> LpAnswer:
        """The LP with these column bounds, by dual simplex from the last basis.

        Whatever the solver does, the answer is a true bound and says what was wrong.
        """
        try:
            status = self._run(low, high, limit_s)
            if status == highspy.HighsModelStatus.kOptimal:
                return self._optimal(low, high)
            if status == highspy.HighsModelStatus.kInfeasible:
                proven = self._proves_infeasible(low, high)
                fault = "" if proven else "infeasibility that no ray proves"
                return LpAnswer(np.inf if proven else -np.inf, np.inf, None, fault)
        except Exception as error:  # a solver may raise anything; its bound is then none
            return LpAnswer(-np.inf, np.nan, None, f"crashed: {error!r}")
        late = status == highspy.HighsModelStatus.kTimeLimit
        return LpAnswer(-np.inf, np.nan, None, "" if late else f"no answer: {status.name}")

    def _run(self, low: Array, high: Array, limit_s: float) -> Any:
        """The status of the model after a run."""
        n = len(low)
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + max(limit_s, 0.01))
        self._highs.changeColsBounds(n, np.arange(n, dtype=np.int32), low, high)
        self._highs.run()
        return self._highs.getModelStatus()

    def _optimal(self, low: Array, high: Array) -> LpAnswer:
        """The answer to a claimed optimum: its multipliers prove what they prove."""
        solution = self._highs.getSolution()
        x, y = np.array(solution.col_value), np.array(solution.row_dual)
        claimed = float(self._highs.getInfo().objective_function_value)
        bound = self.program.safe_bound(y, low, high)
        fault = "" if np.isfinite(x).all() else "a point that is not finite"
        if not claimed - bound <= DISAGREEMENT * (1 + abs(claimed)):
            fault = f"claims {claimed!r}, its multipliers prove {bound!r}"
        return LpAnswer(bound, claimed, x if np.isfinite(x).all() else None, fault)

    def _proves_infeasible(self, low: Array, high: Array) -> bool:
        """Whether the solver's dual ray, or its negative, proves it."""
        ray = self._ray()
        if ray is None:
            return False
        return any(
            self.program.safe_bound(sign * ray, low, high, costs=False) > 0 for sign in (1.0, -1.0)
        )

    def _ray(self) -> Array | None:
        _, known, ray = self._highs.getDualRay()
        if not known:
            return None
        return np.array(ray, float)


def milp_claim(model: Any, limit_s: float) -> tuple[float | None, float | None]:
    """(cost, bound) that HiGHS claims for the MILP, through Pyomo; the variables hold its point.

    None where it claims nothing. Recorded only.
    """
    claim = call(model, "highs", limit_s, 0, {})
    return claim.cost, claim.bound
