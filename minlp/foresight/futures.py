"""What has been seen of an episode, and futures drawn from the generator's law given that.

A method that looks ahead without knowing later slots keeps a `Seen`, shows it every slot once, and
plans on `Seen.futures`. Neither holds anything of the true future, nor the episode's seed.

Given what was seen, of later slots

- requests, fading and shadowing are drawn anew: they do not depend on the past;
- devices go on as `mobility.continued` says;
- satellites of the scenario's circular planes follow from their windows; any others (an
  ephemeris, propagated) stay where they are;
- whether a device will have a request follows from its queue, whose length and rate of arrivals
  stay hidden: a particle filter (Gordon, Salmond, Smith 1993) carries both.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.problem.generation.generate import generate, orbit_design
from satedge.problem.generation.mobility import continued
from satedge.problem.instance import Instance, join
from satedge.problem.satellites.orbit import Passes, circular_passes, seen_phase_deg
from satedge.problem.scenario import Scenario

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Seeds of sampled episodes: beyond all that suites, validation and training use.
FUTURE_SEEDS = range(2_000_000_000, 3_000_000_000)

#: Guesses of a device's queue.
PARTICLES = 100

#: Satellites that are seen so much off the circular planes are propagated otherwise.
OFF_PLANE_DEG = 0.01


@dataclass
class Queues:
    """Guesses of every device's rate of arrivals and length of queue: (K, PARTICLES) each."""

    rate: Array
    length: NDArray[np.int64]

    @classmethod
    def before_all(cls, s: Scenario, rng: np.random.Generator) -> Queues:
        """At the start of an episode each queue holds one request."""
        shape = (s.n_devices, PARTICLES)
        rate = rng.uniform(s.arrival_rate_min, s.arrival_rate_max, shape)
        return cls(rate, np.ones(shape, np.int64))

    def observe(self, active: Flags, rng: np.random.Generator) -> None:
        """Keep guesses that agree with who has a request (K,), then let the slot pass."""
        agree = (self.length > 0) == active[:, None]
        none = ~agree.any(axis=1)
        self.length[none] = active[none, None]
        agree[none] = True
        weights = agree.cumsum(axis=1)
        chosen = np.floor(rng.random(agree.shape) * weights[:, -1:])
        rows = (weights[:, None, :] > chosen[:, :, None]).argmax(axis=2)
        self.rate = np.take_along_axis(self.rate, rows, axis=1)
        self.length = np.take_along_axis(self.length, rows, axis=1)
        self.length += rng.poisson(self.rate) - active[:, None]

    def draw(self, n_slots: int, rng: np.random.Generator) -> Flags:
        """(n_slots, K) who has a request in the next slots, by a guess of each device."""
        rows = np.arange(len(self.rate))
        pick = rng.integers(self.rate.shape[1], size=len(rows))
        rate, length = self.rate[rows, pick], self.length[rows, pick].copy()
        active = np.empty((n_slots, len(rows)), bool)
        for t in range(n_slots):
            active[t] = length > 0
            length += rng.poisson(rate) - active[t]
        return active


@dataclass
class Seen:
    """The slots so far, as a causal method is shown them."""

    seed: int
    """Of the draws, not of the episode."""
    tracks_m: list[Array] = field(default_factory=list)
    """(K, 2) of every slot."""
    queues: Queues | None = None
    now: Instance | None = None
    """The last slot shown."""

    def show(self, slot: Instance) -> None:
        """A slot (one-slot instance), the next one each time."""
        rng = np.random.default_rng([self.seed, len(self.tracks_m), 0])
        if self.queues is None:
            self.queues = Queues.before_all(slot.scenario, rng)
        self.queues.observe(slot.active[0], rng)
        self.tracks_m.append(slot.device_xy_m[0])
        self.now = slot

    def futures(self, n_slots: int, count: int) -> Instance:
        """`count` draws of the next `n_slots` slots, one after the other: a pool of slots.

        The draws of every slot are made of the same random numbers, as far as may be.
        """
        assert self.now is not None
        passes = ahead(self.now, n_slots)
        return join([self._future(i, n_slots, passes) for i in range(count)], "futures")

    def _future(self, i: int, n_slots: int, passes: Passes) -> Instance:
        assert self.now is not None
        assert self.queues is not None
        s = self.now.scenario
        rng = np.random.default_rng([self.seed, i, 1])
        low, high = FUTURE_SEEDS.start, FUTURE_SEEDS.stop
        law = s.replace(n_slots=n_slots, arrivals="every-slot", mobility="static")
        drawn = generate(law, int(rng.integers(low, high)), passes=passes)
        active = np.ones_like(drawn.active)
        if s.arrivals != "every-slot":
            active = self.queues.draw(n_slots, rng)
        names = ("input_bit", "output_words", "deadline_s", "accuracy_floor")
        asked: dict[str, Any] = {n: np.where(active, getattr(drawn, n), 0) for n in names}
        return dataclasses.replace(
            drawn,
            scenario=s,
            active=active,
            **asked,
            device_xy_m=self._tracks(rng, n_slots),
            uav_xy_m=self.now.uav_xy_m,
            uav_altitude_m=np.repeat(self.now.uav_altitude_m, n_slots, axis=0),
        )

    def _tracks(self, rng: np.random.Generator, n_slots: int) -> Array:
        assert self.now is not None
        s = self.now.scenario
        return continued(
            rng.spawn(s.n_devices),
            s.mobility,
            np.stack(self.tracks_m),
            n_slots=n_slots,
            slot_s=s.slot_s,
            side_m=s.area_side_m,
            speed_min_mps=s.device_speed_min_mps,
            speed_max_mps=s.device_speed_max_mps,
            pause_max_s=s.device_pause_max_s,
        )


def ahead(slot: Instance, n_slots: int) -> Passes:
    """The satellites of the next slots: on the scenario's planes, or as they stand."""
    s = slot.scenario
    design = orbit_design(s)
    phase_deg = seen_phase_deg(slot.window_s[0], **design)
    if np.isfinite(phase_deg):
        found = circular_passes(
            s.slot_s * np.arange(n_slots + 1),
            phase_deg=phase_deg,
            isl_topology=s.isl_topology,
            isl_min_altitude_m=s.isl_altitude_min_m,
            **design,
        )
        if np.abs(found.elevation_deg[0] - slot.elevation_deg[0]).max() < OFF_PLANE_DEG:
            return Passes(*(getattr(found, f.name)[1:] for f in dataclasses.fields(Passes)))
    still = (getattr(slot, f.name) for f in dataclasses.fields(Passes))
    return Passes(*(np.repeat(values, n_slots, axis=0) for values in still))
