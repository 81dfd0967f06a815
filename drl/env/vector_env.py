"""A batch of offloading environments as arrays: one step decides one slot in each of them.

One kernel projects, judges and looks at the whole batch (`drl.env.kernel`); this module keeps
count of episodes. `drl.env.env` puts gymnasium's interfaces around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from drl.env.kernel import COUNTS, NUMBERS, Seen, Told, observe, step, told_for
from drl.env.pool import Pool
from drl.env.spaces import Array, Floats, Mask, decode
from satedge.compiled.projector import Changed, Raw
from satedge.compiled.referee import Judged, judged_for, verdict_of
from satedge.compiled.slots import Decisions, scratch_for
from satedge.problem.instance import Instance, InstanceError
from satedge.problem.plan import NO_SERVER, Plan
from satedge.problem.projector import slot_keys
from satedge.problem.referee import Verdict

#: When an episode begins after one that ended.
AUTORESET = ("same-step", "next-step", "off")

#: Figures of a step: docs/environment.md says what they are.
FIGURES = (*NUMBERS, *COUNTS)

#: Decisions carried out, what they cost, what is told of them, and servers drawn anew.
Played = tuple[Decisions, Judged, Told, Mask]


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
    fresh: Mask
    """(B,) An episode began instead of a decision: the row after its end, with next-step reset.
    Its reward and figures are 0, and plan and verdict say nothing."""
    info: dict[str, NDArray]
    """(B,) each: `instance`, where it is in the pool, and FIGURES."""
    plan: Plan
    """The decisions carried out: T axis is the batch."""
    verdict: Verdict
    """The referee's word on them."""
    resampled: Mask
    """(B, K) Servers that were not available, and that the projector has drawn anew."""


class OffloadingBatch:
    """`n_envs` environments over a pool of episodes of one scenario.

    Environment i has seed `seed + i`, or number i of n_envs seeds. Every episode draws its
    instance from the pool, and seeds the projector, from (seed, number of the episode) alone, so
    that an environment does not depend on those beside it. The first episode's projector seed is
    the environment's seed, as in `satedge.problem.rollout`.

    `pool` is a Pool or its episodes. `autoreset` is one of AUTORESET: the step that ends an
    episode begins the next one, or the step after it, or only `reset` does. With `refusal`,
    devices have one more option, number S, which refuses their request, and masks one more
    column: true for every request. With `as_plans`, -1 refuses, as it does in plans, and masks
    stay as they are.
    """

    def __init__(
        self,
        pool: Pool | Sequence[Instance],
        n_envs: int,
        seed: int | ArrayLike = 0,
        *,
        autoreset: str = "same-step",
        refusal: bool = False,
        as_plans: bool = False,
    ) -> None:
        if autoreset not in AUTORESET:
            raise ValueError(f"autoreset = {autoreset!r}: allowed is one of {AUTORESET}")
        self.pool = pool if isinstance(pool, Pool) else Pool(pool)
        s = self.scenario = self.pool.scenario
        self.encoder = self.pool.encoder
        self.n_envs, self.n_devices, self.n_servers = n_envs, s.n_devices, s.n_servers
        self.n_uavs, self.obs_dim = s.n_uavs, self.encoder.size
        self.n_continuous = s.n_devices + 2 * s.n_uavs
        self.n_options = s.n_servers + refusal
        self._autoreset, self._refusal, self._as_plans = autoreset, refusal, as_plans
        self._seed = self._seeds(seed)
        self._episode = np.full(n_envs, -1)
        self._instance = np.zeros(n_envs, np.int64)
        self._slot = np.zeros(n_envs, np.int64)
        self._uav_xy_m = np.zeros((n_envs, s.n_uavs, 2))
        self._scratch = scratch_for(s)
        self._draw_seed = self._seed

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
        over = self._over()
        if (self._episode < 0).any() or (over.any() and self._autoreset != "next-step"):
            raise RuntimeError("an episode ended or none began: call reset first")
        played, final = self._play(self._raw(server, continuous))
        done, found, told, resampled = played
        self._uav_xy_m, self._slot = done.uav_xy_m, self._slot + 1
        truncated = self._over() & ~over
        for told_of in (told.reward, *told.number, *told.count, resampled):
            told_of[over] = 0
        info = dict(zip(FIGURES, (*told.number, *told.count), strict=True))
        info["instance"] = self._instance.copy()
        begins = {"same-step": truncated, "next-step": over, "off": over}[self._autoreset]
        following = self._renewed(final, begins) if begins.any() else final
        if self._autoreset == "next-step":
            final = following
        plan = Plan(done.server, done.power_W, done.uav_xy_m)
        verdict = verdict_of(found, self.scenario, (self.n_envs,))
        decided = plan, verdict, resampled
        return StepResult(*following, told.reward, truncated, *final, over, info, *decided)

    @property
    def slots(self) -> Instance:
        """The B slots to decide on: the T axis is the batch."""
        return self.pool.slots.rows(self._row())

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
        self._count_episodes(self._episode)
        return self._observe()

    def _servers(self, option: NDArray) -> NDArray:
        """Servers of options, (B, K): -1 is no option, it is resampled like any foreign number,
        unless it is meant as in plans."""
        if self._as_plans:
            return np.asarray(option)
        named = np.where(np.asarray(option) == NO_SERVER, self.n_options, option)
        return np.where(named == self.n_servers, NO_SERVER, named) if self._refusal else named

    def _seeds(self, seed: int | ArrayLike) -> NDArray[np.uint64]:
        given = np.asarray(seed)
        if given.dtype.kind not in "iu" or given.shape not in ((), (self.n_envs,)):
            raise ValueError(f"seed = {seed!r}: allowed is an integer, or {self.n_envs} of them")
        spread = given + np.arange(self.n_envs) if given.ndim == 0 else given
        return spread.astype(np.uint64)

    def _count_episodes(self, episode: NDArray[np.int64]) -> None:
        """Set the numbers of the episodes (B,), and the seeds of their draws."""
        self._episode = episode
        later = slot_keys(self._seed, episode)
        self._draw_seed = np.where(episode == 0, self._seed, later)

    def _begin(self, which: Mask, instances: ArrayLike | None = None) -> None:
        """Start the next episode in some environments."""
        self._count_episodes(self._episode + which)
        # No slot has this number, so the draw of the instance is none of the projector's.
        drawn = slot_keys(self._draw_seed, np.full(self.n_envs, -1))
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

    def _over(self) -> Mask:
        """(B,) The episode has no slot left."""
        return self._slot >= self.pool.length[self._instance]

    def _row(self, ahead: int = 0) -> NDArray[np.int64]:
        """(B,) Places in the pool of slots so far ahead; after the last, of that one again.

        An instance says nothing of the slot after its end. Its last slot, seen from where the
        UAVs are now, has the same distribution and stands for it in bootstrapped values.
        """
        last = self.pool.length[self._instance] - 1
        return self.pool.offset[self._instance] + np.minimum(self._slot + ahead, last)

    def _raw(self, server: NDArray, continuous: NDArray) -> Raw:
        raw = decode(self.scenario, self._servers(server), continuous, self._uav_xy_m)
        keys = slot_keys(self._draw_seed, self._slot).view(np.int64)
        numbers = (raw.server, raw.power_W, raw.uav_xy_m)
        server, power_W, uav_xy_m = (np.require(x, np.float64, ["C", "W"]) for x in numbers)
        return Raw(server, power_W, uav_xy_m, keys)

    def _play(self, raw: Raw) -> tuple[Played, tuple[Floats, Mask, Mask]]:
        """Decide the current slots, and see the ones after them."""
        b, k, m = self.n_envs, self.n_devices, self.n_uavs
        shapes = (b, k), (b, k), (b, m), (b, k)
        done = Decisions(
            np.empty((b, k), np.int64), np.empty((b, k)), np.empty((b, m, 2)), self._uav_xy_m
        )
        changed = Changed(*(np.empty(shape, bool) for shape in shapes))
        found, told, seen = judged_for(b, k), told_for(b), self._seen(b)
        step(
            self.pool.tables, self._row(), raw, self.scenario.reward_scale, self._scratch, done,
            changed, found, told, self.pool.look, self._row(1), self._slot + 1, seen,
        )  # fmt: skip
        return (done, found, told, changed.resampled), self._with_refusal(seen)

    def _observe(self) -> tuple[Floats, Mask, Mask]:
        """Look at the current slots."""
        return self._look_at(np.arange(self.n_envs))

    def _renewed(self, final: tuple[Floats, Mask, Mask], which: Mask) -> tuple[Floats, Mask, Mask]:
        """Begin in some environments, and see that instead."""
        self._begin(which)
        seen = final[0].copy(), final[1].copy(), final[2].copy()
        for whole, part in zip(seen, self._look_at(np.flatnonzero(which)), strict=True):
            whole[which] = part
        return seen

    def _look_at(self, which: NDArray[np.int64]) -> tuple[Floats, Mask, Mask]:
        """Look at the current slots of environments `which` (n,)."""
        seen = self._seen(len(which))
        row, slot, at = self._row()[which], self._slot[which], self._uav_xy_m[which]
        observe(self.pool.look, self.pool.tables, row, slot, at, self._scratch, seen)
        return self._with_refusal(seen)

    def _seen(self, n_envs: int) -> Seen:
        """Room for observations."""
        devices = (n_envs, self.n_devices)
        obs = np.empty((n_envs, self.obs_dim), np.float32)
        return Seen(obs, np.empty((*devices, self.n_servers), bool), np.empty(devices, bool))

    def _with_refusal(self, seen: Seen) -> tuple[Floats, Mask, Mask]:
        mask = seen.mask
        if self._refusal:
            mask = np.concatenate([mask, seen.active[..., None]], axis=-1)
        return seen.obs, mask, seen.active
