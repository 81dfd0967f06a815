"""A batch of offloading environments as arrays: one step decides one slot in each of them.

The referee judges and the projector projects the whole batch at once; there is no loop over
environments or devices. `drl.env.env` puts gymnasium's interfaces around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drl.env.pool import Pool
from drl.env.spaces import Array, Floats, Mask, decode
from satedge.problem.instance import Instance, InstanceError
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.projector import Changes, project_slots, slot_keys
from satedge.problem.referee import Verdict, judge
from satedge.problem.scenario import Scenario


@dataclass(frozen=True, eq=False)
class StepResult:
    """What a step brings to B environments. Where none ended, `final_*` are the same arrays."""

    obs: Floats
    """(B, obs_dim) What to decide on next; where an episode ended, the next one's first."""
    mask: Mask
    """(B, K, S) Available servers, as far as known before deciding; see `OffloadingBatch`."""
    active: Mask
    """(B, K) Devices that have a request."""
    reward: Array
    """(B,) Eq. (34)."""
    truncated: Mask
    """(B,) The episode ended, by its time limit: values are still bootstrapped."""
    final_obs: Floats
    """(B, obs_dim) The successor of this step, whether or not the episode ended."""
    final_mask: Mask
    """(B, K, S) Its mask."""
    final_active: Mask
    """(B, K) Its devices with a request."""
    info: dict[str, NDArray]
    """(B,) each, see `summary`."""
    plan: Plan
    """The decisions carried out: T axis is the batch."""
    verdict: Verdict
    """The referee's word on them."""
    resampled: Mask
    """(B, K) Servers that were not available, and that the projector has drawn anew."""


class OffloadingBatch:
    """`n_envs` environments over a pool of episodes of one scenario.

    Environment i has seed `seed + i`. Every episode draws its instance from the pool, and seeds
    the projector, from (seed, number of the episode) alone, so that an environment does not
    depend on those beside it. The first episode's projector seed is the environment's seed, as in
    `satedge.problem.rollout`.

    `pool` is a Pool or its episodes. With `autoreset`, the step that ends an episode begins the
    next one; without, `reset` must. With `refusal`, devices have one more option, number S, which
    refuses their request, and masks one more column: true for every request.
    """

    def __init__(
        self,
        pool: Pool | Sequence[Instance],
        n_envs: int,
        seed: int = 0,
        *,
        autoreset: bool = True,
        refusal: bool = False,
    ) -> None:
        self.pool = pool if isinstance(pool, Pool) else Pool(pool)
        s = self.scenario = self.pool.scenario
        self.encoder = self.pool.encoder
        self.n_envs, self.n_devices, self.n_servers = n_envs, s.n_devices, s.n_servers
        self.n_uavs, self.obs_dim = s.n_uavs, self.encoder.size
        self.n_continuous = s.n_devices + 2 * s.n_uavs
        self.n_options = s.n_servers + refusal
        self._autoreset, self._refusal = autoreset, refusal
        self._seed = self._seeds(seed)
        self._episode = np.full(n_envs, -1)
        self._instance = np.zeros(n_envs, np.int64)
        self._slot = np.zeros(n_envs, np.int64)
        self._uav_xy_m = np.zeros((n_envs, s.n_uavs, 2))
        self._view = self.pool.slots.rows(slice(0, 0))

    def reset(
        self, instances: ArrayLike | None = None, seed: int | ArrayLike | None = None
    ) -> tuple[Floats, Mask, Mask]:
        """Begin an episode everywhere: obs (B, obs_dim), mask (B, K, S), active (B, K).

        `instances` (B,) are positions in the pool, drawn when not given. `seed` starts afresh:
        an integer as in the constructor, or one for each environment.
        """
        if seed is not None:
            self._seed = self._seeds(seed)
            self._episode[:] = -1
        self._begin(np.ones(self.n_envs, bool), instances)
        return self._observe()

    def step(self, server: NDArray, continuous: NDArray) -> StepResult:
        """Decide the current slots: servers (B, K), `continuous` (B, K + 2M), see `decode`.

        Any numbers will do; the projector makes them admissible. Raises RuntimeError before the
        first `reset`, and after the end of an episode without `autoreset`.
        """
        if (self._slot >= self.pool.length[self._instance]).any() or (self._episode < 0).any():
            raise RuntimeError("an episode ended or none began: call reset first")
        before = self._uav_xy_m
        raw = decode(self.scenario, self._servers(server), continuous, before)
        keys = slot_keys(self._draw_seed(), self._slot)
        plan, changes = project_slots(self._view, before, raw, keys)
        verdict = judge(self._view, plan, previous_xy_m=before)
        info = summary(verdict, changes) | {"instance": self._instance.copy()}

        self._uav_xy_m = plan.uav_xy_m
        self._slot = self._slot + 1
        truncated = self._slot >= self.pool.length[self._instance]
        final = self._observe()
        following = final
        if truncated.any() and self._autoreset:
            self._begin(truncated)
            following = self._observe()
        reward = slot_reward(self.scenario, verdict)
        return StepResult(
            *following, reward, truncated, *final, info, plan, verdict, changes.server
        )

    @property
    def slots(self) -> Instance:
        """The B slots to decide on: the T axis is the batch."""
        return self._view

    @property
    def uav_xy_m(self) -> Array:
        """(B, M, 2) Where the UAVs are before moving."""
        return self._uav_xy_m.copy()

    @property
    def instance(self) -> NDArray[np.int64]:
        """(B,) Position in the pool of each environment's episode."""
        return self._instance.copy()

    @property
    def slot(self) -> NDArray[np.int64]:
        """(B,) Slots of the episode that are over."""
        return self._slot.copy()

    def state(self) -> dict[str, NDArray]:
        """Everything that changes, (B, ...) each, to go on later from here with `restore`."""
        names = ("seed", "episode", "instance", "slot", "uav_xy_m")
        return {name: getattr(self, f"_{name}").copy() for name in names}

    def restore(self, state: dict[str, NDArray]) -> tuple[Floats, Mask, Mask]:
        """Go on from a `state` of a batch over the same pool; returns what `reset` returns."""
        for name, value in state.items():
            setattr(self, f"_{name}", value.copy())
        return self._observe()

    def _servers(self, option: NDArray) -> NDArray:
        """Servers of options, (B, K): -1 is no option, it is resampled like any foreign number."""
        named = np.where(np.asarray(option) == NO_SERVER, self.n_options, option)
        return np.where(named == self.n_servers, NO_SERVER, named) if self._refusal else named

    def _seeds(self, seed: int | ArrayLike) -> NDArray[np.uint64]:
        given = np.asarray(seed)
        if given.dtype.kind not in "iu" or given.shape not in ((), (self.n_envs,)):
            raise ValueError(f"seed = {seed!r}: allowed is an integer, or {self.n_envs} of them")
        spread = given + np.arange(self.n_envs) if given.ndim == 0 else given
        return spread.astype(np.uint64)

    def _draw_seed(self) -> NDArray[np.uint64]:
        """(B,) The seed of every environment's current episode."""
        later = slot_keys(self._seed, self._episode)
        return np.where(self._episode == 0, self._seed, later)

    def _begin(self, which: Mask, instances: ArrayLike | None = None) -> None:
        """Start the next episode in some environments."""
        self._episode = self._episode + which
        # No slot has this number, so the draw of the instance is none of the projector's.
        drawn = slot_keys(self._draw_seed(), np.full(self.n_envs, -1))
        n_instances = len(self.pool.instances)
        chosen = (drawn % np.uint64(n_instances)).astype(np.int64)
        if instances is not None:
            given = np.asarray(instances, np.int64)
            if given.shape not in ((), chosen.shape):
                raise InstanceError(f"instances: allowed is one position, or {self.n_envs}")
            chosen = np.broadcast_to(given, chosen.shape)
            if chosen.min() < 0 or chosen.max() >= n_instances:
                raise InstanceError(f"instances: allowed is 0..{n_instances - 1}")
        self._instance = np.where(which, chosen, self._instance)
        self._slot = np.where(which, 0, self._slot)
        start_xy_m = self.pool.start_xy_m[self._instance]
        self._uav_xy_m = np.where(which[:, None, None], start_xy_m, self._uav_xy_m)

    def _observe(self) -> tuple[Floats, Mask, Mask]:
        """Look at the current slots. After the last one, at that one again.

        An instance says nothing of the slot after its end. Its last slot, seen from where the
        UAVs are now, has the same distribution and stands for it in bootstrapped values.
        """
        last = self.pool.length[self._instance] - 1
        row = self.pool.offset[self._instance] + np.minimum(self._slot, last)
        self._view = self.pool.slots.rows(row)
        obs = self.pool.exogenous[row]
        mask = self.encoder.complete(obs, self._view, self._slot, self._uav_xy_m)
        active = self._view.active
        if self._refusal:
            mask = np.concatenate([mask, active[..., None]], axis=-1)
        return obs, mask, active


def slot_reward(scenario: Scenario, verdict: Verdict) -> Array:
    """r = K beta_r / sum_k C_k with the bounded cost, 0 when all are idle: (T,). Eq. (34)."""
    total = verdict.device_cost.sum(axis=-1)
    scale = scenario.n_devices * scenario.reward_scale
    return np.where(total > 0, scale / np.where(total > 0, total, 1.0), 0.0)


def summary(verdict: Verdict, changes: Changes) -> dict[str, NDArray]:
    """Figures of T independent slots, (T,) each.

    cost: mean over all K devices; latency_s: mean over all K devices; energy_J: sum; misses:
    requests that miss their deadline; refused: requests without a server; outages: requests sent
    whose cost is bounded; resampled, clipped, held: servers, powers and UAV motions that the
    projector changed.
    """
    return {
        "cost": verdict.slot_cost,
        "latency_s": verdict.latency_s.mean(axis=-1),
        "energy_J": verdict.energy_J.sum(axis=-1),
        "misses": verdict.missed.sum(axis=-1),
        "refused": verdict.refused.sum(axis=-1),
        "outages": verdict.outage.sum(axis=-1),
        "resampled": changes.server.sum(axis=-1),
        "clipped": changes.power.sum(axis=-1),
        "held": changes.motion.sum(axis=-1),
    }
