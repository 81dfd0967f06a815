"""Playing: R runs, each with E episodes at once, and what their learner takes note of.

Episodes come in blocks (`drl.env.pool.FreshEpisodes`). Every run plays those of a block in an order
of its own, each at most once, and all runs go on to the next block together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from drl.core.learner import Action, Learner, Transition, View
from drl.env.pool import Pool
from drl.env.vector_env import OffloadingBatch, StepResult

#: Figures of an episode that are logged: means over its slots.
FIGURES = ("cost", "latency_s", "energy_J", "misses", "resampled")

#: Between the seeds of a run's episodes that are played at once.
LANE = 2**32


class Stage:
    """The environments of R runs."""

    def __init__(
        self, block: Callable[[int], Pool], seeds: Sequence[int], together: int, device: str
    ) -> None:
        """`block(i)` has the episodes of block i, the same number in each. `together` is E: a slot
        of ten episodes takes little longer than a slot of one."""
        self.n_runs, self.together, self.device = len(seeds), together, device
        self._block, self._number, self._seeds, self._rounds = block, 0, seeds, 0
        lanes = np.asarray(seeds)[:, None] + LANE * np.arange(together)
        pool, n_envs = block(0), len(seeds) * together
        self.env = OffloadingBatch(pool, n_envs, seed=lanes.ravel(), autoreset="off", as_plans=True)

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state of `env` between episodes."""
        self.env.restore(state)
        self._rounds = int(state["episode"][0]) + 1

    def play(self, learner: Learner) -> dict[str, np.ndarray]:
        """Play E episodes in every run. Returns means over their slots, (R,) each.

        The learner takes note of one episode after the other.
        """
        rewards: list[np.ndarray] = []
        infos: list[dict[str, np.ndarray]] = []
        played: list[Transition] = []
        view, ended = self._begin(), False
        while not ended:
            action = learner.act(view)
            server, numbers = learner.layout.decode(action.choice, action.numbers, view.mask)
            step = self.env.step(
                server.flatten(0, 1).cpu().numpy(), numbers.flatten(0, 1).cpu().numpy()
            )
            following = self._view(step.final_obs, step.final_mask, step.final_active)
            ended = bool(step.truncated.all())
            reward, cost = self._feedback(step)
            transition = Transition(view, action, reward, following, cost, ended)
            learner.observe(lane(transition, 0))
            played.append(transition)
            view = following
            rewards.append(step.reward)
            infos.append(step.info)
        for i in range(1, self.together):
            for transition in played:
                learner.observe(lane(transition, i))
        means = {name: np.mean([i[name] for i in infos], axis=0) for name in FIGURES}
        means["reward"] = np.mean(rewards, axis=0)
        return {name: value.reshape(self.n_runs, -1).mean(axis=1) for name, value in means.items()}

    def _begin(self) -> View:
        """Begin the next episode everywhere, in the next block where this one is used up."""
        size = len(self.env.pool.instances)
        number, place = divmod(self._rounds, max(1, size // self.together))
        self._rounds += 1
        if number != self._number:
            self.env.pool, self._number = self._block(number), number
        here = (place * self.together + np.arange(self.together)) % size
        orders = (np.random.default_rng([s, number]).permutation(size) for s in self._seeds)
        return self._view(*self.env.reset(np.concatenate([order[here] for order in orders])))

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
