"""Records hold what a judge has seen: better plans, certified bounds, and no contradiction."""

import dataclasses

import numpy as np
import pytest

from minlp.enumeration.solve import prove
from minlp.p1.start import start_plan
from satedge.bench.score import best_known as records
from satedge.bench.score.best_known import Record, RecordError, improve, verify
from satedge.problem.generation.generate import generate
from satedge.problem.io.files import write_instance
from satedge.problem.plan import Outcome, Plan
from satedge.problem.referee import judge
from satedge.problem.scenario import preset


@pytest.fixture(scope="module")
def instance():
    return generate(preset("tiny", n_slots=1), 4)


@pytest.fixture(scope="module")
def proof(instance):
    return prove(instance)


def empty(instance):
    return Record("one", instance.content_sha256)


def test_committed_records_hold():
    """Every committed plan costs what its record says, and no bound exceeds it; tiny is solved."""
    counts = records.verify_records()
    assert counts == {suite: len(records.instances_of(suite)) for suite in records.SUITES}
    assert all(record.optimal for record in records.read_records("tiny").values())


def test_committed_bounds_hold_where_requests_may_be_refused():
    """They were proved for plans that refuse nothing; a plan with one refusal costs more anyway.

    It costs at least what refusing costs, and the least computing of all other requests. Bounds
    of the suites with shared compute were proved with refusals allowed.
    """
    for suite in ("tiny", "slots", "slots-balanced"):
        instances = records.instances_of(suite)
        for name, record in records.read_records(suite).items():
            instance = instances[name]
            verdict = judge(instance, records.plan_of(record))
            assert not verdict.refused.any()
            assert not verdict.outage.any()
            s, c = instance.scenario, instance.coefficients
            computing = s.latency_weight_per_s * c.execute_s + s.energy_weight_per_J * c.execute_J
            least = np.where(c.accurate, computing, np.inf).min(axis=-1)[instance.active]
            dearer = (instance.outage_cost[instance.active] - least).min()
            assert (least.sum() + dearer) / instance.active.size > record.best.value


def test_only_better_values_enter(instance, proof):
    """A cheaper admissible plan and a higher certified bound enter; others do not."""
    start = Outcome(start_plan(instance))
    first = improve(empty(instance), instance, start, "start", "2025-01-01")
    assert first.best.value == float(judge(instance, start.plan).cost)
    assert first.bound is None
    assert first.gap == np.inf
    solved = Outcome(proof.plan, "optimal", proof.lower_bound, {"kind": "enumeration"})
    second = improve(first, instance, solved, "proof", "2025-01-02")
    assert second.best.who == second.bound.who == "proof"
    assert second.optimal
    third = improve(second, instance, start, "late", "2025-01-03")
    assert third == second
    verify(third, instance)


def test_claims_do_not_enter(instance, proof):
    """A bound without a certificate, and an inadmissible plan, however cheap, count nothing."""
    claimed = Outcome(None, "optimal", proof.cost, {"kind": "none"})
    assert improve(empty(instance), instance, claimed, "liar").bound is None
    weak = dataclasses.replace(proof.plan, power_W=1e-9 * proof.plan.power_W)
    assert improve(empty(instance), instance, Outcome(weak), "liar").best is None


def test_contradictions_are_refused(instance, proof):
    """A certified bound above a judged cost means that something is wrong."""
    known = improve(empty(instance), instance, Outcome(proof.plan), "proof")
    wrong = Outcome(None, "stopped", 1.001 * proof.cost, {"kind": "lp-duals"})
    with pytest.raises(RecordError, match="exceeds the cost"):
        improve(known, instance, wrong, "wrong")
    other = generate(preset("tiny", n_slots=1), 5)
    with pytest.raises(RecordError, match="another instance"):
        improve(known, other, Outcome(proof.plan), "confused")


def test_a_falsified_record_is_found(instance, proof):
    """Verification judges the plan again."""
    solved = Outcome(proof.plan, "optimal", proof.lower_bound, {"kind": "enumeration"})
    record = improve(empty(instance), instance, solved, "proof")
    better = dataclasses.replace(record.best, value=0.99 * record.best.value)
    for changes, message in (
        ({"best": better}, "the plan costs"),
        ({"plan": None}, "without a plan"),
        ({"plan": Plan(proof.plan.server, 0 * proof.plan.power_W, proof.plan.uav_xy_m).to_dict()},
         "power_min"),
        ({"bound": dataclasses.replace(record.bound, value=2 * proof.cost)}, "bound exceeds"),
        ({"sha256": "0"}, "another instance"),
    ):  # fmt: skip
        with pytest.raises(RecordError, match=message):
            verify(dataclasses.replace(record, **changes), instance)


def test_a_suite_is_improved_and_kept(tmp_path, instance):
    """Records are written, read back equal, verified, and shown as a .solu file."""
    (tmp_path / "tiny").mkdir()
    write_instance(instance, tmp_path / "tiny" / "one.json")
    rough = records.improve_suite("tiny", "minlp.milp.solve:solve", 2.0, tmp_path)
    assert "=bestdual= one" in records.solu(rough)
    done = records.improve_suite("tiny", "minlp.enumeration.solve:solve", 10.0, tmp_path)
    assert done["one"].optimal
    assert records.read_records("tiny", tmp_path) == done
    assert records.verify_records(("tiny",), tmp_path) == {"tiny": 1}
    assert records.solu(done).startswith("=opt= one ")
    (tmp_path / "tiny" / "one.json").unlink()
    with pytest.raises(RecordError, match="no instance of it"):
        records.verify_records(("tiny",), tmp_path)
    (tmp_path / "records" / "tiny.json").write_text("{")
    with pytest.raises(RecordError, match="is no JSON"):
        records.read_records("tiny", tmp_path)


@pytest.mark.slow
def test_tiny_bounds_are_those_of_enumeration():
    """Proving all of tiny again leads to the recorded values."""
    known = records.read_records("tiny")
    for name, instance in records.instances_of("tiny").items():
        again = prove(instance)
        assert again.cost == pytest.approx(known[name].best.value, rel=2e-6)
        assert known[name].bound.value <= again.cost * (1 + 1e-9)
