"""Other shapes of the same environment, for learners that take no Dict.

`drl.env.vector_wrappers` has the same for the vector environment.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drl.env.env import Action, Observation, OffloadingEnv
from drl.env.spaces import LIMIT, POWER_LEVELS, Floats, Mask, best_available, headings
from drl.env.vector_env import OffloadingBatch

#: Directions in which a UAV flies a full step, beside staying.
N_HEADINGS = 8


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
        self.action_space = score_space(batch)

    def action(self, action: NDArray) -> Action:
        """The Dict action of a vector (K S + K + 2M,)."""
        base = _base(self.env)
        return from_scores(base.batch, action, base.action_masks())


class DiscreteActions(gym.ActionWrapper[Any, NDArray, Action]):
    """Everything discrete: a server (S) and a power level (5) for each device, a heading for each
    UAV (stay, or a full step in one of 8 directions).
    """

    def __init__(self, env: gym.Env[Any, Action]) -> None:
        super().__init__(env)
        self.action_space = choice_space(_base(env).batch)

    def action(self, action: NDArray) -> Action:
        """The Dict action of the choices (2K + M,)."""
        return from_choices(_base(self.env).batch, action)

    def action_masks(self) -> Mask:
        """All choices one after the other, as MaskablePPO wants them: (sum of options,).

        A device without any available server may choose all: what it chooses has no effect.
        """
        return choice_masks(_base(self.env).batch, _base(self.env).action_masks())


def score_space(batch: OffloadingBatch) -> spaces.Box:
    """Scores, powers and displacements of one environment: (K S + K + 2M,)."""
    size = batch.n_devices * batch.n_options + batch.n_continuous
    return spaces.Box(-1.0, 1.0, (size,), np.float32)


def from_scores(batch: OffloadingBatch, values: NDArray, masks: Mask) -> Action:
    """Dict actions of vectors (..., K S + K + 2M), where masks (..., K, S) hold."""
    k, m, lead = batch.n_devices, batch.n_uavs, values.shape[:-1]
    ends = np.cumsum([k * batch.n_options, k])
    scores, power, displacement = np.split(values, ends, axis=-1)
    scores = scores.reshape(*lead, k, batch.n_options)
    return {
        "server": np.maximum(best_available(scores, masks), 0),
        "power": power,
        "displacement": displacement.reshape(*lead, m, 2),
    }


def choice_space(batch: OffloadingBatch) -> spaces.MultiDiscrete:
    """Servers, power levels and headings of one environment: (2K + M,) choices."""
    k, m = batch.n_devices, batch.n_uavs
    options = [batch.n_options] * k + [len(POWER_LEVELS)] * k + [N_HEADINGS + 1] * m
    return spaces.MultiDiscrete(options)


def from_choices(batch: OffloadingBatch, choices: NDArray) -> Action:
    """Dict actions of choices (..., 2K + M)."""
    server, level, heading = np.split(choices, [batch.n_devices, 2 * batch.n_devices], axis=-1)
    return {
        "server": server,
        "power": np.array(POWER_LEVELS, np.float32)[level],
        "displacement": headings(N_HEADINGS)[heading],
    }


def choice_masks(batch: OffloadingBatch, masks: Mask) -> Mask:
    """All choices one after the other, (..., sum of options), of masks (..., K, S)."""
    lead, n_options = masks.shape[:-2], int(choice_space(batch).nvec.sum())
    servers = (masks | ~masks.any(axis=-1, keepdims=True)).reshape(*lead, -1)
    rest = np.ones((*lead, n_options - servers.shape[-1]), bool)
    return np.concatenate([servers, rest], axis=-1)


def _base(env: gym.Env) -> OffloadingEnv:
    base = env.unwrapped
    if not isinstance(base, OffloadingEnv):
        raise TypeError(f"{base}: allowed is an OffloadingEnv")
    return base
