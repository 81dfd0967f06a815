"""Deadlines as constraints: the price of an overrun, and the cause where none can be avoided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minlp.branch_and_bound.presolve import lone_costs
from minlp.slot.data import Array, SlotData

#: A second of overrun costs as much as this many seconds or joules.
HARD_PRICE = 1e6

#: Local steps aim this much before a deadline.
HASTE_S = 1e-7


def hard_data(data: SlotData) -> tuple[SlotData, SlotData]:
    """(data for bounds, data for local steps) with overruns priced out of the question.

    Nobody is refused who has a server. Local steps aim a little before the deadline, so that what
    they find meets the deadlines for the referee in spite of rounding.
    """
    price = HARD_PRICE * max(data.latency_weight, data.energy_weight, 1e-12)
    served = np.maximum(data.n_options - 1, 1)  # the last option is to refuse
    bounds = replace(data, overrun_weight=price, n_options=served)
    return bounds, replace(bounds, slack_s=data.slack_s - HASTE_S)


def punctual_ceiling(data: SlotData) -> float:
    """No plan that misses no deadline costs more: uploads take all of their slack at full power."""
    slack_s = np.maximum(data.slack_s, 0.0)
    power_W = np.exp(data.log_power_max)
    joules = power_W * (slack_s + data.propagation_s.max(initial=0.0))
    down_s = np.where(np.isfinite(slack_s), slack_s, 0.0)
    cost = data.fixed_cost + data.latency_weight * slack_s + data.energy_weight * joules
    cost += data.energy_weight * data.uav_power_W * down_s
    real = (np.arange(data.fixed_cost.shape[1]) < data.n_options[:, None]) & np.isfinite(slack_s)
    worst = np.where(real, cost, 0.0).max(axis=1)
    return float(worst.sum() * (1 + 1e-9)) + 1e-9


def cause_of_lateness(data: SlotData, boxes: Array) -> tuple[str, list[int]]:
    """Why no plan meets all deadlines, and whose fault it is.

    "unservable": a request has no server; "execution": execution or the window leave no time;
    "power": full power without interference is too slow; "interference" otherwise.
    """
    n = len(data.n_options)
    options = [range(int(data.n_options[k])) for k in range(n)]
    unserved = [k for k in range(n) if all(data.server[k, o] < 0 for o in options[k])]
    if unserved:
        return "unservable", unserved
    slack = [
        max(data.slack_s[k, o] for o in options[k] if data.server[k, o] >= 0) for k in range(n)
    ]
    if min(slack) <= 0:
        return "execution", [k for k in range(n) if slack[k] <= 0]
    expensive = lone_costs(data, boxes).min(axis=1) > punctual_ceiling(data)
    if expensive.any():
        return "power", [int(k) for k in np.flatnonzero(expensive)]
    return "interference", list(range(n))
