"""Playing: R runs, each with E episodes at once, and what their learner takes note of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from drl.core.learner import Action, Learner, Transition, View
from drl.env.vector_env import OffloadingBatch, StepResult
from satedge.problem.instance import Instance

#: Figures of an episode that are logged: means over its slots.
FIGURES = ("cost", "latency_s", "energy_J", "misses", "resampled")

#: Between the seeds of a run's episodes that are played at once.
LANE = 2**32


class Stage:
    """The environments of R runs; a run's first lane of episodes is the same for every E."""

    def __init__(
        self, episodes: Sequence[Instance], seeds: Sequence[int], together: int, device: str
    ) -> None:
        """`together` is E. A slot of ten episodes takes little longer than a slot of one."""
        self.n_runs, self.together, self.device = len(seeds), together, device
        self.env = OffloadingBatch(episodes, len(seeds) * together)
        lanes = np.asarray(seeds)[:, None] + LANE * np.arange(together)
        self.view = self._view(*self.env.reset(seed=lanes.ravel()))

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state of `env`."""
        self.view = self._view(*self.env.restore(state))

    def play(self, learner: Learner) -> dict[str, np.ndarray]:
        """Play E episodes in every run. Returns means over their slots, (R,) each.

        The learner takes note of one episode after the other.
        """
        rewards: list[np.ndarray] = []
        infos: list[dict[str, np.ndarray]] = []
        played: list[Transition] = []
        ended = False
        while not ended:
            action = learner.act(self.view)
            server, numbers = learner.layout.decode(action.choice, action.numbers, self.view.mask)
            step = self.env.step(
                server.flatten(0, 1).cpu().numpy(), numbers.flatten(0, 1).cpu().numpy()
            )
            following = self._view(step.final_obs, step.final_mask, step.final_active)
            ended = bool(step.truncated.all())
            reward, cost = self._feedback(step)
            transition = Transition(self.view, action, reward, following, cost, ended)
            learner.observe(lane(transition, 0))
            played.append(transition)
            self.view = self._view(step.obs, step.mask, step.active)
            rewards.append(step.reward)
            infos.append(step.info)
        for i in range(1, self.together):
            for transition in played:
                learner.observe(lane(transition, i))
        means = {name: np.mean([i[name] for i in infos], axis=0) for name in FIGURES}
        means["reward"] = np.mean(rewards, axis=0)
        return {name: value.reshape(self.n_runs, -1).mean(axis=1) for name, value in means.items()}

    def _view(self, obs: np.ndarray, mask: np.ndarray, active: np.ndarray) -> View:
        return View(*(self._by_run(torch.from_numpy(x)) for x in (obs, mask, active)))

    def _feedback(self, step: StepResult) -> tuple[Tensor, Tensor]:
        """Reward (R, E) and the devices' costs (R, E, K)."""
        parts = (step.reward, step.verdict.device_cost)
        reward, cost = (self._by_run(torch.from_numpy(x).float()) for x in parts)
        return reward, cost

    def _by_run(self, x: Tensor) -> Tensor:
        return x.unflatten(0, (self.n_runs, self.together)).to(self.device)


def lane(transition: Transition, i: int) -> Transition:
    """Episode i of those played at once: axes (R, E) become (R, 1)."""

    def of(view: View) -> View:
        return View(*(x[:, i : i + 1] for x in (view.obs, view.mask, view.active)))

    t, one = transition, slice(i, i + 1)
    action = Action(t.action.choice[:, one], t.action.numbers[:, one])
    costs = t.reward[:, one], t.device_cost[:, one]
    return Transition(of(t.view), action, costs[0], of(t.next_view), costs[1], t.truncated)
