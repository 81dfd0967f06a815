"""The referee: the only cost and the only feasibility. Section 3 of the paper, eqs. (1)-(31).

`judge` takes any plan, or a stack of plans, and computes what happens. It never repairs: a plan
that breaks a constraint is told which, where and by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satedge.problem.constraints import (
    TOLERANCE,
    available,
    ground_squared_m2,
    kept,
    pick,
    violations,
)
from satedge.problem.instance import Instance
from satedge.problem.plan import NO_SERVER, Plan, PlanError

__all__ = [
    "COST_VERSION",
    "TOLERANCE",
    "Verdict",
    "available",
    "fitted",
    "judge",
    "previous_positions",
    "uav_downlink_sinr",
    "uav_gains",
    "uplink_sinr",
]

#: Raised by every change that alters what a plan costs: from 2 on outages are bounded.
COST_VERSION = 2

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """What a plan does. Arrays have the plan's leading axes, written '...'."""

    upload_s: Array
    """(..., T, K) Device to receiver, with propagation. Eqs. (12), (19)."""
    execute_s: Array
    """(..., T, K) Eqs. (14), (22), times the sharing requests where compute is shared."""
    relay_s: Array
    """(..., T, K) Inter-satellite links, both ways."""
    download_s: Array
    """(..., T, K) Receiver to device, with propagation. Eqs. (16), (24)."""
    upload_J: Array
    """(..., T, K) Paid by the sender, propagation included. Eqs. (13), (21)."""
    execute_J: Array
    """(..., T, K) Of an unshared execution. Eqs. (15), (23)."""
    relay_J: Array
    """(..., T, K) Paid by the sending satellites. Eqs. (21), (25)."""
    download_J: Array
    """(..., T, K) Paid by the answering UAV or satellite. Eqs. (17), (25)."""
    overrun_s: Array
    """(..., T, K) Latency beyond the deadline or, on satellites, beyond the window."""
    device_cost: Array
    """(..., T, K) Elastic cost, at most C_out of `Instance.outage_cost`; 0 when idle."""
    refused: NDArray[np.bool_]
    """(..., T, K) Requests without a server: they cost C_out."""
    outage: NDArray[np.bool_]
    """(..., T, K) Sent, but the elastic cost exceeds C_out, which is what they cost instead."""
    violations: dict[str, Array]
    """Name of a constraint -> (..., T) greatest amount by which the slot breaks it, 0 if kept."""

    def __repr__(self) -> str:
        if self.cost.ndim:
            return f"<Verdict on plans {self.cost.shape}>"
        told = [f"cost {self.cost:.6g}"]
        counts = {"deadline misses": self.missed, "refused": self.refused, "outages": self.outage}
        told += [f"{int(found.sum())} {name}" for name, found in counts.items()]
        worst = {name: float(amount.max()) for name, amount in self.violations.items()}
        told += [f"breaks {name} by {amount:g}" for name, amount in worst.items() if amount > 0]
        return f"<Verdict {', '.join(told)}>"

    @property
    def latency_s(self) -> Array:
        """(..., T, K) T_k, eq. (29)."""
        return self.upload_s + self.execute_s + self.relay_s + self.download_s

    @property
    def energy_J(self) -> Array:
        """(..., T, K) E_k, eq. (30)."""
        return self.upload_J + self.execute_J + self.relay_J + self.download_J

    @property
    def slot_cost(self) -> Array:
        """(..., T) Mean over all K devices of their costs."""
        return self.device_cost.mean(axis=-1)

    @property
    def cost(self) -> Array:
        """(...) Mean over slots and devices: the objective of P1, eq. (31), outages bounded."""
        return self.slot_cost.mean(axis=-1)

    @property
    def slot_admissible(self) -> NDArray[np.bool_]:
        """(..., T) No constraint is broken; deadlines may be overrun."""
        worst = np.zeros_like(self.slot_cost)
        for amount in self.violations.values():
            worst = np.maximum(worst, amount)
        return np.asarray(worst <= 0)

    @property
    def admissible(self) -> NDArray[np.bool_]:
        """(...) Every slot is admissible: the plan's cost may be compared."""
        return np.asarray(self.slot_admissible.all(axis=-1))

    @property
    def missed(self) -> NDArray[np.bool_]:
        """(..., T, K) Sent, but the deadline is missed; outages are told as late as they are."""
        return self.overrun_s > 0

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """(...) Admissible, every request served, no deadline missed: P1 with hard deadlines."""
        late = self.missed.any(axis=(-2, -1)) | self.refused.any(axis=(-2, -1))
        return self.admissible & ~late


def judge(instance: Instance, plan: Plan, previous_xy_m: Array | None = None) -> Verdict:
    """Cost and feasibility of a plan, or of a stack of plans with leading axes.

    Slots follow each other, unless `previous_xy_m` (..., T, M, 2) says from where the UAVs of
    each slot come. Raises PlanError when shapes do not fit. Non-finite numbers are violations,
    never a crash.
    """
    server, power_W, uav_xy_m = fitted(instance, plan)
    scenario = instance.scenario
    sends = (server >= 0) & (server < scenario.n_servers) & instance.active
    served = np.where(sends, server, NO_SERVER)
    gains = uav_gains(instance, uav_xy_m)
    with np.errstate(all="ignore"):
        phases = _phases(instance, served, power_W, gains)
        if previous_xy_m is None:
            previous_xy_m = previous_positions(instance, uav_xy_m)
        broken = violations(instance, plan, served, previous_xy_m)
        return _verdict(instance, phases, served, broken)


def previous_positions(instance: Instance, uav_xy_m: Array) -> Array:
    """Where the UAVs of every slot come from: (..., T, M, 2)."""
    start = np.broadcast_to(instance.uav_xy_m, (*uav_xy_m.shape[:-3], 1, *uav_xy_m.shape[-2:]))
    return np.concatenate([start, uav_xy_m[..., :-1, :, :]], axis=-3)


def uav_gains(instance: Instance, uav_xy_m: Array) -> Array:
    """Power gain g between devices and UAVs at given positions: (..., T, K, M). Eqs. (6)-(7)."""
    s = instance.scenario
    squared = ground_squared_m2(instance, uav_xy_m) + instance.uav_altitude_m[:, None, :] ** 2
    decay = 1 / squared if s.path_loss_exponent == 2 else squared ** (-s.path_loss_exponent / 2)
    return 10 ** (s.uav_reference_gain_dB / 10) * decay * instance.uav_fading


def uplink_sinr(
    instance: Instance, server: NDArray[np.int64], power_W: Array, gains: Array
) -> Array:
    """SINR of every sender at its receiver: (..., T, K), 0 where none sends. Eqs. (8), (10)."""
    s = instance.scenario
    sends = server >= 0
    receiver = np.where(sends, np.minimum(server, s.n_uavs), NO_SERVER)
    index = np.broadcast_to(receiver[..., None, :], (*receiver.shape, s.n_devices))
    lanes = np.empty((*gains.shape[:-1], s.n_uavs + 1))
    lanes[..., :-1] = gains
    lanes[..., -1] = instance.satellite_gain
    heard = np.take_along_axis(lanes, np.maximum(index, 0), axis=-1)  # (..., T, j, k)
    heard = heard * np.where(sends, power_W, 0.0)[..., :, None]
    own = np.diagonal(heard, axis1=-2, axis2=-1)
    if s.interference_leakage == 0:
        return np.where(sends, own / s.noise_W, 0.0)
    disturbs = ~np.eye(s.n_devices, dtype=bool)
    if s.interference_scope != "all":
        group = receiver if s.interference_scope == "server" else receiver >= s.n_uavs
        disturbs = disturbs & (group[..., :, None] == group[..., None, :])
    total = np.einsum("...jk,...jk->...k", heard, disturbs.astype(float))
    return np.where(sends, own / (s.interference_leakage * total + s.noise_W), 0.0)


def uav_downlink_sinr(instance: Instance, gains: Array) -> Array:
    """SINR of a UAV's answer at a device, all other UAVs interfering: (..., T, K, M). Eq. (9)."""
    s = instance.scenario
    others = np.zeros_like(gains)
    for m in range(s.n_uavs):
        rest = [j for j in range(s.n_uavs) if j != m]
        others[..., m] = gains[..., rest].sum(axis=-1)
    disturbance_W = s.interference_leakage * s.uav_power_W * others
    return gains * s.uav_power_W / (disturbance_W + s.noise_W)


def fitted(instance: Instance, plan: Plan) -> tuple[NDArray[np.int64], Array, Array]:
    """The arrays of a plan. Raises PlanError when shapes do not fit."""
    s = instance.scenario
    t, k, m = instance.n_slots, s.n_devices, s.n_uavs
    server, power_W, uav_xy_m = plan.server, plan.power_W, plan.uav_xy_m
    if not np.issubdtype(server.dtype, np.integer):
        raise PlanError(f"server has dtype {server.dtype}: allowed is whole numbers")
    wanted = {"server": (t, k), "power_W": (t, k), "uav_xy_m": (t, m, 2)}
    for name, tail in wanted.items():
        shape = getattr(plan, name).shape
        lead = server.shape[:-2]
        if shape != (*lead, *tail):
            raise PlanError(f"{name} has shape {shape}: allowed is {(*lead, *tail)}")
    return server, power_W, uav_xy_m


def _phases(
    instance: Instance, server: NDArray[np.int64], power_W: Array, gains: Array
) -> dict[str, Array]:
    """Latency and energy of every phase."""
    s, c = instance.scenario, instance.coefficients
    above = server >= s.n_uavs
    sinr = uplink_sinr(instance, server, power_W, gains)
    rate_bps = c.bandwidth_Hz[np.maximum(server, 0)] * (np.log1p(sinr) / np.log(2))
    upload_s = np.where(server >= 0, instance.input_bit / rate_bps, 0.0)
    upload_s = upload_s + np.where(above, c.up_propagation_s[:, None], 0.0)

    execute_s = pick(c.execute_s, server)
    if s.compute_sharing == "shared":
        crowd = server[..., :, None] == server[..., None, :]
        execute_s = execute_s * crowd.sum(axis=-1)

    answer_bit = s.token_bit * instance.output_words
    below = np.where(above, NO_SERVER, server)
    down_sinr = pick(uav_downlink_sinr(instance, gains), below)
    down_rate = s.uav_bandwidth_Hz * (np.log1p(down_sinr) / np.log(2))
    down_uav_s = np.where(below >= 0, answer_bit / down_rate, 0.0)
    return {
        "upload_s": upload_s,
        "execute_s": execute_s,
        "relay_s": pick(c.relay_s, server),
        "download_s": np.where(above, c.download_s, down_uav_s),
        "upload_J": np.where(server >= 0, power_W * upload_s, 0.0),
        "execute_J": pick(c.execute_J, server),
        "relay_J": pick(c.relay_J, server),
        "download_J": np.where(above, c.download_J, s.uav_power_W * down_uav_s),
    }


def _verdict(
    instance: Instance,
    phases: dict[str, Array],
    served: NDArray[np.int64],
    broken: dict[str, Array],
) -> Verdict:
    s, c = instance.scenario, instance.coefficients
    latency_s = sum(phases[p] for p in ("upload_s", "execute_s", "relay_s", "download_s"))
    energy_J = sum(phases[p] for p in ("upload_J", "execute_J", "relay_J", "download_J"))
    overrun = np.maximum(0.0, latency_s - pick(c.overrun_from_s, served))
    late = (overrun > TOLERANCE * latency_s) | np.isinf(overrun)
    overrun = np.where(late, overrun, 0.0)
    cost = s.latency_weight_per_s * latency_s + s.energy_weight_per_J * energy_J
    cost = cost + s.penalty_per_s * overrun
    most = instance.outage_cost
    refused = (served < 0) & instance.active
    outage = (served >= 0) & ~kept(cost - most, most)
    cost = np.where(refused | outage, most, np.minimum(cost, most))
    return Verdict(
        **phases,
        overrun_s=overrun,
        device_cost=cost,
        refused=refused,
        outage=outage,
        violations=broken,
    )
