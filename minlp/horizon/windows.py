"""Joint bounds on windows of consecutive slots, where motion makes a plan cost more than its slots.

The mean of slot bounds lets every slot be reached from the start. Where a slot costs more in the
known plan than alone, that is loose: a window around it is bounded by a chain of leaves
(`chain`), which knows how far UAVs fly from slot to slot. Windows are disjoint, so what each adds
over its slots' bounds adds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minlp.horizon.chain import chain_bound, chain_of
from minlp.horizon.episode import wide_data
from minlp.slot.data import Array, forgiving
from satedge.problem import clock
from satedge.problem.instance import Instance

#: A slot more expensive by this share than alone is worth a window.
REGRET = 1e-4

#: Slots of a window at most; longer runs are cut.
LONGEST = 6

#: Rounding of sums of slot costs, relative.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Window:
    """Slots first..last and what they cost together in any plan, a mean over devices."""

    first: int
    last: int
    lower_bound: float
    gain: float
    """What it adds to the sum of slot bounds."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"first": self.first, "last": self.last, "lower_bound": self.lower_bound}


def window_bounds(
    instance: Instance,
    slot_costs: Array,
    slot_bounds: Array,
    alone: Array,
    gap: float,
    seconds_per_slot: float,
    stop_at: float,
) -> list[Window]:
    """Windows that raise the sum of slot bounds (T,), given the plan's costs (T,), all per device.

    `alone` (T,) is what slots cost at least by the best plans found for each, NaN where unknown.
    The greatest regrets come first.
    """
    regret = np.nan_to_num(slot_costs - alone)
    found = []
    for first, last in sorted(
        windows(regret, slot_costs, slot_bounds),
        key=lambda w: -float(regret[w[0] : w[1] + 1].sum()),
    ):
        until = min(stop_at, clock.now() + seconds_per_slot * (last - first + 1))
        if clock.now() < until:
            window = _bounded(instance, first, last, slot_costs, slot_bounds, gap, until)
            if window.gain > 0:
                found.append(window)
    return found


def windows(regret: Array, slot_costs: Array, slot_bounds: Array) -> list[tuple[int, int]]:
    """First and last slots of disjoint windows around slots that motion makes more expensive.

    Where a slot's own bound misses more than motion costs, time is better spent on that bound.
    """
    tight = slot_costs - slot_bounds <= 2 * regret
    wanted = (regret > REGRET * slot_costs) & tight
    around = wanted.copy()
    around[1:] |= wanted[:-1]
    around[:-1] |= wanted[1:]
    return [run for run in _runs(around) if run[1] > run[0]]


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of true entries, cut to the longest that is allowed."""
    slots = np.flatnonzero(flags)
    runs = np.split(slots, np.flatnonzero(np.diff(slots) > 1) + 1)
    return [
        (int(part[0]), int(part[-1]))
        for run in runs
        for part in np.array_split(run, -(-len(run) // LONGEST) or 1)
        if len(part)
    ]


def _bounded(
    instance: Instance,
    first: int,
    last: int,
    slot_costs: Array,
    slot_bounds: Array,
    gap: float,
    until: float,
) -> Window:
    devices, slots = instance.scenario.n_devices, slice(first, last + 1)
    chain = chain_of(
        [
            forgiving(wide_data(instance, t), instance.deadline_s[t, instance.active[t]])
            for t in range(first, last + 1)
        ],
        slot_costs[slots] * devices,
        slot_bounds[slots] * devices,
        instance.scenario.uav_reach_m,
        gap,
    )
    bound = chain_bound(chain, gap, until) / devices * (1 - ROUNDING)
    return Window(first, last, bound, bound - float(slot_bounds[slots].sum()))
