"""The wrappers of `drl.env.wrappers` for the vector environment, with either autoreset mode."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorActionWrapper, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from drl.env.env import Action, Observation, OffloadingVectorEnv
from drl.env.spaces import LIMIT, Floats, Mask
from drl.env.wrappers import choice_masks, choice_space, from_choices, from_scores, score_space


class FlatObservation(VectorWrapper):
    """Observations as one matrix, laid out as in OffloadingBatch: (B, obs_dim) float32."""

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        size = _base(env).batch.obs_dim
        self.single_observation_space = spaces.Box(-LIMIT, LIMIT, (size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)

    def reset(self, **options: Any) -> tuple[Floats, dict[str, Any]]:
        """As the environment, flat."""
        obs, info = self.env.reset(**options)
        return self._flat(obs, (self.num_envs,)), info

    def step(self, actions: Any) -> tuple[Floats, NDArray, NDArray, NDArray, dict[str, Any]]:
        """As the environment, flat; final observations too."""
        obs, reward, terminated, truncated, info = self.env.step(actions)
        for i in np.flatnonzero(info.get("_final_obs", ())):
            info["final_obs"][i] = self._flat(info["final_obs"][i], ())
        return self._flat(obs, (self.num_envs,)), reward, terminated, truncated, info

    def _flat(self, obs: Observation, lead: tuple[int, ...]) -> Floats:
        parts = [obs[name].reshape(*lead, -1) for name in _base(self.env).batch.encoder.shapes]
        return np.concatenate(parts, axis=-1, dtype=np.float32)


class ScoreActions(VectorActionWrapper):
    """Everything continuous, (B, K S + K + 2M) in [-1, 1]: see `drl.env.wrappers.ScoreActions`."""

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        self.single_action_space = score_space(_base(env).batch)
        self.action_space = batch_space(self.single_action_space, env.num_envs)

    def actions(self, actions: NDArray) -> Action:
        """The Dict actions of vectors."""
        base = _base(self.env)
        return from_scores(base.batch, actions, base.action_masks())


class DiscreteActions(VectorActionWrapper):
    """Everything discrete, (B, 2K + M): see `drl.env.wrappers.DiscreteActions`."""

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        self.single_action_space = choice_space(_base(env).batch)
        self.action_space = batch_space(self.single_action_space, env.num_envs)

    def actions(self, actions: NDArray) -> Action:
        """The Dict actions of choices."""
        return from_choices(_base(self.env).batch, actions)

    def action_masks(self) -> Mask:
        """(B, sum of options) All choices one after the other."""
        base = _base(self.env)
        return choice_masks(base.batch, base.action_masks())


def _base(env: VectorEnv) -> OffloadingVectorEnv:
    base = env.unwrapped
    if not isinstance(base, OffloadingVectorEnv):
        raise TypeError(f"{base}: allowed is an OffloadingVectorEnv")
    return base
