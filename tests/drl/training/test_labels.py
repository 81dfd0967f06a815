"""Labels: what is stored is what the teacher did, in slots that can be made again."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from drl.agents.registry import build_learner, settings_of
from drl.core.nets import Streams
from drl.env.spaces import Encoder
from drl.training import checkpoint
from drl.training.labels import (
    FORMAT,
    LabelError,
    Labels,
    Recipe,
    digest,
    lesson,
    make,
    read,
    teach,
    write,
)
from drl.training.policy import sizes_of
from minlp.branch_and_bound.solve import rolling
from satedge import paths
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome
from satedge.problem.referee import judge
from satedge.problem.rollout import idle_decision
from satedge.problem.scenario import preset

SAMPLE = paths.ROOT / "results/labels/contended.safetensors"
WORLD = preset("tiny", n_slots=8)
RECIPE = Recipe(WORLD.to_dict(), "toy", {}, slots_each=4)


def teacher(slot: Instance) -> Outcome:
    return Outcome(idle_decision(slot))


def made(path: Path, n: int, recipe: Recipe = RECIPE) -> Labels:
    return make(path, recipe, n, teacher, None, lambda *_: None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made(tmp_path / "labels.safetensors", 12)
    return tmp_path / "labels.safetensors"


def test_a_label_is_the_teacher_s_decision_in_its_slot(file: Path) -> None:
    """Slots are made again from their seeds; costs are the referee's."""
    labels = read(file)
    slots, plan = labels.slots(), labels.plan()
    assert len(labels) == slots.n_slots == 12
    for i in range(12):
        slot = slots.rows(slice(i, i + 1), labels.at_xy_m[i])
        expected = idle_decision(slot)
        np.testing.assert_array_equal(expected.server[0], plan.server[i])
        np.testing.assert_allclose(expected.power_W[0], plan.power_W[i], rtol=1e-6)
        assert float(judge(slot, expected).cost) == labels.cost[i]
    assert len(set(labels.seed)) == 3
    assert (np.abs(np.diff(labels.at_xy_m, axis=0)).max(axis=(1, 2))[:3] <= 61).all()


def test_a_stopped_call_goes_on_to_the_same_labels(tmp_path: Path, file: Path) -> None:
    """A file that grew in two calls is the file of one."""
    made(tmp_path / "b" / "labels.safetensors", 4)
    grown = made(tmp_path / "b" / "labels.safetensors", 12)
    assert len(grown) == 12
    assert (tmp_path / "b" / "labels.safetensors").read_bytes() == file.read_bytes()


def test_labels_of_another_recipe_are_not_continued(file: Path) -> None:
    with pytest.raises(LabelError, match="of other labels"):
        made(file, 20, replace(RECIPE, wander=0.5))


@pytest.mark.parametrize("seed", [0, 10_000, 900_000, 999_999])
def test_only_training_seeds_are_labelled(seed: int) -> None:
    """Development, validation and held-out seeds are refused, in one line."""
    with pytest.raises(LabelError, match=f"first_seed = {seed}: allowed is") as refused:
        replace(RECIPE, first_seed=seed)
    assert len(str(refused.value).splitlines()) == 1


def test_damage_is_told_in_one_line(file: Path) -> None:
    """Any flipped bit, a cut, other files: refused, with the file's name."""
    data, rng = file.read_bytes(), random.Random(1)
    for _ in range(30):
        place = rng.randrange(len(data))
        wrong = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        file.write_bytes(wrong)
        with pytest.raises(LabelError) as refused:
            read(file)
        assert str(file) in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1
    file.write_bytes(data[: len(data) // 2])
    with pytest.raises(LabelError):
        read(file)
    with pytest.raises(LabelError, match="no such file"):
        read(file.with_name("none.safetensors"))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("server", 3, "server: allowed"),
        ("seed", 900_000, "seed: allowed"),
        ("power_W", float("nan"), "finite"),
    ],
)
def test_numbers_that_no_label_has_are_refused(
    file: Path, name: str, value: float, told: str
) -> None:
    """A file whose hash fits is read with the same care."""
    tensors, text = checkpoint.read(file)
    tensors[name].view(-1)[0] = value
    checkpoint.write(file, tensors, text)
    with pytest.raises(LabelError, match=told):
        read(file)


def test_a_checkpoint_holds_no_labels(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "x", {"a": torch.zeros(1)}, {"epoch": 1})
    with pytest.raises(LabelError, match="holds no labels"):
        read(tmp_path / "x")
    assert FORMAT["format"] == "satedge-labels"


def test_a_lesson_is_what_policies_see(file: Path) -> None:
    """Observations and masks of the slots as an encoder gives them, UAVs where they were."""
    labels = read(file)
    found = lesson(file, WORLD)
    slots, encoder = labels.slots(), Encoder(WORLD)
    obs = encoder.exogenous(slots)
    mask = encoder.complete(obs, slots, labels.slot, labels.at_xy_m)
    np.testing.assert_array_equal(found.obs.numpy(), obs)
    np.testing.assert_array_equal(found.mask.numpy(), mask)
    np.testing.assert_array_equal(found.server.numpy(), labels.server)
    assert bool((found.level.abs() <= 1).all())


def test_labels_of_another_world_are_refused(file: Path) -> None:
    """Sizes may differ from the training's, the world may not."""
    assert lesson(file, preset("paper", n_slots=20)).sizes.n_devices == 3
    with pytest.raises(LabelError, match=r"latency_weight_per_s = 0.5: allowed is 0.333"):
        lesson(file, preset("balanced"))


def test_files_are_known_by_their_hash(file: Path) -> None:
    before = digest(file)
    write(file, read(file))
    assert digest(file) == before
    with pytest.raises(LabelError, match="allowed is a file of labels"):
        digest(file.with_name("none"))
    assert set(load_file(file)) == {
        "seed", "slot", "at_xy_m", "server", "power_W", "uav_xy_m", "cost",
    }  # fmt: skip


def test_who_learns_by_playing_takes_no_labels(file: Path) -> None:
    learner = build_learner(settings_of("ddpg", hidden=(8,)), sizes_of(WORLD), Streams([0]))
    with pytest.raises(LabelError, match="allowed with a learner that imitates"):
        teach(learner, [lesson(file, WORLD)])


def test_the_committed_sample_is_what_the_exact_method_decides() -> None:
    """Costs of all are the referee's, and the first ones are found again, within their gap."""
    labels = read(SAMPLE)
    slots = labels.slots()
    verdict = judge(slots, labels.plan(), labels.at_xy_m)
    np.testing.assert_allclose(verdict.slot_cost, labels.cost, rtol=1e-3)
    # Positions are of single precision: UAVs may seem to be out of reach by hundredths of mm.
    assert max(float(np.max(x, initial=0.0)) for x in verdict.violations.values()) < 1e-3
    for i in range(2):
        slot = slots.rows(slice(i, i + 1), labels.at_xy_m[i])
        found = rolling(slot, budget_s=np.inf, **labels.recipe.settings).plan
        assert found is not None
        gap = labels.recipe.settings["gap"]
        assert float(judge(slot, found).cost) == pytest.approx(labels.cost[i], rel=2 * gap)
