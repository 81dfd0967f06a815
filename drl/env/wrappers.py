"""Other shapes of the same environment, for learners that take no Dict."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drl.env.env import Action, Observation, OffloadingEnv
from drl.env.spaces import LIMIT, POWER_LEVELS, Floats, Mask, best_available, headings


class FlatObservation(gym.ObservationWrapper[Floats, Any, Observation]):
    """The observation as one vector, laid out as in OffloadingBatch: (obs_dim,) float32."""

    def __init__(self, env: gym.Env[Observation, Any]) -> None:
        super().__init__(env)
        size = _base(env).batch.obs_dim
        self.observation_space = spaces.Box(-LIMIT, LIMIT, (size,), np.float32)

    def observation(self, observation: Observation) -> Floats:
        """The parts one after the other."""
        parts = _base(self.env).batch.encoder.shapes
        return np.concatenate([observation[p].ravel() for p in parts], dtype=np.float32)


class ScoreActions(gym.ActionWrapper[Any, NDArray, Action]):
    """Everything continuous: scores (K S), powers (K) and displacements (2M), all in [-1, 1].

    Each device takes the available server of highest score.
    """

    def __init__(self, env: gym.Env[Any, Action]) -> None:
        super().__init__(env)
        batch = _base(env).batch
        self._n_scores = batch.n_devices * batch.n_options
        size = self._n_scores + batch.n_continuous
        self.action_space = spaces.Box(-1.0, 1.0, (size,), np.float32)

    def action(self, action: NDArray) -> Action:
        """The Dict action of a vector (K S + K + 2M,)."""
        base = _base(self.env)
        k, m = base.batch.n_devices, base.batch.n_uavs
        scores = action[: self._n_scores].reshape(k, -1)
        return {
            "server": np.maximum(best_available(scores, base.action_masks()), 0),
            "power": action[self._n_scores : self._n_scores + k],
            "displacement": action[self._n_scores + k :].reshape(m, 2),
        }


class DiscreteActions(gym.ActionWrapper[Any, NDArray, Action]):
    """Everything discrete: a server (S) and a power level (5) for each device, a heading for each
    UAV (stay, or a full step in one of 8 directions).
    """

    def __init__(self, env: gym.Env[Any, Action]) -> None:
        super().__init__(env)
        batch = _base(env).batch
        k, m = batch.n_devices, batch.n_uavs
        self._levels = np.array(POWER_LEVELS, np.float32)
        self._headings = headings(8)
        options = [batch.n_options] * k + [len(self._levels)] * k + [len(self._headings)] * m
        self.action_space = spaces.MultiDiscrete(options)
        self._n_options = sum(options)

    def action(self, action: NDArray) -> Action:
        """The Dict action of the choices (2K + M,)."""
        k = _base(self.env).batch.n_devices
        return {
            "server": action[:k],
            "power": self._levels[action[k : 2 * k]],
            "displacement": self._headings[action[2 * k :]],
        }

    def action_masks(self) -> Mask:
        """All choices one after the other, as MaskablePPO wants them: (sum of options,).

        A device without any available server may choose all: what it chooses has no effect.
        """
        mask = _base(self.env).action_masks()
        mask |= ~mask.any(axis=-1, keepdims=True)
        return np.concatenate([mask.ravel(), np.ones(self._n_options - mask.size, bool)])


def _base(env: gym.Env) -> OffloadingEnv:
    base = env.unwrapped
    if not isinstance(base, OffloadingEnv):
        raise TypeError(f"{base}: allowed is an OffloadingEnv")
    return base
