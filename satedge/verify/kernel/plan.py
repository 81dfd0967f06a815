"""What a plan costs at most, judged by the verifier's own statement of the model; (2)-(30)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from satedge.verify.kernel import interval as iv
from satedge.verify.kernel.interval import Array, Interval
from satedge.verify.kernel.model import Index, Mask, Model, download_s, upload

#: As in docs/model.md, "Rounding".
KEPT = 1e-9


@dataclass(eq=False)
class Decision:
    """Servers (n,), -1 for a refusal, powers (n,) in W and positions (M, 2)."""

    server: Index
    power_W: Array
    uav_xy_m: Array


def cost_of(model: Model, plan: Decision) -> float:
    """Upper end of a plan's cost, summed over devices; NaN if it breaks a constraint."""
    n, m, s = model.n, model.m, model.scenario
    server, power, rows = plan.server, plan.power_W, np.arange(n)
    shapes = server.shape == power.shape == (n,) and plan.uav_xy_m.shape == (m, 2)
    if not shapes or ((server < -1) | (server >= s.n_servers)).any():
        return np.nan
    sends = server >= 0
    away2 = (Interval(model.place)[:, None] - plan.uav_xy_m).square().sum()  # (n, M)
    if not _keeps(model, plan, sends, away2):
        return np.nan
    to = np.where(sends, np.minimum(server, m), -1)
    gain = iv.exp(model.log_fading - iv.log(away2 + model.height2) * model.half)
    gains = iv.append(gain, iv.exp(model.log_satellite))  # (n, R)
    own = gains[rows, to]
    heard = Interval(gains.lo[:, to].T, gains.hi[:, to].T) * np.where(sends, power, 0.0)  # (k, j)
    w = iv.where(_disturbs(model, to), heard * model.leak / own[:, None], 0.0)
    load = np.bincount(server[sends], minlength=s.n_servers)[server]
    wait = model.wait_s[rows, server] * (load - 1.0)
    fixed = model.fixed[rows, server] + wait * model.latency
    spent = model.time_s[rows, server] + wait
    if m:
        down = download_s(model, gain, gain)[rows, np.clip(to, 0, m - 1)]
        down = iv.where(to < m, down, 0.0)
        fixed = fixed + down * (Interval(model.energy) * s.uav_power_W + model.latency)
        spent = spent + down
    p = iv.log(np.where(sends, power, 1.0))
    away = iv.where(to == m, model.propagation, 0.0)
    time, cost, _own, _parts = upload(
        model, model.load_s[rows, to], away, np.zeros(n), p, w, model.noise / own
    )
    late = iv.maximum(time + spent - model.finish_s[rows, server], 0.0)
    if model.hard and not (late.hi <= KEPT * model.finish_s[rows, server])[sends].all():
        return np.nan
    total = np.minimum((cost + fixed + late * model.late).hi, model.refusal.hi)
    return float(Interval(np.where(sends, total, model.refusal.hi)).sum().hi)


def _keeps(model: Model, plan: Decision, sends: Mask, away2: Interval) -> bool:
    """Whether a plan keeps all constraints but deadlines, to the referee's tolerance."""
    s, xy, power, server = model.scenario, plan.uav_xy_m, plan.power_W, plan.server
    wide, edge = 1 + KEPT, KEPT * s.area_side_m
    covered = np.insert(away2.lo, model.m, 0.0, -1)[np.arange(model.n), np.minimum(server, model.m)]
    step2 = (Interval(xy) - model.start).square().sum().lo
    gap2 = (Interval(xy)[:, None] - xy).square().sum().hi
    gap2 = np.where(np.eye(model.m, dtype=bool), np.inf, gap2)
    return bool(
        model.usable[np.arange(model.n), server].all()
        and (~sends | (server >= model.m) | (covered <= (s.uav_coverage_m * wide) ** 2)).all()
        and (step2 <= iv.up((s.uav_reach_m * wide) ** 2)).all()
        and ((xy >= -edge) & (xy <= s.area_side_m + edge)).all()
        and ((power >= s.power_min_W * (1 - KEPT)) | ~sends).all()
        and ((power <= s.power_max_W * wide) | ~sends).all()
        and (gap2 >= (s.uav_separation_m * (1 - KEPT)) ** 2).all()
    )


def _disturbs(model: Model, to: Index) -> Mask:
    """(n, n) whether device j disturbs device k; (8), (10)."""
    group = {"all": to * 0, "tier": to == model.m, "server": to}[model.scenario.interference_scope]
    return np.asarray((group[:, None] == group) & ~np.eye(len(to), dtype=bool) & (to >= 0))
