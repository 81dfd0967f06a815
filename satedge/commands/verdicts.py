"""Tables of what a plan does: per device for one slot, per slot for many."""

from __future__ import annotations

from rich.table import Table

from satedge.commands.common import new_table, server_name
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import judge


def device_table(instance: Instance, plan: Plan, slot: int = 0) -> Table:
    """One line per device: server, power, latency, energy, deadline margin."""
    v = judge(instance, plan)
    table = new_table(f"{instance.name}, slot {slot}")
    for name in ("device", "server"):
        table.add_column(name)
    heads = ("accuracy", "power W", "upload s", "compute s", "latency s", "energy J", "margin s")
    for name in (*heads, "cost"):
        table.add_column(name, justify="right")
    for k in range(instance.scenario.n_devices):
        table.add_row(*_device(instance, plan, v, slot, k))
    return table


def _device(instance: Instance, plan: Plan, v, slot: int, k: int) -> list[str]:  # type: ignore[no-untyped-def]
    at = (slot, k)
    server = int(plan.server[at])
    cost = f"{v.device_cost[at]:.4f}"
    if not instance.active[at]:
        return [str(k + 1), "idle", *[""] * 7, cost]
    floor = f"{instance.accuracy_floor[at]:.2f}"
    if server < 0 or server >= instance.scenario.n_servers:
        return [str(k + 1), "[red]unserved[/]", f">= {floor}", *[""] * 6, cost]
    limit = instance.coefficients.overrun_from_s[slot, k, server]
    margin = limit - v.latency_s[at]
    late = v.overrun_s[at] > 0
    return [
        str(k + 1),
        server_name(instance, server),
        f"{instance.server_accuracy[server]:.2f} >= {floor}",
        f"{plan.power_W[at]:.4g}",
        f"{v.upload_s[at]:.4f}",
        f"{v.execute_s[at]:.4f}",
        f"{v.latency_s[at]:.4f}",
        f"{v.energy_J[at]:.3f}",
        f"[red]{margin:+.4f}[/]" if late else f"{margin:+.4f}",
        cost,
    ]


def slot_table(instance: Instance, plan: Plan, most: int = 12) -> Table:
    """One line per slot; of long episodes the dearest slots."""
    v = judge(instance, plan)
    chosen = range(instance.n_slots)
    title = instance.name
    if instance.n_slots > most:
        chosen = sorted(v.slot_cost.argsort()[::-1][:most].tolist())  # type: ignore[assignment]
        title += f": the {most} dearest of {instance.n_slots} slots"
    table = new_table(title)
    for name in (
        "slot",
        "requests",
        "on UAVs",
        "late",
        "unserved",
        "latency s",
        "energy J",
        "cost",
    ):
        table.add_column(name, justify="right")
    for t in chosen:
        served = instance.active[t] & ~v.unserved[t]
        low = served & (plan.server[t] < instance.scenario.n_uavs)
        latency = v.latency_s[t][served].mean() if served.any() else 0.0
        table.add_row(
            str(t),
            str(int(instance.active[t].sum())),
            str(int(low.sum())),
            str(int(v.missed[t].sum())),
            str(int(v.unserved[t].sum())),
            f"{latency:.4f}",
            f"{v.energy_J[t].sum():.2f}",
            f"{v.slot_cost[t]:.4f}",
        )
    return table
