"""The offloading problem as gymnasium environments: one step decides one slot.

`OffloadingEnv` is a batch of one and `OffloadingVectorEnv` a whole batch of `drl.env.vector_env`;
docs/environment.md describes observations, actions, reward and info.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from drl.env.pool import Episodes, Pool, make_pool
from drl.env.render import Frame, slot_image, slot_text
from drl.env.spaces import LIMIT, Encoder, Floats, Mask
from drl.env.vector_env import OffloadingBatch, StepResult
from satedge.problem.instance import InstanceError
from satedge.problem.scenario import Scenario

Observation = dict[str, NDArray]
Action = dict[str, NDArray]
Info = dict[str, Any]

#: Parts of an observation that are 0 or 1.
FLAGS = ("idle", "available")

#: gymnasium's modes that the vector environment has, and the batch's words for them.
AUTORESETS = {AutoresetMode.SAME_STEP: "same-step", AutoresetMode.NEXT_STEP: "next-step"}


class OffloadingEnv(gym.Env[Observation, Action]):
    """`satedge/Offloading-v0`: an episode of T slots, truncated at its end, never terminated.

    `scenario` is a Scenario or the name of a preset; it may be left out where `instances` brings
    its own. `instances` says what episodes there are, see `Episodes`; by default 32 training
    episodes. `reference` is the scenario whose ranges normalise observations. With `refusal` a
    device may also refuse its request: one more option, after the servers.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (gymnasium declares it so)
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 2,
    }

    def __init__(
        self,
        scenario: Scenario | str | None = None,
        instances: Episodes = 32,
        reference: Scenario | str | None = None,
        render_mode: str | None = None,
        refusal: bool = False,
    ) -> None:
        self.render_mode = _checked_mode(render_mode, self.metadata["render_modes"])
        pool = make_pool(scenario, instances, reference)
        self.batch = OffloadingBatch(pool, 1, autoreset="off", refusal=refusal)
        self.observation_space = observation_space(self.batch.encoder)
        self.action_space = action_space(self.batch)
        self._mask: Mask = np.zeros((1, self.batch.n_devices, self.batch.n_options), bool)
        self._seeded = False
        self._frame: Frame | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begin an episode. `options={"instance": position or name}` chooses it from the pool."""
        super().reset(seed=seed)
        chosen = _chosen(options, self.batch.pool)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        self._seeded = True
        obs, self._mask, _ = self.batch.reset(chosen, seed)
        self._frame = Frame.before(self.batch)
        return _single(as_dict(self.batch.encoder, obs)), _single_info(self._here())

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, Info]:
        """Decide a slot. Raises gymnasium's ResetNeeded after the end of an episode."""
        server, continuous = arrays_of(action, self.batch)
        frame = Frame.before(self.batch)
        try:
            result = self.batch.step(server, continuous)
        except RuntimeError as error:
            raise gym.error.ResetNeeded(str(error)) from None
        self._frame = replace(frame, result=result)
        self._mask = result.mask
        info = _single_info({**_figures(result), **self._here()})
        obs = _single(as_dict(self.batch.encoder, result.obs))
        return obs, float(result.reward[0]), False, bool(result.truncated[0]), info

    def action_masks(self) -> Mask:
        """(K, S) Servers available to each device; a row without any is idle or unservable.

        With `refusal` (K, S + 1), the last one true for every request.
        """
        return self._mask[0].copy()

    @property
    def decided(self) -> StepResult:
        """What came of the slot decided last. Raises gymnasium's ResetNeeded without one."""
        if self._frame is None or self._frame.result is None:
            raise gym.error.ResetNeeded("nothing is decided yet: call step first")
        return self._frame.result

    def render(self) -> Any:
        """The slot decided last: a table ("ansi") or a map, (H, W, 3) uint8 ("rgb_array")."""
        if self._frame is None:
            raise gym.error.ResetNeeded("nothing to render: call reset first")
        return slot_image(self._frame) if self.render_mode == "rgb_array" else self._text()

    def _text(self) -> str | None:
        return slot_text(self._frame) if self._frame and self.render_mode == "ansi" else None

    def _here(self) -> Info:
        return _place(self.batch.pool, self.batch.instance, self._mask)


class OffloadingVectorEnv(VectorEnv[Observation, Action, NDArray]):
    """A whole batch behind gymnasium's VectorEnv: what SyncVectorEnv of the single one returns.

    Environment i of `reset(seed=s)` is the single environment of `reset(seed=s + i)`. With
    `autoreset_mode` "SameStep" episodes reset in the step that ends them, and `info["final_obs"]`
    and `info["final_info"]` are theirs; with "NextStep" in the step after it, whose action counts
    for nothing, with reward 0.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": [],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Scenario | str | None = None,
        instances: Episodes = 32,
        reference: Scenario | str | None = None,
        render_mode: str | None = None,
        refusal: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        self.render_mode = _checked_mode(render_mode, self.metadata["render_modes"])
        self.num_envs = num_envs
        mode = _autoreset_mode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": mode}
        pool = make_pool(scenario, instances, reference)
        self.batch = OffloadingBatch(pool, num_envs, autoreset=AUTORESETS[mode], refusal=refusal)
        self.single_observation_space = observation_space(self.batch.encoder)
        self.single_action_space = action_space(self.batch)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        shape = (num_envs, self.batch.n_devices, self.batch.n_options)
        self._mask: Mask = np.zeros(shape, bool)
        self._seeded = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begin an episode everywhere; `options={"instance": ...}`: one for all, or a list."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        chosen = _chosen(options, self.batch.pool)
        if seed is None and not self._seeded:
            seed = int(self.np_random.integers(2**31))
        self._seeded = True
        obs, self._mask, _ = self.batch.reset(chosen, seed)
        everywhere = np.ones(self.num_envs, bool)
        return as_dict(self.batch.encoder, obs), _masked(self._here(), everywhere)

    def step(
        self, actions: Action
    ) -> tuple[Observation, NDArray, NDArray[np.bool_], NDArray[np.bool_], Info]:
        """Decide one slot everywhere."""
        result = self.batch.step(*arrays_of(actions, self.batch))
        self._mask = result.mask
        obs = as_dict(self.batch.encoder, result.obs)
        going = np.zeros(self.num_envs, bool)
        return obs, result.reward, going, result.truncated, self._infos(result)

    def action_masks(self) -> Mask:
        """(B, K, S) Servers available to each device."""
        return self._mask.copy()

    def _infos(self, result: StepResult) -> Info:
        """Figures of the step where episodes go on, those of the end under `final_info`."""
        pool, encoder = self.batch.pool, self.batch.encoder
        same_step = self.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
        ended = result.truncated & same_step
        told = ~(ended | result.fresh)
        infos = _masked(_figures(result), told) if told.any() else {}
        infos |= _masked(self._here(), np.ones(self.num_envs, bool))
        if ended.any():
            last = _figures(result) | _place(pool, result.info["instance"], result.final_mask)
            final = np.full(self.num_envs, None, object)
            for i in np.flatnonzero(ended):  # an array of objects is gymnasium's convention
                final[i] = _single(as_dict(encoder, result.final_obs[i : i + 1].copy()))
            infos |= {"final_obs": final, "_final_obs": ended.copy()}
            infos |= {"final_info": _masked(last, ended), "_final_info": ended.copy()}
        return infos

    def _here(self) -> Info:
        return _place(self.batch.pool, self.batch.instance, self._mask)


def observation_space(encoder: Encoder) -> spaces.Space[Any]:
    """Boxes of about [-1, 1] for what is measured, flags for what is so or not."""
    return spaces.Dict(
        {
            name: spaces.MultiBinary(list(shape))
            if name in FLAGS
            else spaces.Box(-LIMIT, LIMIT, shape, np.float32)
            for name, shape in encoder.shapes.items()
        }
    )


def action_space(batch: OffloadingBatch) -> spaces.Space[Any]:
    """A server for each device, its power on a log scale, and a displacement for each UAV."""
    k, m = batch.n_devices, batch.n_uavs
    return spaces.Dict(
        {
            "server": spaces.MultiDiscrete([batch.n_options] * k),
            "power": spaces.Box(-1.0, 1.0, (k,), np.float32),
            "displacement": spaces.Box(-1.0, 1.0, (m, 2), np.float32),
        }
    )


def as_dict(encoder: Encoder, flat: Floats) -> Observation:
    """Flat observations (B, size) by name, (B, ...)."""
    return {
        name: part.astype(np.int8) if name in FLAGS else part
        for name, part in encoder.split(flat).items()
    }


def arrays_of(action: Action, batch: OffloadingBatch) -> tuple[NDArray, NDArray]:
    """Servers (B, K) and continuous parts (B, K + 2M) of an action. Raises ValueError."""
    b, k, m = batch.n_envs, batch.n_devices, batch.n_uavs
    server = np.asarray(action["server"]).reshape(b, k)
    power = np.asarray(action["power"], float).reshape(b, k)
    displacement = np.asarray(action["displacement"], float).reshape(b, 2 * m)
    return server, np.concatenate([power, displacement], axis=-1)


def _checked_mode(mode: str | None, allowed: list[str]) -> str | None:
    if mode is not None and mode not in allowed:
        raise ValueError(f"render_mode = {mode!r}: allowed is one of {allowed} or None")
    return mode


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    allowed = {known.value: known for known in AUTORESETS}
    value = mode.value if isinstance(mode, AutoresetMode) else mode
    if value not in allowed:
        raise ValueError(f"autoreset_mode = {value!r}: allowed is one of {', '.join(allowed)}")
    return allowed[value]


def _chosen(options: dict[str, Any] | None, pool: Pool) -> Any:
    """Positions in the pool that reset options ask for, None for a draw."""
    given = dict(options or {})
    wanted = given.pop("instance", None)
    if given:
        raise ValueError(f"options {sorted(given)}: allowed is 'instance'")
    if wanted is None or np.ndim(wanted) == 0:
        return None if wanted is None else _position(pool, wanted)
    return [_position(pool, each) for each in wanted]


def _position(pool: Pool, wanted: Any) -> int:
    """Where an instance is in the pool. Raises InstanceError for what is no position or name."""
    names = pool.names.tolist()
    if isinstance(wanted, str) and wanted in names:
        return int(names.index(wanted))
    if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer):
        raise InstanceError(
            f"instance {wanted!r}: allowed is one of {', '.join(names)}, or its position"
        )
    return int(wanted)


def _figures(result: StepResult) -> Info:
    """What a step cost, broke and changed: (B,) each."""
    figures = {name: value for name, value in result.info.items() if name != "instance"}
    return {**figures, "violations": dict(result.verdict.violations)}


def _place(pool: Pool, instance: NDArray[np.int64], mask: Mask) -> Info:
    """Which episode is played, and what is available: (B, ...)."""
    return {
        "instance": instance,
        "instance_name": pool.names[instance],
        "action_mask": mask.astype(np.int8),
    }


def _single(obs: Observation) -> Observation:
    return {name: value[0] for name, value in obs.items()}


def _single_info(info: Info) -> Info:
    """The first environment's values, scalars as Python numbers."""
    out: Info = {}
    for name, value in info.items():
        if isinstance(value, dict):
            out[name] = _single_info(value)
        else:
            first = value[0]
            out[name] = first.item() if isinstance(first, np.generic) else first
    return out


def _masked(info: Info, where: NDArray[np.bool_]) -> Info:
    """Values where a mask holds, with that mask under `_name`, as gymnasium lays infos out."""
    out: Info = {}
    for name, value in info.items():
        if isinstance(value, dict):
            out[name] = _masked(value, where)
        else:
            rows = where.reshape(-1, *(1,) * (value.ndim - 1))
            empty = None if value.dtype == object else value.dtype.type(0)
            out[name] = np.where(rows, value, empty)
        out[f"_{name}"] = where.copy()
    return out
