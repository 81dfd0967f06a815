"""Wrappers: other shapes of the same decisions, and learners from elsewhere on top of them."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import drl  # noqa: F401 (registers the environment)
from drl.env import vector_wrappers
from drl.env.pool import Pool, training_episodes
from drl.env.spaces import to_power_W
from drl.env.vector_env import OffloadingBatch
from drl.env.wrappers import DiscreteActions, FlatObservation, ScoreActions
from satedge.problem.scenario import PRESETS, preset

ID = "satedge/Offloading-v0"


@pytest.fixture(scope="module")
def pool():
    return Pool(training_episodes(preset("paper", n_slots=8), 3))


@pytest.fixture
def env(pool):
    return gym.make(ID, instances=pool)


def test_flat_observations_are_those_of_the_batch(pool, env):
    """The vector is, bit for bit, what a batch under the same seed shows."""
    flat = FlatObservation(env)
    batch = OffloadingBatch(pool, 1, 6)
    obs, _ = flat.reset(seed=6)
    np.testing.assert_array_equal(obs, batch.reset()[0][0])
    assert obs in flat.observation_space
    action = flat.action_space.sample()
    obs, *_ = flat.step(action)
    move = np.concatenate([action["power"], action["displacement"].ravel()])
    np.testing.assert_array_equal(obs, batch.step(action["server"][None], move[None]).obs[0])


def test_scores_choose_the_best_available(env):
    """The action is the best available server, then powers and displacements as they are."""
    scores = ScoreActions(env)
    scores.reset(seed=0)
    mask = env.unwrapped.action_masks()
    vector = scores.action_space.sample()
    assert vector.shape == (10 * 7 + 10 + 6,)
    action = scores.action(vector)
    ranks = np.where(mask, vector[:70].reshape(10, 7), -2.0)
    some = mask.any(axis=-1)
    np.testing.assert_array_equal(action["server"][some], ranks.argmax(axis=-1)[some])
    np.testing.assert_array_equal(action["power"], vector[70:80])
    np.testing.assert_array_equal(action["displacement"].ravel(), vector[80:])
    assert action in env.action_space
    assert scores.step(vector)[-1]["clipped"] == 0


def test_discrete_choices_name_servers_levels_and_headings(env):
    """Server, 10 mW to 1 W, stay or a full step: a level and a heading mean what they say."""
    discrete = DiscreteActions(env)
    discrete.reset(seed=0)
    assert discrete.action_space.nvec.tolist() == [7] * 10 + [5] * 10 + [9] * 3
    choice = np.r_[np.arange(10) % 7, np.arange(10) % 5, [0, 1, 3]]
    action = discrete.action(choice)
    np.testing.assert_array_equal(action["server"], np.arange(10) % 7)
    powers = to_power_W(preset("paper"), action["power"][:5])
    np.testing.assert_allclose(powers, 10 ** np.array([-2, -1.5, -1, -0.5, 0]), rtol=1e-5)
    before = env.unwrapped.batch.uav_xy_m[0]
    discrete.step(choice)
    after = np.clip(np.add(before, [[0, 0], [60, 0], [0, 60]]), 0, 500)
    np.testing.assert_allclose(env.unwrapped.batch.uav_xy_m[0], after, atol=1e-4)


def test_discrete_masks_leave_something_to_choose(env):
    """Servers as available (all of them for a device without any), levels and headings free."""
    discrete = DiscreteActions(env)
    discrete.reset(seed=0)
    available = env.unwrapped.action_masks()
    env.unwrapped._mask[0, 4] = False
    mask = discrete.action_masks()
    assert mask.shape == (sum(discrete.action_space.nvec),)
    servers = mask[:70].reshape(10, 7)
    np.testing.assert_array_equal(np.delete(servers, 4, 0), np.delete(available, 4, 0))
    assert servers[4].all()
    assert mask[70:].all()


def test_wrappers_take_in_the_option_to_refuse(pool):
    """One more score and one more choice for each device; the last choice refuses."""
    env = gym.make(ID, instances=pool, refusal=True)
    assert env.action_space["server"].nvec.tolist() == [8] * 10
    scores, discrete = ScoreActions(env), DiscreteActions(env)
    assert scores.action_space.shape == (10 * 8 + 10 + 6,)
    scores.reset(seed=0)
    active = env.unwrapped.batch.slots.active[0]
    vector = np.full(scores.action_space.shape, -0.5)
    vector[7:80:8] = 0.5
    assert scores.action(vector)["server"].tolist() == np.where(active, 7, 0).tolist()
    assert discrete.action_masks()[:80].reshape(10, 8)[active, 7].all()
    choice = np.r_[np.full(10, 7), np.zeros(13, int)]
    assert discrete.step(choice)[-1]["refused"] == active.sum()


def test_wrappers_refuse_other_environments():
    """They need the offloading environment underneath."""
    with pytest.raises(TypeError, match="allowed is an OffloadingEnv"):
        FlatObservation(gym.make("CartPole-v1"))


def test_ppo_trains_on_scores(env):
    """Stable-Baselines3's checker accepts flat observations and scores, and its PPO trains."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_checker import check_env

    flat = FlatObservation(ScoreActions(env))
    check_env(flat)
    model = PPO("MlpPolicy", flat, n_steps=64, batch_size=64, n_epochs=1, seed=0, device="cpu")
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(256)
    assert model.num_timesteps == 256
    after = list(model.policy.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_maskable_ppo_trains_and_keeps_to_the_mask(env):
    """sb3-contrib's MaskablePPO trains on discrete choices and never names a masked server."""
    from sb3_contrib import MaskablePPO
    from sb3_contrib.common.maskable.utils import is_masking_supported

    flat = FlatObservation(DiscreteActions(env))
    model = MaskablePPO("MlpPolicy", flat, n_steps=64, batch_size=64, n_epochs=1, seed=0)
    assert is_masking_supported(model.get_env())
    model.learn(256)
    obs, _ = flat.reset(seed=1)
    for _ in range(8):
        mask = flat.get_wrapper_attr("action_masks")()
        choice, _ = model.predict(obs, action_masks=mask)
        assert mask[:70].reshape(10, 7)[np.arange(10), choice[:10]].all()
        obs, _, _, _, _ = flat.step(choice)


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
@pytest.mark.parametrize("shape", ["ScoreActions", "DiscreteActions"])
def test_vector_wrappers_are_the_single_ones(pool, mode, shape):
    """Flat observations, final ones too, rewards and masks of every environment, bit for bit."""
    actions = {"ScoreActions": ScoreActions, "DiscreteActions": DiscreteActions}[shape]
    several = gym.make_vec(ID, num_envs=2, instances=pool, autoreset_mode=mode)
    several = vector_wrappers.FlatObservation(getattr(vector_wrappers, shape)(several))

    def one():
        return FlatObservation(actions(gym.make(ID, instances=pool, disable_env_checker=True)))

    loop = SyncVectorEnv([one] * 2, autoreset_mode=AutoresetMode(mode))
    assert several.observation_space == loop.observation_space
    assert several.action_space == loop.action_space
    np.testing.assert_array_equal(several.reset(seed=3)[0], loop.reset(seed=3)[0])
    several.action_space.seed(0)
    for _ in range(10):
        chosen = several.action_space.sample()
        if shape == "DiscreteActions":
            masks = several.env.action_masks()
            singles = [env.env.action_masks() for env in loop.envs]
            np.testing.assert_array_equal(masks, np.stack(singles))
        mine, theirs = several.step(chosen), loop.step(chosen)
        for found, expected in zip(mine[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(found, expected)
        assert ("final_obs" in mine[4]) == ("final_obs" in theirs[4])
        if "final_obs" in mine[4]:
            finals = np.stack(mine[4]["final_obs"]), np.stack(theirs[4]["final_obs"])
            np.testing.assert_array_equal(*finals)


def test_wrappers_of_gymnasium_work_on_the_vector_environment(pool):
    """Flat and normalised observations, filtered ones, and statistics, over ends of episodes."""
    from gymnasium.wrappers import vector

    def made():
        return gym.make_vec(ID, num_envs=2, instances=pool, autoreset_mode="NextStep")

    flat = vector.FlattenObservation(made())
    stacks = [
        vector.NormalizeObservation(flat),
        vector.FilterObservation(made(), ["devices", "links"]),
        vector.NormalizeReward(vector.RecordEpisodeStatistics(made())),
        vector.RecordEpisodeStatistics(gym.make_vec(ID, num_envs=2, instances=pool)),
    ]
    for env in stacks:
        env.reset(seed=0)
        env.action_space.seed(0)
        for _ in range(19):
            obs, *_ = env.step(env.action_space.sample())
            shapes = [x.shape for x in (obs.values() if isinstance(obs, dict) else [obs])]
            assert all(shape[0] == 2 for shape in shapes)
    assert flat.single_observation_space.shape == (flat.unwrapped.batch.obs_dim,)


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("actions", [ScoreActions, DiscreteActions])
def test_passes_the_checker_of_stable_baselines3(name, actions):
    """check_env has nothing to say, in any world."""
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    episodes = training_episodes(preset(name, n_slots=4), 2)
    env = FlatObservation(actions(gym.make(ID, instances=episodes)))
    checker.check_env(env, warn=True)
