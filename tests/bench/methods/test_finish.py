"""A rule or a policy and what finishes its plans meet in the table alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drl.agents.registry import build_actor, settings_of
from drl.core.nets import Streams
from drl.training.policy import save, sizes_of
from satedge.bench.methods import table
from satedge.bench.methods.table import MethodError, find
from satedge.problem import clock
from satedge.problem.generation.generate import generate
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Plan
from satedge.problem.referee import judge
from satedge.problem.rollout import rollout
from satedge.problem.scenario import preset

TINY = preset("tiny", n_slots=4)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A policy that has learned nothing yet."""
    settings = settings_of("adsac+", hidden=(8, 8))
    origin = {"method": "adsac+", "settings": settings.to_dict(), "scenario": TINY.to_dict()}
    actor = build_actor(settings, sizes_of(TINY), Streams([0]))
    save(tmp_path / "seed-0", actor, 0, origin | {"seed": 0, "validation_cost": 20.0})
    return str(tmp_path / "seed-0")


def played(name: str, instance: Instance, **settings: str) -> Outcome:
    method = find(name).with_settings(**settings)
    outcome: Outcome = table.load(method)(instance, budget_s=np.inf, seed=3, **method.settings)
    return outcome


def cost(instance: Instance, outcome: Outcome) -> float:
    assert outcome.plan is not None
    return float(judge(instance, outcome.plan).cost)


def test_rules_and_policies_are_finished(policy: str) -> None:
    """Powers help, and the search no less; `none` is what it is without."""
    instance = generate(TINY, 20_000)
    for name, own in (("constant", {}), ("greedy", {}), ("adsac+", {"policy": policy})):
        plain = played(name, instance, **own)
        none, powers, search = (
            played(name, instance, finish=word, **own) for word in table.FINISHES
        )
        assert np.array_equal(none.plan.power_W, plain.plan.power_W)  # type: ignore[union-attr]
        costs = [cost(instance, o) for o in (plain, powers, search)]
        assert costs[0] > costs[1] >= costs[2], name


def test_finished_plans_carry_on() -> None:
    """Every slot is decided from where the finished plan left the UAVs, of nothing but itself."""
    instance = generate(TINY, 20_000)
    whole = played("constant", instance, finish="search").plan
    start = played("constant", instance.window(0, 2), finish="search").plan
    assert whole is not None
    assert start is not None
    assert np.array_equal(whole.uav_xy_m[:2], start.uav_xy_m)
    assert not np.array_equal(whole.uav_xy_m[1], instance.uav_xy_m)


def test_the_time_of_finishing_counts() -> None:
    """Decision times hold both halves, and the projector comes between them."""
    instance = generate(TINY, 20_000)
    seen: list[Plan] = []

    def slow(slot: Instance, plan: Plan) -> Plan:
        assert judge(slot, plan).admissible
        began = clock.now()
        while clock.now() - began < 0.01:
            pass
        seen.append(plan)
        return plan

    def wild(slot: Instance, _: int) -> Plan:
        k, m = TINY.n_devices, TINY.n_uavs
        return Plan(np.full((1, k), 99), np.full((1, k), 1e9), np.full((1, m, 2), -1e9))

    outcome = rollout(instance, wild, finish=slow)
    assert len(seen) == 4
    assert min(outcome.info["decision_s"]) >= 0.01


def test_unknown_steps_are_refused() -> None:
    """In one line, by whoever names one; methods without steps do not take the setting."""
    with pytest.raises(MethodError, match=r"finish = 'serch' \(did you mean search\?\): allowed"):
        find("adsac").with_settings(finish="serch")
    with pytest.raises(MethodError, match="unknown setting 'finish'"):
        find("horizon").with_settings(finish="powers")


def test_what_a_step_needs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule needs nothing; finished, it needs numba."""
    known = table.lookup.importable
    monkeypatch.setattr(table.lookup, "importable", lambda name: name != "numba" and known(name))
    assert table.missing(find("greedy")) == ""
    assert "numba" in table.missing(find("greedy").with_settings(finish="powers"))


def test_names_in_print_keep_what_follows() -> None:
    """Finished methods have labels of their own."""
    assert table.proper_name("adsac+ (finished)") == "AD-SAC+ (finished)"
    assert table.proper_name("greedy, powers") == "Greedy, powers"
