"""Features of a world: what its slots hold, and what may be won there.

Slots are taken one by one, as one-slot instances; the UAVs of a later slot of an episode are where
a random admissible motion has brought them, as in the suites. What foresight is worth is said of
whole episodes (`of_episodes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from satedge.bench.methods.table import find, load
from satedge.bench.score.best_known import plan_of, references
from satedge.bench.score.played import FIXED_RULES, Played, play, summed
from satedge.bench.study.suites import wander
from satedge.problem.instance import Instance
from satedge.problem.plan import Plan
from satedge.problem.referee import available

#: Plans of the records where there are some, those of `greedy` elsewhere.
BEST_KNOWN = "best-known"


@dataclass(frozen=True)
class Feature:
    """One number about a world."""

    name: str
    value: float
    how: str
    """What it is, and how it was got."""
    share: bool = False
    """Shown in %."""


def sample(instances: Sequence[Instance], count: int) -> list[Instance]:
    """At most `count` one-slot instances, evenly spread over all slots of all instances."""
    places = [(i, t) for i, instance in enumerate(instances) for t in range(instance.n_slots)]
    if count < len(places):
        chosen = np.linspace(0, len(places) - 1, count).round().astype(int)
        places = [places[n] for n in chosen]
    slots = []
    for i, t in places:
        whole = instances[i]
        alone = whole.n_slots == 1
        slots.append(whole if alone else whole.window(t, t + 1, wander(whole)[t], whole.name))
    return slots


def features(slots: Sequence[Instance], reference: str = BEST_KNOWN) -> tuple[list[Feature], str]:
    """All of them, and in words whose plans are the reference.

    `reference` is a method of the table whose plans stand for near-optimal ones, or BEST_KNOWN.
    """
    played, whose = referred(slots, reference)
    found = [*counted(slots), *_of_reference(slots, played), *_excesses(slots, played)]
    return found, whose


def counted(slots: Sequence[Instance]) -> list[Feature]:
    """What instances say by themselves, before anybody plans."""
    requests = np.array([np.count_nonzero(slot.active) for slot in slots])
    reached, tightness, contention = [np.empty((0, 4))], [np.empty(0)], []
    for slot, asked in zip(slots, requests, strict=True):
        open_to = available(slot, slot.uav_xy_m[None])[slot.active]
        tiers = np.split(open_to, [slot.scenario.n_uavs], axis=-1)
        some = np.stack([servers.any(axis=-1) for servers in (*tiers, open_to)], axis=-1)
        reached.append(np.column_stack([some, open_to.sum(axis=-1)]))
        quickest_s = np.where(open_to, slot.coefficients.execute_s[slot.active], np.inf)
        tightness.append(quickest_s.min(axis=-1) / slot.deadline_s[slot.active])
        contention.append(asked / slot.scenario.n_servers)
    table, tight = np.concatenate(reached), np.concatenate(tightness)
    tight = tight[np.isfinite(tight)]
    by_uav, by_satellite, by_any, n_open = table.mean(axis=0) if len(table) else [np.nan] * 4
    shared = np.mean([slot.scenario.compute_sharing == "shared" for slot in slots])
    leakage = np.mean([slot.scenario.interference_leakage for slot in slots])
    stay = "where the UAVs stand before the slot; counted"
    return [
        Feature("requests per slot", float(requests.mean()), "mean; counted"),
        Feature("requests with a UAV", by_uav, f"covered and accurate enough, {stay}", True),
        Feature("requests with a satellite", by_satellite, "counted", True),
        Feature("requests with a server", by_any, stay, True),
        Feature("servers open to a request", n_open, f"mean, {stay}"),
        Feature("requests per server", float(np.mean(contention)), "contention; counted"),
        Feature("shared compute", float(shared), "slots whose requests share a server", True),
        Feature("leakage", float(leakage), "interference_leakage of the scenario"),
        Feature(
            "deadline tightness",
            float(np.median(tight)) if len(tight) else np.nan,
            "quickest execution on an empty server over the deadline, median; uploads come on top",
            True,
        ),
    ]


def referred(slots: Sequence[Instance], reference: str = BEST_KNOWN) -> tuple[Played, str]:
    """What the reference's plans amount to, and whose they are, in words."""
    if reference != BEST_KNOWN:
        return play(reference, slots), f"{reference}'s plans"
    known = {sha: r for sha, r in references().items() if r.plan is not None}
    decide = load(find("greedy"))
    plans: list[Plan] = []
    for slot in slots:
        record = known.get(slot.content_sha256)
        plan = plan_of(record) if record else decide(slot, budget_s=np.inf, seed=0).plan
        assert plan is not None
        plans.append(plan)
    count = sum(slot.content_sha256 in known for slot in slots)
    if count == len(slots):
        return summed(slots, plans), "best known plans"
    rest = f"greedy's of {len(slots) - count}, which are not near-optimal"
    whose = (
        f"best known plans of {count} slots, {rest}"
        if count
        else "greedy's plans, not near-optimal"
    )
    return summed(slots, plans), whose


def of_episodes(episodes: Sequence[Instance]) -> list[Feature]:
    """What it is worth to know later slots, and how much of that a simple causal rule reaches."""
    myopic, glided = (play(name, episodes) for name in ("myopic-exact", "drift"))
    known = play("horizon", episodes, slot_bound_s=0.0, window_s=0.0)
    saved = myopic.cost - known.cost
    reached = (myopic.cost - glided.cost) / saved if saved > 0 else np.nan
    count = f"{len(episodes)} episodes"
    return [
        Feature("cost in hindsight", known.cost, f"horizon's plans of {count}, all slots known"),
        Feature("by UAVs in hindsight", known.by_uavs, "requests, in these plans", True),
        Feature(
            "value of hindsight",
            saved / myopic.cost if myopic.cost else np.nan,
            "how much cheaper they are than myopic-exact's, who solves every slot by itself",
            True,
        ),
        Feature("closed by drift", reached, "share of that difference, causally", True),
    ]


def _of_reference(slots: Sequence[Instance], played: Played) -> list[Feature]:
    bound = load(find("independent-bound"))
    floor = float(np.mean([bound(s, budget_s=np.inf, seed=0).lower_bound for s in slots]))
    above = 1 - floor / played.cost if played.cost else np.nan
    apart = "each request by itself at its best server and place: no plan costs less; certified"
    return [
        Feature("cost", played.cost, "of the reference, mean per slot and device"),
        Feature("independent floor", floor, apart),
        Feature(
            "controllable share",
            above,
            "1 - floor / cost: how requests are put together decides about so much at most, "
            "if the reference is near-optimal",
            True,
        ),
        *(
            Feature(name, share, "requests, in the plans of the reference", True)
            for name, share in (
                ("in time", played.in_time),
                ("deadline misses", played.missed),
                ("refused", played.refused),
                ("outages", played.outages),
                ("by UAVs", played.by_uavs),
            )
        ),
    ]


def _excesses(slots: Sequence[Instance], played: Played) -> list[Feature]:
    how = "mean cost above the reference's on the same slots"
    return [
        Feature(f"excess of {name}", play(name, slots).excess(played), how, True)
        for name in (*FIXED_RULES, "greedy")
    ]
