"""gymnasium's view of the problem: the single environment, the native vector one, rendering."""

import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import drl
from drl.env.pool import Pool, training_episodes
from satedge.problem.generation.generate import generate
from satedge.problem.instance import InstanceError
from satedge.problem.io.files import write_instance
from satedge.problem.referee import judge
from satedge.problem.scenario import PRESETS, ScenarioError, preset

ID = "satedge/Offloading-v0"


def make(name="tiny", n=2, **kwargs):
    return gym.make(ID, instances=training_episodes(preset(name, n_slots=4), n), **kwargs)


@pytest.mark.parametrize("name", list(PRESETS))
def test_passes_gymnasiums_checker(name):
    """check_env has nothing to say, about any preset."""
    check_env(make(name).unwrapped)


@pytest.mark.parametrize("name", list(PRESETS))
def test_every_world_is_made_by_name_or_scenario(name):
    """`scenario` is a preset's name, or a scenario with any changes; both environments take it."""
    scenario = preset(name, n_slots=2)
    single = gym.make(ID, scenario=scenario, instances=1)
    assert single.unwrapped.batch.scenario == scenario
    several = gym.make_vec(ID, num_envs=2, scenario=scenario, instances=1)
    assert several.unwrapped.batch.scenario == scenario
    assert gym.make(ID, scenario=name, instances=1).unwrapped.batch.scenario == preset(name)


@pytest.mark.parametrize("changes", [{"n_uavs": 0}, {"n_satellites": 0, "accuracy_max": 0.5}])
def test_a_missing_tier_passes_too(changes):
    """Without UAVs or without satellites the spaces keep their names, some of size 0."""
    check_env(gym.make(ID, scenario=preset("tiny", **changes), instances=1).unwrapped)


def test_importing_stays_light():
    """Importing drl registers the environment and loads neither torch nor matplotlib."""
    code = (
        "import sys, drl, gymnasium; assert 'satedge/Offloading-v0' in gymnasium.registry;"
        "assert not {'torch', 'matplotlib', 'drl.env.env'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_defaults_are_the_paper_scenario():
    """Made without arguments: preset paper, 32 training episodes of 100 slots."""
    env = gym.make(ID).unwrapped
    assert env.batch.scenario == preset("paper")
    assert len(env.batch.pool.instances) == 32
    assert set(env.batch.pool.length) == {100}


def test_an_episode_is_truncated_after_its_last_slot():
    """T steps, never terminated; then reset is due."""
    env = make()
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]
    with pytest.raises(gym.error.ResetNeeded, match="reset"):
        env.step(env.action_space.sample())


def test_reset_plays_the_instance_asked_for():
    """By position or name; anything else is refused with what is allowed."""
    env = make("tiny", 3)
    for wanted in (2, "seed-1000002"):
        _, info = env.reset(options={"instance": wanted})
        assert info["instance"] == 2
        assert info["instance_name"] == "seed-1000002"
    with pytest.raises(InstanceError, match=r"allowed is 0\.\.2"):
        env.reset(options={"instance": 3})
    with pytest.raises(InstanceError, match="allowed is one of seed-1000000"):
        env.reset(options={"instance": "seed-7"})
    with pytest.raises(ValueError, match="allowed is 'instance'"):
        env.reset(options={"instances": 1})


def test_info_says_what_happened():
    """Cost and violations are the referee's, changes the projector's, the mask that of reset."""
    env = make("paper")
    _, info = env.reset(seed=1, options={"instance": 1})
    assert (info["action_mask"] == env.unwrapped.action_masks()).all()
    instance, at = env.unwrapped.batch.pool.instances[1], env.unwrapped.batch.uav_xy_m
    blocked = np.argmin(info["action_mask"], axis=-1)
    action = {"server": blocked, "power": np.full(10, 2.0), "displacement": np.full((3, 2), 9.0)}
    _, reward, _, _, after = env.step(action)
    frame = env.unwrapped._frame.result
    verdict = judge(instance.window(0, 1), frame.plan, at[None, 0])
    assert after["cost"] == pytest.approx(verdict.cost, rel=1e-12)
    assert reward == pytest.approx(instance.scenario.reward_scale / after["cost"], rel=1e-12)
    assert set(after["violations"]) == set(verdict.violations)
    assert set(after["violations"].values()) == {0.0}
    assert after["held"] == 3
    assert after["clipped"] == instance.active[0].sum()
    hopeless = info["action_mask"][np.arange(10), blocked] == 0
    assert after["resampled"] >= hopeless.sum() > 0


def test_modes_have_names_and_others_are_refused():
    """Same step unless asked otherwise, also by gymnasium's word for it; episodes always reset."""
    made = gym.make_vec(ID, num_envs=1, scenario="tiny", instances=1)
    assert made.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    made = gym.make_vec(ID, num_envs=1, scenario="tiny", instances=1, autoreset_mode="NextStep")
    assert made.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    for mode in (AutoresetMode.DISABLED, "never"):
        with pytest.raises(ValueError, match="allowed is one of SameStep, NextStep"):
            gym.make_vec(ID, num_envs=1, scenario="tiny", instances=1, autoreset_mode=mode)


MODES = pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])


@MODES
@pytest.mark.parametrize("name", list(PRESETS))
def test_native_vector_equals_the_synchronous_one(name, mode):
    """Observations, rewards, ends and infos, final ones included, are those of SyncVectorEnv."""
    pool = Pool(training_episodes(preset(name, n_slots=3), 4))
    native = gym.make_vec(ID, num_envs=3, instances=pool, autoreset_mode=mode)
    single = [lambda: gym.make(ID, instances=pool, disable_env_checker=True)] * 3
    loop = SyncVectorEnv(single, autoreset_mode=mode)
    assert native.metadata["autoreset_mode"] == mode
    assert native.observation_space == loop.observation_space
    assert native.action_space == loop.action_space
    same(native.reset(seed=11), loop.reset(seed=11))
    native.action_space.seed(0)
    for _ in range(7):
        action = native.action_space.sample()
        stepped = native.step(action)
        same(stepped, loop.step(action))
        assert stepped[0] in native.observation_space
    asked = {"instance": 3}
    same(native.reset(seed=[4, 9, 2], options=asked), loop.reset(seed=[4, 9, 2], options=asked))
    same(native.reset(), loop.reset())


@MODES
def test_vector_episodes_of_different_length(mode):
    """Where only some episodes end, infos of the others stay beside the final ones."""
    whole = generate(preset("tiny", n_slots=5), 1)
    pool = Pool([whole.window(0, 1), whole.window(1, 4)])
    native = gym.make_vec(ID, num_envs=2, instances=pool, autoreset_mode=mode)
    single = [lambda: gym.make(ID, instances=pool, disable_env_checker=True)] * 2
    loop = SyncVectorEnv(single, autoreset_mode=mode)
    same(native.reset(seed=3), loop.reset(seed=3))
    for _ in range(8):
        action = native.action_space.sample()
        same(native.step(action), loop.step(action))


def same(a, b):
    """Equality through tuples, dicts and arrays, bit for bit."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, np.ndarray) and a.dtype == object:
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


def test_an_unseeded_environment_draws_its_seed():
    """Two environments without a seed play different episodes; one goes on to new ones."""
    pool = Pool(training_episodes(preset("tiny", n_slots=1), 64))
    played = []
    for _ in range(2):
        env = gym.make(ID, instances=pool)
        played.append([env.reset()[1]["instance"] for _ in range(8)])
    assert played[0] != played[1]
    assert len(set(played[0])) > 1


def test_instances_come_as_files(tmp_path):
    """A file, or a list of files, is played as it is."""
    instance = generate(preset("tiny", n_slots=2), 7)
    path = tmp_path / "one.json"
    write_instance(instance, path)
    for given in (path, [str(path)]):
        env = gym.make(ID, instances=given)
        _, info = env.reset(seed=0)
        assert info["instance_name"] == instance.name


def test_arguments_that_do_not_fit_are_refused():
    """Another scenario than the instances', an unknown preset, another reference, a bad mode."""
    pool = Pool(training_episodes(preset("tiny", n_slots=1), 1))
    with pytest.raises(InstanceError, match="scenario: allowed"):
        gym.make(ID, scenario="paper", instances=pool)
    with pytest.raises(InstanceError, match="reference: allowed"):
        gym.make(ID, instances=pool, reference="tiny")
    with pytest.raises(ScenarioError, match="preset 'papr'"):
        gym.make(ID, scenario="papr")
    with pytest.raises(ValueError, match="render_mode = 'rgb_array': allowed"):
        gym.make_vec(ID, instances=pool, render_mode="rgb_array")


def test_text_shows_every_request():
    """Before the decision the requests; after it also servers, latencies and missed deadlines."""
    env = make("paper", render_mode="ansi")
    with pytest.raises(gym.error.ResetNeeded):
        env.unwrapped.render()
    _, info = env.reset(seed=0)
    text = env.render()
    assert "not decided" in text
    assert len(text.splitlines()) == 2 + 10
    action = env.action_space.sample()
    action["server"][:] = 6
    action["power"][:] = -1
    *_, info = env.step(action)
    lines = env.render().splitlines()
    assert f"deadline misses {info['misses']} of" in lines[0]
    assert sum(line.endswith("missed") for line in lines[1:]) == info["misses"] > 0
    assert sum("SAT 3" in line for line in lines) > 0


def test_map_is_an_image_of_the_slot():
    """640 x 760 RGB, another one after the decision, also where fleets are missing."""
    env = make("paper", render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    assert before.shape == (760, 640, 3)
    assert before.dtype == np.uint8
    env.step(env.action_space.sample())
    assert (env.render() != before).any()
    assert make(render_mode=None).unwrapped.render_mode is None


def test_the_reference_page_lists_every_part():
    """The table in docs/environment.md names the parts of the observation with their shapes."""
    page = (Path(drl.__file__).parents[1] / "docs" / "environment.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| \(([^)]*)\) \|", page, re.MULTILINE)
    sizes = {"K": 10, "M": 3, "N": 4, "S": 7, "M+1": 4}
    stated = {
        name: tuple(int(sizes.get(d, d)) for d in re.findall(r"[^, ]+", shape))
        for name, shape in rows
    }
    encoder = make("paper").unwrapped.batch.encoder
    assert list(stated.items()) == list(encoder.shapes.items())
    assert f"{encoder.size} numbers" in page
