"""What methods do: who serves, at what powers, how far UAVs fly; read off their stored plans.

A policy may cost little and decide nothing. One whose powers, servers and flights would be the
same whatever it saw is marked as constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satedge.bench.run.record import plan_of
from satedge.bench.run.store import Store
from satedge.bench.score.summary import Line, by_comparison, rows_of
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import available, previous_positions

#: Spreads of powers and moves, and shares of requests, up to which nothing is decided.
CONSTANT_dB, CONSTANT_m, CONSTANT_SHARE = 0.5, 1.0, 0.01

#: Sent requests of a device from which on its powers have a spread.
LEAST_REQUESTS = 2


@dataclass(frozen=True)
class Deed:
    """A plan of a run."""

    instance: Instance
    plan: Plan
    seed: float


@dataclass(frozen=True)
class Behaviour:
    """Of all plans of one method; NaN where nothing can be said."""

    plans: int
    servers: tuple[float, ...]
    """(S,) Share of requests that each server takes, S the greatest number of servers."""
    by_uavs: float
    """Share of requests sent to UAVs."""
    by_satellites: float
    refused: float
    """Share of requests without a server."""
    power_spread_dB: float
    """Standard deviation over time of the powers of a device in an episode, mean of devices."""
    flown_m: float
    """Metres that a UAV flies in a slot, mean."""
    flight_spread_m: float
    """Standard deviation over time of a UAV's moves, mean of UAVs; in the area's inner part."""
    against_order: float
    """Share of servers chosen against a fixed order of preference of the device, at least."""
    agreement: float
    """Share of requests that two seeds send to the same server, mean of pairs of seeds."""

    @property
    def constant(self) -> bool:
        """Decisions do not depend on what is seen: powers and preferences hardly change.

        Nor do moves, unless of UAVs that serve nobody, to whom it makes no difference where they
        are. Nothing is said of plans of single slots, where nothing can change.
        """
        moves = self.by_uavs > CONSTANT_SHARE and self.flight_spread_m > CONSTANT_m
        orderly = self.against_order <= CONSTANT_SHARE
        return self.power_spread_dB <= CONSTANT_dB and orderly and not moves


def behaviours(store: Store, scored: pd.DataFrame, lines: Sequence[Line]) -> dict[int, Behaviour]:
    """Of every line that has plans, by its position among `lines`."""
    instance = lru_cache(maxsize=64)(store.instance)
    place = {id(line): i for i, line in enumerate(lines)}
    found = {}
    for group, part in by_comparison(lines):
        rows = scored[(scored["group"] == group) & scored["usable"]]
        for line in part:
            deeds = []
            for row in rows_of(line, rows).itertuples():
                plan = plan_of(store.read(row.key))
                if plan is not None:
                    deeds.append(Deed(instance(row.instance_sha256), plan, float(row.seed)))
            if deeds and line.family != "bound":
                found[place[id(line)]] = behaviour(deeds)
    return found


def behaviour(deeds: Sequence[Deed]) -> Behaviour:
    """What several plans have in common."""
    taken, by_uavs = _taken(deeds)
    shares, by_uavs = taken / max(taken.sum(), 1), by_uavs / max(taken.sum(), 1)
    flights = [_flights(d) for d in deeds]
    return Behaviour(
        plans=len(deeds),
        servers=tuple(float(share) for share in shares[1:]),
        by_uavs=by_uavs,
        by_satellites=float(shares[1:].sum()) - by_uavs,
        refused=float(shares[0]),
        power_spread_dB=_mean([_power_spread_dB(d) for d in deeds]),
        flown_m=_mean([flown for flown, _ in flights]),
        flight_spread_m=_mean([spread for _, spread in flights]),
        against_order=_against_order(deeds),
        agreement=_agreement(deeds),
    )


def _taken(deeds: Sequence[Deed]) -> tuple[NDArray[np.float64], float]:
    """(1 + S,) Requests refused, and those that each server takes; those that UAVs take."""
    counts, by_uavs = np.zeros(1 + max(d.instance.scenario.n_servers for d in deeds)), 0.0
    for deed in deeds:
        server = deed.plan.server[deed.instance.active]
        counts += np.bincount(server + 1, minlength=len(counts))
        to_uavs = (server >= 0) & (server < deed.instance.scenario.n_uavs)
        by_uavs += float(np.count_nonzero(to_uavs))
    return counts, by_uavs


def _power_spread_dB(deed: Deed) -> float:
    """Mean over devices; NaN where no device sends twice."""
    sent = deed.instance.active & (deed.plan.server >= 0) & (deed.plan.power_W > 0)
    spreads = []
    for k in range(sent.shape[1]):
        powers = deed.plan.power_W[sent[:, k], k]
        if len(powers) >= LEAST_REQUESTS:
            spreads.append(float(np.std(10 * np.log10(powers))))
    return _mean(spreads)


def _flights(deed: Deed) -> tuple[float, float]:
    """Metres flown per UAV and slot, and the spread of moves that the border does not cut short."""
    at = deed.plan.uav_xy_m
    if at.shape[1] == 0:
        return np.nan, np.nan
    moves = at - previous_positions(deed.instance, at)
    flown = float(np.hypot(moves[..., 0], moves[..., 1]).mean())
    side = deed.instance.scenario.area_side_m
    inside = np.asarray(((at > 0) & (at < side)).all(axis=-1))
    spreads = [float(moves[inside[:, m], m].std(axis=0).max()) for m in range(at.shape[1])
               if np.count_nonzero(inside[:, m]) >= LEAST_REQUESTS]  # fmt: skip
    return flown, _mean(spreads)


def _against_order(deeds: Sequence[Deed]) -> float:
    """Of requests with a choice, how many speak against any fixed order of servers, at least.

    Choosing a where b was available, and b where a was, are against each other: the fewer count.
    """
    k = max(d.instance.scenario.n_devices for d in deeds)
    s = max(d.instance.scenario.n_servers for d in deeds)
    preferred, choices = np.zeros((k, s, s)), 0.0
    for deed in deeds:
        open_to = available(deed.instance, deed.plan.uav_xy_m)
        chosen = deed.instance.active & (deed.plan.server >= 0) & (open_to.sum(axis=-1) > 1)
        choices += float(np.count_nonzero(chosen))
        for t, device in np.argwhere(chosen):
            others = open_to[t, device]
            preferred[device, deed.plan.server[t, device], : len(others)] += others
    against = np.minimum(preferred, preferred.swapaxes(1, 2))
    pairs = np.triu(against, 1).max(axis=(1, 2))
    return float(pairs.sum() / choices) if choices else np.nan


def _agreement(deeds: Sequence[Deed]) -> float:
    """Mean over instances and pairs of seeds; NaN where no instance was solved twice."""
    shares = []
    by_instance: dict[str, list[Deed]] = {}
    for deed in deeds:
        by_instance.setdefault(deed.instance.content_sha256, []).append(deed)
    for several in by_instance.values():
        active = several[0].instance.active
        for one, other in combinations(several, 2):
            if one.seed != other.seed and active.any():
                same = one.plan.server[active] == other.plan.server[active]
                shares.append(float(same.mean()))
    return _mean(shares)


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else np.nan
