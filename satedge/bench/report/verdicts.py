"""Tables of what a plan does: per device for one slot, per slot for many.

Slots, devices, UAVs and satellites count from 0, as in files and arrays.
"""

from __future__ import annotations

import numpy as np

from satedge.bench.report.tables import Cell, Column, Table, Value
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import Verdict, judge

DEVICE = (
    Column("device"),
    Column("server"),
    Column("accuracy", form="s", spare=3),
    Column("power", "W", ".4g"),
    Column("upload", "s", ".4f", spare=5),
    Column("compute", "s", ".4f", spare=4),
    Column("latency", "s", ".4f"),
    Column("energy", "J", ".3f"),
    Column("margin", "s", "+.4f"),
    Column("cost", form=".4f"),
)
SLOT = (
    *(
        Column(head, form="d")
        for head in ("slot", "requests", "on UAVs", "deadline misses", "refused", "outages")
    ),
    Column("latency", "s", ".4f"),
    Column("energy", "J", ".2f"),
    Column("cost", form=".4f"),
)


def device_table(instance: Instance, plan: Plan, slot: int = 0) -> Table:
    """One line per device: server, power, latency, energy, deadline margin."""
    v = judge(instance, plan)
    rows = [_device(instance, plan, v, slot, k) for k in range(instance.scenario.n_devices)]
    return Table(DEVICE, rows, f"{instance.name}, slot {slot}")


def _device(instance: Instance, plan: Plan, v: Verdict, slot: int, k: int) -> tuple[Value, ...]:
    at = (slot, k)
    server, cost = int(plan.server[at]), float(v.device_cost[at])
    if not instance.active[at]:
        return (str(k), "idle", *[""] * 7, cost)
    floor = f"{instance.accuracy_floor[at]:.2f}"
    if server < 0 or server >= instance.scenario.n_servers:
        return (str(k), Cell("refused", mark="alarm"), f">= {floor}", *[""] * 6, cost)
    margin = float(instance.coefficients.overrun_from_s[slot, k, server] - v.latency_s[at])
    return (
        str(k),
        server_name(instance, server),
        f"{instance.server_accuracy[server]:.2f} >= {floor}",
        float(plan.power_W[at]),
        *(float(values[at]) for values in (v.upload_s, v.execute_s, v.latency_s, v.energy_J)),
        Cell(f"{margin:+.4f}", mark="alarm") if v.overrun_s[at] > 0 else margin,
        Cell(f"{cost:.4f}", mark="alarm") if v.outage[at] else cost,
    )


def server_name(instance: Instance, server: int) -> str:
    """'uav 0', 'satellite 1'."""
    n_uavs = instance.scenario.n_uavs
    return f"uav {server}" if server < n_uavs else f"satellite {server - n_uavs}"


def slot_table(instance: Instance, plan: Plan, most: int = 12) -> Table:
    """One line per slot; of long episodes the most expensive slots."""
    v = judge(instance, plan)
    chosen = np.arange(instance.n_slots)
    title = instance.name
    if instance.n_slots > most:
        chosen = np.sort(v.slot_cost.argsort()[::-1][:most])
        title += f": the {most} most expensive of {instance.n_slots} slots"
    return Table(SLOT, [_slot(instance, plan, v, int(t)) for t in chosen], title)


def _slot(instance: Instance, plan: Plan, v: Verdict, t: int) -> tuple[Value, ...]:
    served = instance.active[t] & ~v.refused[t]
    low = served & (plan.server[t] < instance.scenario.n_uavs)
    counts = (instance.active[t], low, v.missed[t], v.refused[t], v.outage[t])
    return (
        t,
        *(int(c.sum()) for c in counts),
        float(v.latency_s[t][served].mean()) if served.any() else 0.0,
        float(v.energy_J[t].sum()),
        float(v.slot_cost[t]),
    )
