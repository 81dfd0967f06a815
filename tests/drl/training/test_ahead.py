"""Learning what places are worth: a search that is the same each time, and its policies."""

import json

import numpy as np
import pytest

from drl.core.places import NAMES, Weights
from drl.training.ahead import (
    Episodes,
    Search,
    SearchError,
    State,
    load,
    played,
    save,
    train,
)
from drl.training.collect import collect, collect_one
from drl.training.policy import PolicyError
from minlp.foresight.guided import tabulated
from satedge.problem.generation.generate import TRAIN_SEEDS
from satedge.problem.scenario import preset

WORLD = preset("foresight", n_slots=6, n_devices=4, n_uavs=2)
SMALL = {"scenario": WORLD, "tabulate": tabulated, "say": lambda _: None}
NUMBERS = {"candidates": 4, "episodes": 3, "pool": 4}


@pytest.fixture(autouse=True)
def few_validation_episodes(monkeypatch):
    monkeypatch.setattr("drl.training.ahead.VALIDATION_SEEDS", range(10_000, 10_003))


def trained(folder, generations, seeds=(0,), **how):
    train(seeds=seeds, out_dir=folder, generations=generations, **SMALL, **NUMBERS, **how)
    return [load(str(folder / "policies" / "ahead" / f"seed-{seed}")) for seed in seeds]


def test_a_search_is_the_same_each_time_and_when_it_goes_on(tmp_path):
    """Stopped after one generation and resumed, as if it had not stopped; another seed differs."""
    whole = trained(tmp_path / "whole", 3, seeds=(0, 1))
    trained(tmp_path / "parts", 1)
    parts = trained(tmp_path / "parts", 3)
    assert parts[0] == whole[0]
    assert whole[0][0] != whole[1][0]


def test_a_search_betters_bad_weights():
    """From a value that is blind to what UAVs cover, to one that is cheaper in its own episodes."""
    scenario = preset("foresight", n_slots=15)
    episodes = Episodes.of(scenario, TRAIN_SEEDS[:12], tabulated)
    blind, usual = Weights(radius=0.05, width=0.01), Weights()
    assert played(episodes, usual) < 0.97 * played(episodes, blind)


def test_another_search_is_not_gone_on_with(tmp_path):
    trained(tmp_path, 1)
    with pytest.raises(SearchError, match="of another search"):
        train(seeds=(0,), out_dir=tmp_path, generations=2, **SMALL, **NUMBERS | {"pool": 5})
    place = tmp_path / "search-0.json"
    place.write_text(place.read_text().replace('"seed": 0', '"seed": 9'))
    with pytest.raises(SearchError, match="altered since written"):
        trained(tmp_path, 2)


def test_a_policy_says_where_it_comes_from_and_is_refused_once_altered(tmp_path):
    (weights, text), *_ = trained(tmp_path, 1)
    assert text["method"] == "ahead"
    assert np.isfinite(text["validation_cost"])
    assert Weights(**text["weights"]) == weights
    assert text["command"] == ""
    path = tmp_path / "policies" / "ahead" / "seed-0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 5}))
    with pytest.raises(PolicyError, match="altered since written"):
        load(str(path))


def test_the_command_that_makes_a_policy_again_is_in_it(tmp_path):
    state = State(Weights().vector(), np.ones(len(NAMES)), [])
    save(tmp_path / "seed-3", Search(preset("foresight"), 3), state, 1.0)
    _, text = load(str(tmp_path / "seed-3"))
    assert text["command"] == "satedge train ahead --preset foresight --seed 3 --epochs 12"
    assert text["epochs"] == 12


def test_the_seeds_that_are_wanted_come_into_the_library(tmp_path):
    """As those of other learners do, though a search has no log."""
    (_, kept), _ = trained(tmp_path / "run", 1, seeds=(1, 0))
    line = collect_one(tmp_path / "run", tmp_path / "library", [1])
    assert line.split()[-1] == f"{kept['validation_cost']:.4f}"
    found = sorted(p.name for p in (tmp_path / "library").iterdir())
    assert found == ["seed-1.json", "seed-1.safetensors"]
    assert load(str(tmp_path / "library" / "seed-1"))[1] == kept
    (tmp_path / "run").rename(tmp_path / "ahead-from-1")
    assert len(collect(tmp_path, tmp_path / "world")) == 2
    assert load(str(tmp_path / "world" / "ahead" / "seed-1"))[1] == kept
