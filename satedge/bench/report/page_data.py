"""What the report page draws from: instances, runs and plans as compact JSON.

The page must open from a disk, so its data is inside it, and bounded: beyond the limits the page
says what was left out and where it lies.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import pandas as pd

from satedge.bench.run.record import plain, plan_of
from satedge.bench.run.store import Store
from satedge.drawing.slot_map import server_colours, slot_map
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import judge

#: Most runs listed, and slots of plans drawn, on one page. Every instance has the same share of
#: the slots, and of every method and budget its cheapest plan is drawn.
MAX_RUNS = 4000
MAX_PLAN_SLOTS = 6_000
LOG_CHARACTERS = 3000

_ROW = (
    "method",
    "family",
    "seed",
    "budget_s",
    "status",
    "reason",
    "method_status",
    "cost",
    "lower_bound",
    "latency_s",
    "energy_J",
    "deadline_misses",
    "refused",
    "outages",
    "requests",
    "wall_s",
    "contended",
    "gap",
    "excess",
    "key",
    "settings",
)


def page_data(store: Store, scored: pd.DataFrame) -> dict[str, Any]:
    """JSON values for the page: instances, each with its runs, cheapest first."""
    by_instance = scored.groupby(["group", "instance_sha256"], sort=False)
    page = _Page(store, MAX_PLAN_SLOTS // max(1, len(by_instance)))
    listed = [page.instance(members) for _, members in by_instance]
    return {
        "instances": [i for i in listed if i is not None],
        "left_out": {"runs": page.runs_left_out, "plans": page.plans_left_out},
        "folder": "cells/",
    }


def embed(data: dict[str, Any]) -> str:
    """JSON, gzipped and in Base64: a fifth as long, and no text in it can end its element."""
    text = json.dumps(data, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


class _Page:
    """Collects runs while there is room."""

    def __init__(self, store: Store, share: int) -> None:
        """`share`: slots of plans that each instance may draw; one plan it may draw anyway."""
        self.store, self.share = store, share
        self.n_runs = 0
        self.drawn: dict[tuple[str, float], int] = {}
        """Slots drawn of the present instance by method and budget."""
        self.runs_left_out = self.plans_left_out = 0

    def instance(self, members: pd.DataFrame) -> dict[str, Any] | None:
        """One instance with its runs; None when no run of it ran, or the page is full."""
        ran = members[members["status"] != "skipped"]
        shown = ran.iloc[np.argsort(ran["cost"].where(ran["usable"], np.inf), kind="stable")]
        shown = shown[: MAX_RUNS - self.n_runs]
        self.n_runs += len(shown)
        self.runs_left_out += len(ran) - len(shown)
        if shown.empty:
            return None
        self.drawn = {}
        rows = shown.to_dict("records")
        first = rows[0]
        world = self.store.instance(first["instance_sha256"])
        return {
            "group": first["group"],
            "name": first["instance"],
            "sha256": first["instance_sha256"],
            "bound": plain(first["best_bound"]),
            "best": plain(first["best_cost"]),
            "floor": plain(first["floor"]),
            "world": world_data(world),
            "runs": [self._run(row, world) for row in rows],
        }

    def _run(self, row: dict[str, Any], world: Instance) -> dict[str, Any]:
        record = self.store.read(row["key"])
        run = {name: plain(row[name]) for name in _ROW}
        run |= {
            "trace": _thinned(record["trace"]),
            "certificate": _short(record["certificate"]),
            "log": record["log"][-LOG_CHARACTERS:],
        }
        plan = plan_of(record)
        if plan is None:
            return run
        full = self.drawn and sum(self.drawn.values()) + world.n_slots > self.share
        if full or (row["method"], row["budget_s"]) in self.drawn:
            self.plans_left_out += 1
            return run
        self.drawn[row["method"], row["budget_s"]] = world.n_slots
        return run | {"plan": plan_data(world, plan)}


def world_data(instance: Instance) -> dict[str, Any]:
    """What maps and tables of an instance's slots share."""
    s = instance.scenario
    return {
        "T": instance.n_slots,
        "K": s.n_devices,
        "M": s.n_uavs,
        "N": s.n_satellites,
        "side_m": s.area_side_m,
        "coverage_m": s.uav_coverage_m,
        "colours": server_colours(instance),
    }


def plan_data(instance: Instance, plan: Plan) -> dict[str, Any]:
    """The maps of a plan's slots, and what the referee says of every device and slot."""
    v = judge(instance, plan)
    served = np.clip(plan.server, 0, instance.scenario.n_servers - 1)[..., None]
    limit = np.take_along_axis(instance.coefficients.overrun_from_s, served, axis=-1)[..., 0]
    margin = np.where(plan.server >= 0, limit - v.latency_s, np.nan)
    slots = range(instance.n_slots)
    return {
        "maps": [slot_map(instance, plan, t, v).as_json() for t in slots],
        "power_W": _significant(plan.power_W),
        "latency_s": _rounded(v.latency_s, 4),
        "energy_J": _rounded(v.energy_J, 3),
        "margin_s": _rounded(margin, 4),
        "cost": _significant(v.slot_cost, 7),
    }


def _rounded(values: np.ndarray, digits: int) -> Any:
    return plain(np.round(values, digits).tolist())


def _significant(values: np.ndarray, digits: int = 4) -> Any:
    flat = [float(f"{v:.{digits}g}") for v in values.ravel()]
    return plain(np.array(flat).reshape(values.shape).tolist())


def _thinned(trace: list[list[float | None]], most: int = 60) -> list[list[float | None]]:
    if len(trace) <= most:
        return trace
    step = (len(trace) - 1) / (most - 1)
    return [trace[round(i * step)] for i in range(most)]


def _short(value: Any, most: int = 2000) -> str:
    """JSON text of a certificate, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= most else text[:most] + " ..."
