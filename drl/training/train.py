"""Training: several runs (seeds) of one method side by side, resumable to the bit.

An epoch is an episode of 100 slots in every run, then the method's updates; episodes are fresh for
ever. Every `validate_every` epochs the deterministic policies play the validation episodes, each
as its file would hold it; the best ones so far are kept as policies. Episodes of other seeds are
never seen here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from drl.agents.registry import build_actor, build_learner, settings_of
from drl.core.learner import Actor, Learner
from drl.core.nets import Streams
from drl.core.products import fast_products
from drl.core.settings import Settings, SettingsError
from drl.env.pool import BLOCK, FreshEpisodes, Pool
from drl.env.vector_env import OffloadingBatch
from drl.training import checkpoint
from drl.training.labels import digest, lesson, teach
from drl.training.log import Log, Row
from drl.training.play import FIGURES, Stage
from drl.training.policy import put, save, sizes_of, stored
from drl.training.versions import versions
from satedge.problem.fields import Declared, declared, param
from satedge.problem.generation.generate import TRAIN_SEEDS, generate
from satedge.problem.instance import Instance
from satedge.problem.io.folder import only_one
from satedge.problem.referee import COST_VERSION
from satedge.problem.scenario import Scenario, preset

#: Episodes to choose policies by; those of tests are never generated here.
VALIDATION_SEEDS = range(10_000, 10_010)


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and where the last good state is."""


@declared(SettingsError, "setting")
class Plan(Declared):
    """What to train, on what, for how long."""

    method: str
    settings: Settings
    scenario: Scenario
    seeds: tuple[int, ...]
    epochs: int = param(1000, "episode", "Table 2", "Episodes a run.", low=1)
    updates_per_epoch: int = param(
        5,
        "-",
        "open",
        "Gradient updates after each episode, the same for all off-policy learners; chosen by "
        "validation cost against time (docs/learning.md).",
        low=0,
    )
    validate_every: int = param(25, "episode", "open", "Between looks at policies.", low=1)
    checkpoint_every: int = param(50, "episode", "open", "Between checkpoints.", low=1)
    train_seeds: range = TRAIN_SEEDS
    validation_seeds: range = VALIDATION_SEEDS
    together: int = param(
        1,
        "episode",
        "open",
        "What every run plays at once between updates; a divisor of PPO's rollout.",
        low=1,
    )
    device: str = "cpu"
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        whole = {
            "epochs": self.epochs,
            "rollout_epochs": getattr(self.settings, "rollout_epochs", 0),
        }
        for name, epochs in whole.items():
            if epochs % self.together:
                raise SettingsError(f"together = {self.together!r}: allowed is a divisor of {name}")

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        ranges = {
            n: [getattr(self, n).start, getattr(self, n).stop]
            for n in ("train_seeds", "validation_seeds")
        }
        return {
            "method": self.method,
            "settings": self.settings.to_dict(),
            "scenario": self.scenario.to_dict(),
            "cost_version": COST_VERSION,
            "epochs": self.epochs,
            "updates_per_epoch": self.updates_per_epoch,
            "validate_every": self.validate_every,
            **({"together": self.together} if self.together > 1 else {}),
            **({"labels": [digest(Path(p)) for p in self.labels]} if self.labels else {}),
            **ranges,
        }


def train(
    method: str,
    *,
    scenario: Scenario | str = "paper",
    seeds: Sequence[int] = (0,),
    out_dir: Path | str,
    settings_preset: str = "table-2",
    settings: dict[str, Any] | None = None,
    resume: bool = True,
    progress: bool = True,
    tensorboard: bool = False,
    **limits: Any,
) -> Path:
    """Train `seeds` runs of a method together. Returns the folder of logs and policies.

    `limits` are the numbers of `Plan` (epochs, updates_per_epoch, ...). With `resume` a stopped
    training goes on from its checkpoint, bit by bit as if it had not stopped. Raises
    SettingsError, ScenarioError, CheckpointError, BusyError for a folder in which another training
    is at work and, on divergence, TrainingError.
    """
    world = preset(scenario) if isinstance(scenario, str) else scenario
    chosen = settings_of(method, settings_preset, **(settings or {}))
    _check_device(limits.get("device", "cpu"))
    plan = Plan(method, chosen, world, tuple(int(s) for s in seeds), **limits)
    folder = Path(out_dir)
    with only_one(folder):
        trainer = Trainer(plan, folder)
        if resume and trainer.checkpoint.exists():
            trainer.resume()
        start, slots = trainer.epoch, world.n_slots
        with Log(folder, plan.epochs, method, start, progress, tensorboard, slots) as log:
            trainer.run(log)
    return folder


def _check_device(name: str) -> None:
    allowed = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    if name.partition(":")[0] not in allowed:
        raise SettingsError(f"device = {name!r}: allowed is {' or '.join(allowed)} here")


class Trainer:
    """The state of a training and its loop."""

    def __init__(self, plan: Plan, folder: Path, pool: Sequence[Instance] | None = None) -> None:
        """`pool`: episodes to train on, instead of those of the plan's seeds."""
        torch.set_num_threads(1)
        self.plan, self.folder = plan, folder
        self.checkpoint = folder / "checkpoint.safetensors"
        self.epoch = 0
        streams, sizes = Streams(plan.seeds, plan.device), sizes_of(plan.scenario)
        self.learner: Learner = build_learner(plan.settings, sizes, streams)
        if plan.labels:
            teach(self.learner, [lesson(Path(p), plan.scenario) for p in plan.labels])
        self.candidate = build_actor(plan.settings, sizes, Streams([0]))
        self.stage = Stage(_supply(plan, pool), plan.seeds, plan.together, plan.device)
        self.judges = [generate(plan.scenario, s) for s in plan.validation_seeds]
        self.best_cost = [float("inf")] * len(plan.seeds)
        self.curve: list[list[float]] = []

    def run(self, log: Log) -> None:
        """Train to the last epoch."""
        plan = self.plan
        while self.epoch < plan.epochs:
            began = time.process_time()
            figures = self._episode() | self._learn()
            self._refuse_divergence(figures)
            if self._due(plan.validate_every):
                figures |= self._validate()
            seconds = time.process_time() - began
            log.write([self._row(i, figures, seconds) for i in range(len(plan.seeds))])
            if self._due(plan.checkpoint_every):
                log.flush()
                self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        state = checkpoint.gather(self.learner.parts())
        for name, value in self.stage.env.state().items():
            signed = value.view(np.int64) if value.dtype == np.uint64 else value
            state[f"@env/{name}"] = torch.from_numpy(signed)
        text = {
            "plan": self.plan.to_dict(),
            "seeds": list(self.plan.seeds),
            "epoch": self.epoch,
            "best_cost": self.best_cost,
            "curve": self.curve,
        }
        checkpoint.write(self.checkpoint, state, text)

    def resume(self) -> None:
        """Go on from the checkpoint. Raises CheckpointError when it is of another training."""
        state, text = checkpoint.read(self.checkpoint)
        same = {**text.get("plan", {}), "epochs": 0} == {**self.plan.to_dict(), "epochs": 0}
        if not same or text.get("seeds") != list(self.plan.seeds):
            raise checkpoint.CheckpointError(
                f"{self.checkpoint}: of another training (method, settings, scenario or seeds "
                "differ); choose another folder or start afresh"
            )
        checkpoint.spread(state, self.learner.parts(), self.plan.device)
        env = {k.removeprefix("@env/"): v.numpy() for k, v in state.items() if k[:5] == "@env/"}
        env = {k: v.view(np.uint64) if k == "seed" else v for k, v in env.items()}
        self.stage.restore(env)
        self.epoch, self.best_cost, self.curve = text["epoch"], text["best_cost"], text["curve"]

    # --- pieces

    def _episode(self) -> dict[str, np.ndarray]:
        """Play in every run. Returns means over slots, (R,) each."""
        return self.stage.play(self.learner)

    def _learn(self) -> dict[str, np.ndarray]:
        """Updates for every episode played. Returns figures of the last one's, (R,) each."""
        learned: dict[str, Tensor] = {}
        with fast_products():
            for _ in range(self.plan.together):
                learned = self.learner.learn(self.plan.updates_per_epoch) or learned
        self.epoch += self.plan.together
        return {name: value.cpu().double().numpy() for name, value in learned.items()}

    def _due(self, every: int) -> bool:
        """Whether a multiple of `every` epochs, or the last one, has just been passed."""
        before = self.epoch - self.plan.together
        return self.epoch >= self.plan.epochs or self.epoch // every > before // every

    def _validate(self) -> dict[str, np.ndarray]:
        """Play the validation episodes; keep policies that are better than before.

        Every run's policy plays alone, with the weights and on the processor that its file would be
        played with: what the file costs is what is written down here.
        """
        actor, candidate, rows = self.learner.actor, self.candidate, []
        for run in range(len(self.plan.seeds)):
            put(candidate, stored(actor, run))
            rows.append(evaluate(candidate, self.judges, 1))  # type: ignore[arg-type]
        found = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        cost = found["validation_cost"]
        self.curve.append([self.epoch, *(float(c) for c in cost)])
        for run, value in enumerate(cost):
            if value < self.best_cost[run]:
                self.best_cost[run] = float(value)
                save(self._policy_path(run), actor, run, self._provenance(run))
        return found

    def _policy_path(self, run: int) -> Path:
        return self.folder / "policies" / self.plan.method / f"seed-{self.plan.seeds[run]}"

    def _provenance(self, run: int) -> dict[str, Any]:
        return {
            **self.plan.to_dict(),
            "seed": self.plan.seeds[run],
            "epoch": self.epoch,
            "validation_cost": self.best_cost[run],
            "validation_curve": [[row[0], row[1 + run]] for row in self.curve],
            "versions": versions(),
        }

    def _refuse_divergence(self, figures: dict[str, np.ndarray]) -> None:
        """Stop when a figure or a weight is no longer finite."""
        bad = [name for name, value in figures.items() if not np.isfinite(value).all()]
        weights = torch.stack([p.detach().sum() for p in self.learner.actor.parameters()])
        if not bad and not bool(torch.isfinite(weights).all()):
            bad = ["the policy's weights"]
        if bad:
            where = self.checkpoint if self.checkpoint.exists() else "none was written yet"
            raise TrainingError(
                f"{self.plan.method} diverged in epoch {self.epoch}: {bad[0]} is not finite; "
                f"last good checkpoint: {where}"
            )

    def _row(self, run: int, figures: dict[str, np.ndarray], seconds: float) -> Row:
        values = {name: float(value[run]) for name, value in figures.items()}
        return Row(self.epoch, self.plan.seeds[run], seconds, values)


def _supply(plan: Plan, pool: Sequence[Instance] | None) -> Callable[[int], Pool]:
    """Blocks of episodes to train on: always `pool`, or fresh ones."""
    if pool:
        always = Pool(pool)
        return lambda _: always
    size = min(max(BLOCK, plan.together), len(plan.train_seeds))
    return FreshEpisodes(plan.scenario, plan.train_seeds, size)


@torch.no_grad()
def evaluate(actor: Actor, episodes: Sequence[Instance], runs: int) -> dict[str, np.ndarray]:
    """Play every run's deterministic policy through all episodes: means, (R,) each."""
    n = len(episodes)
    env = OffloadingBatch(episodes, runs * n, as_plans=True)
    obs, mask, active = env.reset(instances=np.tile(np.arange(n), runs), seed=0)
    totals: dict[str, np.ndarray] = {}
    for _ in range(episodes[0].n_slots):
        seen = [torch.from_numpy(x).unflatten(0, (runs, n)) for x in (obs, mask, active)]
        choice, numbers = actor.decide(*seen)
        server, continuous = actor.layout.decode(choice, numbers, seen[1])
        step = env.step(server.flatten(0, 1).numpy(), continuous.flatten(0, 1).numpy())
        obs, mask, active = step.obs, step.mask, step.active
        for name in FIGURES:
            totals[name] = totals.get(name, 0.0) + step.info[name]
        totals["reward"] = totals.get("reward", 0.0) + step.reward
    slots = episodes[0].n_slots
    return {
        f"validation_{name}": total.reshape(runs, n).mean(axis=1) / slots
        for name, total in totals.items()
    }
