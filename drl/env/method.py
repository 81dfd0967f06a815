"""A policy of the environment as a method: any library that acts on observations takes part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from drl.env.env import OffloadingEnv
from satedge.problem.instance import Instance
from satedge.problem.plan import Outcome, Progress, Report, concatenate, ignore
from satedge.problem.scenario import Scenario

#: Observation and wrapped environment -> action.
Decide = Callable[[Any, Any], Any]


def play(
    instance: Instance,
    decide: Decide,
    *,
    wrap: Callable[[Any], gym.Env] = lambda env: env,
    reference: Scenario | str | None = None,
    seed: int = 0,
    report: Report = ignore,
) -> Outcome:
    """Play a policy through an instance, in the environment wrapped as it was for training.

    `reference` is the scenario whose ranges normalise observations: the one that the policy was
    trained in, where that is another than the instance's. Every decision passes the projector with
    the same draws as in `satedge.problem.rollout.rollout`.
    """
    base = OffloadingEnv(instances=[instance], reference=reference)
    env = wrap(base)
    observation, _ = env.reset(seed=seed)
    plans, resampled = [], []
    for t in range(instance.n_slots):
        observation, *_ = env.step(decide(observation, env))
        result = base.decided
        plans.append(result.plan)
        resampled += [(t, int(k)) for k in np.flatnonzero(result.resampled[0])]
    whole = concatenate(plans)
    report(Progress(whole))
    return Outcome(whole, info={"resampled": resampled})
