"""Tightening the relaxation where its LP solution cheats: tangents at that very point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn import generate_standard_repn
from scipy import sparse

from minlp.milp.duals import LinearProgram, Solver
from minlp.milp.model import add_stretch, add_tangents
from minlp.milp.pairs import Pair
from minlp.milp.tangents import tangent_energy, tangent_power
from minlp.p1.common import UNIT_M

Array = NDArray[np.float64]

#: Pairs of less weight in the LP point cheat by too little to be told from its tolerance.
LEAST_WEIGHT = 1e-4

#: Relative amount by which a curve must be missed to deserve a row.
MISS = 1e-4


def refine(model: pyo.ConcreteModel, solver: Solver, x: Array) -> bool:
    """Add rows at the LP point x (n,) to model and solver; False where none was needed."""
    program = solver.program
    before = len(model.cuts)

    def value(variable: Any) -> float:
        return float(x[program.column[id(variable)]])

    for key, pair in model.pairs.items():
        weight = value(model.x[key])
        if weight < LEAST_WEIGHT:
            continue
        upload_s = float(np.clip(value(model.upload_s[key]) / weight, *pair.upload_s))
        if _curves_missed(model, key, pair, weight, upload_s, value):
            add_tangents(model, key, upload_s)
        if pair.stretch > 1 and weight > 0.5:
            _stretch_where_missed(model, key, weight, value)
    rows = [model.cuts[i] for i in range(before + 1, len(model.cuts) + 1)]
    if rows:
        solver.add_rows(*_as_rows(program, rows))
    return bool(rows)


def _curves_missed(
    model: Any, key: tuple[int, int], pair: Pair, weight: float, upload_s: float, value: Any
) -> bool:
    """Whether power, energy or capacity share lie below their curves at the upload time."""
    power = tangent_power(pair.load_s, pair.gain, upload_s).at(upload_s)
    energy = tangent_energy(pair.load_s, pair.gain, upload_s).at(upload_s)
    missed = value(model.free_W[key]) < weight * power * (1 - MISS)
    missed |= value(model.free_J[key]) < weight * energy * (1 - MISS)
    if key in model.envelope:
        line = model.envelope[key].at(upload_s)
        missed |= value(model.share[key]) < weight * line.at(upload_s) - MISS
    return bool(missed)


def _stretch_where_missed(model: Any, key: tuple[int, int], weight: float, value: Any) -> None:
    """A tangent of delta at the LP's position, where delta is too small there."""
    k, m = key
    terms = model.terms
    xy_m = UNIT_M * np.array([value(model.xy[m, axis]) for axis in (0, 1)])
    away = xy_m - terms.instance.device_xy_m[0, k]
    square = float(away @ away + terms.instance.uav_altitude_m[0, m] ** 2)
    ratio = square / float(terms.squared_low_m2[k, m])
    true = ratio ** (terms.scenario.path_loss_exponent / 2)
    if value(model.stretch[key]) < true - pair_slack(model, key) * (1 - weight) - MISS * true:
        add_stretch(model, key, xy_m)


def pair_slack(model: Any, key: tuple[int, int]) -> float:
    """By how much rows of delta relax where the pair is not chosen."""
    return float(model.pairs[key].stretch)


def _as_rows(program: LinearProgram, rows: list[Any]) -> tuple[sparse.csr_matrix, Array]:
    """Pyomo rows `body >= low` in the program's columns; lower ends in the second array."""
    data, column, start, low = [], [], [0], []
    for row in rows:
        form = generate_standard_repn(row.body, compute_values=True)
        sign = 1.0 if row.lower is not None else -1.0
        data += [sign * float(c) for c in form.linear_coefs]
        column += [program.column[id(v)] for v in form.linear_vars]
        start.append(len(data))
        end = row.lower if row.lower is not None else row.upper
        low.append(sign * (float(pyo.value(end)) - float(form.constant)))
    shape = (len(rows), len(program.objective))
    matrix = sparse.csr_matrix((data, column, start), shape=shape)
    return matrix, np.array(low)
