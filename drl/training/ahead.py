"""Learning what the places of UAVs are worth (`drl.core.places`), by a search over policies.

Episodes are played without interference: a request costs what it costs alone, at the cheapest
server from where the UAVs then are. So hundreds of them are played side by side, and all that is
asked of a candidate is the mean cost: a (mu/mu_w, lambda) evolution strategy with mirrored steps
and a step size for each weight (Hansen and Ostermeier, Evolutionary Computation 9(2), 2001;
Brockhoff et al., PPSN 2010). All candidates of a generation play the same episodes.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as unpacked

from drl.core.places import NAMES, Ahead, Requests, Weights, destinations, places
from drl.training.checkpoint import packed
from drl.training.policy import FORMAT, PolicyError, files, find, keep, sha256
from drl.training.remake import world_of
from drl.training.versions import versions
from satedge.problem.fields import Declared, declared, param
from satedge.problem.generation.generate import TRAIN_SEEDS, generate
from satedge.problem.instance import Instance
from satedge.problem.io.folder import is_sealed, only_one, sealed, write_atomically
from satedge.problem.io.jsonfile import parsed, read_bytes
from satedge.problem.referee import COST_VERSION
from satedge.problem.scenario import Scenario

Array = NDArray[np.float64]

#: Instance -> costs of requests that are alone: at UAVs right above (T, M, K), at the edge of
#: their coverage (T, M, K), and anywhere else (T, K).
Tabulate = Callable[[Instance], tuple[Array, Array, Array]]

#: Episodes to choose a seed's policy by; those of tests are never generated here.
VALIDATION_SEEDS = range(10_000, 10_100)

#: First step sizes of the search, in the order of the weights.
SCALES = np.array([0.35, 0.03, 0.003, 0.02, 0.007, 8.0, 0.02])

#: How fast step sizes follow what was chosen, and how much they change at most at once.
RATE, CHANGE = 0.25, (0.6, 1.3)


class SearchError(ValueError):
    """A setting or a state of the search that is not allowed; one line."""


@declared(SearchError, "setting")
class Search(Declared):
    """How a run searches."""

    scenario: Scenario
    seed: int
    generations: int = param(12, "-", "open", "Generations.", low=1)
    candidates: int = param(10, "-", "open", "Policies a generation, in mirrored pairs.", low=4)
    episodes: int = param(64, "-", "open", "Played by every candidate, others each time.", low=1)
    pool: int = param(256, "-", "open", "Training episodes of a run to draw them from.", low=1)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        numbers = ("seed", "generations", "candidates", "episodes", "pool")
        return {name: getattr(self, name) for name in numbers}


@dataclass(frozen=True)
class Episodes:
    """E episodes of T slots as tables of lone costs, in single precision."""

    scenario: Scenario
    near: NDArray[np.float32]
    far: NDArray[np.float32]
    elsewhere: NDArray[np.float32]
    device_xy_m: NDArray[np.float32]
    uav_xy_m: NDArray[np.float32]

    @classmethod
    def of(cls, scenario: Scenario, seeds: Sequence[int], tabulate: Tabulate) -> Episodes:
        """Generated and tabulated."""
        rows = []
        for seed in seeds:
            instance = generate(scenario, seed)
            rows.append((*tabulate(instance), instance.device_xy_m, instance.uav_xy_m))
        return cls(scenario, *(np.stack(a).astype(np.float32) for a in zip(*rows, strict=True)))

    def some(self, index: NDArray[np.int64]) -> Episodes:
        """Chosen ones."""
        arrays = (self.near, self.far, self.elsewhere, self.device_xy_m, self.uav_xy_m)
        return Episodes(self.scenario, *(a[index] for a in arrays))

    def slot(self, t: int) -> Requests:
        """The requests of slot t."""
        tables = (self.near, self.far, self.elsewhere, self.device_xy_m)
        return Requests(*(a[:, t] for a in tables))


class Pilot:
    """The UAVs of E episodes, flown slot after slot."""

    def __init__(self, scenario: Scenario, weights: Weights) -> None:
        self.scenario, self.weights = scenario, weights
        self.goals_m: NDArray[np.floating] | None = None
        self.before_m: NDArray[np.floating] | None = None

    def fly(
        self, requests: Requests, uav_xy_m: NDArray[np.floating], left: int
    ) -> NDArray[np.floating]:
        """(E, M, 2) places of the next slot, from (E, M, 2); `left` slots follow it."""
        here_m = requests.device_xy_m
        before_m = here_m if self.before_m is None else self.before_m
        goals_m = uav_xy_m if self.goals_m is None else self.goals_m
        ahead = Ahead(self.scenario, self.weights, here_m, here_m - before_m, left)
        self.before_m = here_m
        self.goals_m = destinations(ahead, uav_xy_m, goals_m) if left else goals_m
        return places(ahead, requests, uav_xy_m, self.goals_m)


def played(episodes: Episodes, weights: Weights) -> float:
    """Mean cost of a slot and device without interference."""
    pilot, at_m = Pilot(episodes.scenario, weights), episodes.uav_xy_m
    coverage_m, total = episodes.scenario.uav_coverage_m, 0.0
    n_slots, n_uavs = episodes.elsewhere.shape[1], at_m.shape[1]
    for t in range(n_slots):
        requests = episodes.slot(t)
        at_m = pilot.fly(requests, at_m, n_slots - t - 1)
        served = [requests.at(m, at_m[:, m, :, None], coverage_m)[..., 0] for m in range(n_uavs)]
        total += float(np.minimum.reduce([requests.elsewhere, *served]).sum(dtype=np.float64))
    return total / episodes.elsewhere.size


@dataclass
class State:
    """Where a search is."""

    mean: Array
    spread: Array
    costs: list[float]
    """Mean cost of the candidates of every generation so far."""

    def advance(self, search: Search, episodes: Episodes) -> None:
        """One generation."""
        rng = np.random.default_rng([search.seed, len(self.costs)])
        pairs = rng.standard_normal((search.candidates // 2, len(self.mean)))
        steps = np.concatenate([pairs, -pairs])
        count = min(search.episodes, len(episodes.elsewhere))
        some = episodes.some(rng.choice(len(episodes.elsewhere), count, replace=False))
        tried = self.mean + steps * self.spread
        costs = np.array([played(some, Weights.of(x)) for x in tried])
        half = len(pairs)
        share = np.log(half + 0.5) - np.log(np.arange(1, half + 1))
        best = steps[np.argsort(costs, kind="stable")[:half]]
        share /= share.sum()
        self.mean = self.mean + share @ best * self.spread
        change = np.exp(RATE * (np.sqrt(share @ best**2) - 1))
        self.spread = self.spread * np.clip(change, *CHANGE)
        self.costs.append(float(costs.mean()))


def train(
    *,
    scenario: Scenario,
    seeds: Sequence[int],
    out_dir: Path | str,
    tabulate: Tabulate,
    resume: bool = True,
    say: Callable[[str], None] = print,
    **numbers: int,
) -> Path:
    """Search with each seed; the folder gets policies/ahead/seed-N and the search's state.

    `numbers` are those of `Search`. A stopped search goes on after its last whole generation.
    Raises SearchError, and BusyError for a folder in which another training is at work.
    """
    folder = Path(out_dir)
    with only_one(folder):
        for seed in seeds:
            search = Search(scenario, int(seed), **numbers)
            _run(search, folder, tabulate, resume, say)
    return folder


def _run(
    search: Search, folder: Path, tabulate: Tabulate, resume: bool, say: Callable[[str], None]
) -> None:
    place = folder / f"search-{search.seed}.json"
    state = _stored(place, search) if resume and place.exists() else None
    state = state or State(Weights().vector(), SCALES.copy(), [])
    first = TRAIN_SEEDS.start + search.seed * search.pool
    if len(state.costs) < search.generations:
        pool = Episodes.of(search.scenario, range(first, first + search.pool), tabulate)
    while len(state.costs) < search.generations:
        state.advance(search, pool)
        _store(place, search, state)
        say(f"seed {search.seed}, generation {len(state.costs)}: {state.costs[-1]:.4f}")
    validation = Episodes.of(search.scenario, VALIDATION_SEEDS, tabulate)
    cost = played(validation, Weights.of(state.mean))
    say(f"seed {search.seed}: {cost:.4f} in validation episodes without interference")
    save(folder / "policies" / "ahead" / f"seed-{search.seed}", search, state, cost)


def _store(place: Path, search: Search, state: State) -> None:
    arrays = {"mean": state.mean.tolist(), "spread": state.spread.tolist(), "costs": state.costs}
    text = {"scenario": search.scenario.to_dict(), "search": search.to_dict(), **arrays}
    write_atomically(place, (json.dumps(sealed(text), indent=1) + "\n").encode())


def _stored(place: Path, search: Search) -> State:
    """A state to go on from: of the same search, perhaps with fewer generations."""
    text = parsed(read_bytes(place))
    if not is_sealed(text):
        raise SearchError(f"{place}: altered since written; delete it, or start with --fresh")
    own = {**search.to_dict(), "generations": text["search"]["generations"]}
    if text["search"] != own or text["scenario"] != search.scenario.to_dict():
        raise SearchError(f"{place}: of another search; allowed is the same one, or --fresh")
    mean, spread = (np.array(text[name], np.float64) for name in ("mean", "spread"))
    return State(mean, spread, list(text["costs"]))


def save(path: Path, search: Search, state: State, cost: float) -> None:
    """Write a policy: its weights, and where they come from."""
    weights = Weights.of(state.mean)
    data = packed({"places": torch.from_numpy(weights.vector())}, json.dumps(FORMAT))
    text = FORMAT | {
        "sha256": sha256(data),
        "method": "ahead",
        "settings": search.to_dict(),
        "scenario": search.scenario.to_dict(),
        "seed": search.seed,
        "epochs": search.generations,
        "validation_cost": cost,
        "validation": "mean cost of requests without interference",
        "cost_version": COST_VERSION,
        "weights": asdict(weights),
        "generation_costs": state.costs,
        "command": _command(search),
        "versions": versions(),
    }
    keep(path, data, (json.dumps(sealed(text), indent=1) + "\n").encode())


def _command(search: Search) -> str:
    """What makes the policy again; empty where no option does."""
    usual = Search(search.scenario, search.seed, search.generations)
    words = ["satedge", "train", "ahead", *world_of(search.scenario.to_dict())]
    words += ["--seed", str(search.seed), "--epochs", str(search.generations)]
    return shlex.join(words) if search == usual else ""


def load(name: str, preset: str = "foresight") -> tuple[Weights, dict[str, Any]]:
    """A policy by name or path: its weights, and what its JSON says. Raises PolicyError."""
    path = find(name, preset)
    try:
        text, data = files(path)
        vector = unpacked(data)["places"].numpy()
    except (OSError, SafetensorError, KeyError) as error:
        raise PolicyError(f"{path}: damaged or no policy of ahead ({error})") from None
    if vector.shape != (len(NAMES),) or not np.isfinite(vector).all():
        raise PolicyError(f"{path}: places: allowed are {len(NAMES)} finite numbers")
    return Weights.of(vector.astype(np.float64)), text


def pilot(
    policy: str, preset: str, tabulate: Tabulate
) -> tuple[Callable[[Instance, int], Array], dict[str, Any]]:
    """What flies the UAVs of an episode, shown its slots one after the other, and whose it is.

    (one-slot instance, number of slots after it) -> places (M, 2).
    """
    weights, text = load(policy, preset)
    flown: list[Pilot] = []

    def fly(slot: Instance, left: int) -> Array:
        if not flown:
            flown.append(Pilot(slot.scenario, weights))
        requests = Requests(*tabulate(slot), slot.device_xy_m)
        return np.asarray(flown[0].fly(requests, slot.uav_xy_m[None], left)[0], np.float64)

    return fly, {key: text[key] for key in ("method", "seed", "sha256")}
