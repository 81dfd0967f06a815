"""Every quantitative and ordinal statement of section 5, and how it is measured.

Yan et al., Drones 2025, 9(7), 500.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from satedge.bench.score.claims.along import (
    Parts,
    in_window,
    increase,
    lowest,
    number,
    sharpest,
    trend,
)
from satedge.bench.score.claims.evidence import (
    FINAL,
    SELECTED,
    TRAINING,
    Evidence,
    Part,
    between,
    equal,
    fitted,
    fitted_ordinal,
    ordinal,
)
from satedge.bench.score.claims.learning import (
    GOOD_RATE,
    HIGH_RATE,
    LOW_RATE,
    early,
    levels,
    rate_levels,
    rates,
    slower,
    unrest,
    wilder,
)
from satedge.bench.score.stats import Interval, Ratio
from satedge.bench.score.sweeps import PAPER_ENDS

#: The rivals of AD-SAC in the paper.
OTHERS = ("hybrid-ppo", "ddpg", "d3qn", "ppo")
RIVALS = (*OTHERS, "random")
ALL = ("adsac", *RIVALS)
#: Increases over AD-SAC in percent that figure 8 states: method -> (latency, energy).
ABLATION = {"adsac-d": (7.4, 24.3), "adsac-c": (11.7, 13.5)}
#: Figure 3: final rewards of the others below AD-SAC's, in percent.
BELOW = (5.7, 13.4)
#: Figure 7: increases from the least to the greatest floor, in percent.
INCREASES = {"latency_s": 55.3, "energy_J": 107.4}

BOTH = (FINAL, SELECTED)

NO_STUDY = "no study here plays what it needs"
NO_COUNTS = "no study here plays what it needs with rows that count requests on satellites"


@dataclass(frozen=True)
class Statement:
    """One statement of the paper."""

    figure: str
    """Its number; of the discussion the section's."""
    text: str
    how: str
    """How it is measured here."""
    parts: Callable[[Evidence, str], list[Part]]
    """Its comparisons; none where the study has no data for it."""
    judge: Callable[[Sequence[Part]], str] = ordinal
    policies: tuple[str, ...] = (SELECTED,)
    """At which policies it is examined."""
    reason: str = NO_STUDY
    """Why it is not examined, where it is not."""

    @property
    def place(self) -> str:
        """Where the paper says so."""
        return f"{'Section' if '.' in self.figure else 'Figure'} {self.figure}"


def _negated(parts: Parts) -> Parts:
    """The same of the negative: a share below, of a ratio less 1."""

    def turned(e: Evidence, policies: str) -> list[Part]:
        def less(r: Ratio) -> Ratio:
            v = r.difference
            return Ratio(Interval(-v.value, -v.high, -v.low), r.p)

        below = (
            Part(p.name.replace(" over ", " below "), less(p.ratio)) for p in parts(e, policies)
        )
        return list(below)

    return turned


_REWARD = "ratio of mean rewards, eq. (34)"
_FIGURE_3 = (
    Statement(
        "3",
        "AD-SAC ends at a higher reward than every other learner",
        _REWARD,
        levels(["adsac"], OTHERS),
        policies=BOTH,
    ),
    Statement(
        "3",
        f"the others' rewards are {BELOW[0]} to {BELOW[1]} % below AD-SAC's",
        f"{_REWARD}, less 1, 3 points either way",
        _negated(levels(OTHERS, ["adsac"])),
        between(BELOW[0] / 100, BELOW[1] / 100),
        BOTH,
    ),
    Statement(
        "3",
        "AD-SAC converges faster than every other learner",
        "ratio of epochs to 95 % of the own final validation reward",
        slower(OTHERS, ["adsac"]),
        policies=(TRAINING,),
    ),
    Statement(
        "3",
        "AD-SAC is the most stable learner",
        "ratio of relative steps of the validation reward, second half",
        wilder(OTHERS, ["adsac"]),
        policies=(TRAINING,),
    ),
    Statement(
        "3",
        "Hybrid-PPO ends higher than DDPG, D3QN and PPO",
        _REWARD,
        levels(["hybrid-ppo"], ["ddpg", "d3qn", "ppo"]),
        policies=BOTH,
    ),
    Statement(
        "3",
        "PPO and D3QN fluctuate more than AD-SAC and Hybrid-PPO",
        "ratio of relative steps of the validation reward, second half",
        wilder(["ppo", "d3qn"], ["adsac", "hybrid-ppo"]),
        policies=(TRAINING,),
    ),
    Statement(
        "3",
        "PPO and D3QN converge more slowly than AD-SAC and Hybrid-PPO",
        "ratio of epochs to 95 % of the own final validation reward",
        slower(["ppo", "d3qn"], ["adsac", "hybrid-ppo"]),
        policies=(TRAINING,),
    ),
    Statement(
        "3",
        "PPO and D3QN end lower than AD-SAC and Hybrid-PPO",
        _REWARD,
        levels(["adsac", "hybrid-ppo"], ["ppo", "d3qn"]),
        policies=BOTH,
    ),
)

_FIGURE_4 = (
    Statement(
        "4",
        f"a critic rate of {LOW_RATE:g} learns more slowly than {GOOD_RATE:g}",
        "ratio of mean validation rewards over the first half of the epochs",
        rates([(GOOD_RATE, LOW_RATE)], early),
        policies=(TRAINING,),
    ),
    Statement(
        "4",
        f"{LOW_RATE:g} gets as far in the end",
        f"{_REWARD}, within 3 %",
        rate_levels([(LOW_RATE, GOOD_RATE)]),
        equal,
        BOTH,
    ),
    Statement(
        "4",
        f"a critic rate of {HIGH_RATE:g} oscillates",
        "ratio of relative steps of the validation reward, second half",
        rates([(HIGH_RATE, GOOD_RATE)], unrest),
        policies=(TRAINING,),
    ),
    Statement(
        "4",
        f"{GOOD_RATE:g} is the best of the three rates",
        _REWARD,
        rate_levels([(GOOD_RATE, LOW_RATE), (GOOD_RATE, HIGH_RATE)]),
        policies=BOTH,
    ),
)

_ENDS = "every method of the paper, last over first value, same episodes"
_POINTS = "every rival over AD-SAC at every value"

_FIGURE_5 = (
    Statement("5", "latency grows with K", _ENDS, trend("devices", "latency_s", 1, ALL)),
    Statement(
        "5",
        "energy grows with K",
        f"{_ENDS}, per device: a sum over devices grows in any case",
        trend("devices", "energy_per_device_J", 1, ALL),
    ),
    Statement(
        "5", "AD-SAC has the lowest latency", _POINTS, lowest("devices", "latency_s", RIVALS)
    ),
    Statement("5", "AD-SAC has the lowest energy", _POINTS, lowest("devices", "energy_J", RIVALS)),
    Statement(
        "5",
        "with K a greater share goes to satellites",
        f"share of requests; {_ENDS}",
        trend("devices", "satellite_share", 1, ALL),
        reason=NO_COUNTS,
    ),
)

_FIGURE_6 = (
    Statement("6", "latency grows with T_max", _ENDS, trend("deadline", "latency_s", 1, ALL)),
    Statement(
        "6", "energy falls with T_max", f"{_ENDS}, turned", trend("deadline", "energy_J", -1, ALL)
    ),
    Statement(
        "6", "AD-SAC has the lowest latency", _POINTS, lowest("deadline", "latency_s", RIVALS)
    ),
    Statement("6", "AD-SAC has the lowest energy", _POINTS, lowest("deadline", "energy_J", RIVALS)),
    Statement(
        "6",
        "service is more reliable with a longer T_max",
        f"share of deadline misses; {_ENDS}, turned",
        trend("deadline", "miss_share", -1, ALL),
    ),
    Statement(
        "6",
        "with T_max a greater share goes to satellites",
        f"share of requests; {_ENDS}",
        trend("deadline", "satellite_share", 1, ALL),
        reason=NO_COUNTS,
    ),
    Statement(
        "6",
        "AD-SAC prefers UAVs more than the other learners do",
        f"share of requests to satellites; {_POINTS}",
        lowest("deadline", "satellite_share", OTHERS),
        reason=NO_COUNTS,
    ),
)

_OPTIMUM = "in the plans of the method named, which stand for the optimum"


def _end(floor: float, place: int) -> Statement:
    name, unit, column = (("latency", "s", "latency_s"), ("energy", "J", "energy_J"))[place]
    stated = PAPER_ENDS[floor][place]
    text = f"{name} {stated:g} {unit} at accuracy {floor:g}"
    return Statement("7", text, f"mean {_OPTIMUM}", number(floor, column, unit), fitted(stated))


_FIGURE_7 = (
    *(_end(floor, place) for place in (0, 1) for floor in PAPER_ENDS),
    *(
        Statement(
            "7",
            f"{name} grows by {INCREASES[column]} % from 0.3 to 0.7",
            "ratio of AD-SAC's means, same episodes, 3 points either way",
            increase(column, (0.3, 0.7)),
            between(INCREASES[column] / 100, INCREASES[column] / 100),
        )
        for name, column in (("latency", "latency_s"), ("energy", "energy_J"))
    ),
    Statement("7", "latency grows with accuracy", _ENDS, trend("accuracy", "latency_s", 1, ALL)),
    Statement("7", "energy grows with accuracy", _ENDS, trend("accuracy", "energy_J", 1, ALL)),
    *(
        Statement(
            "7",
            f"the sharpest step of {name} is from 0.5 to 0.6",
            f"its ratio over that of every other step, {_OPTIMUM}; the catalogue demands it",
            sharpest(column),
            fitted_ordinal,
        )
        for name, column in (("latency", "latency_s"), ("energy", "energy_J"))
    ),
    Statement(
        "7", "AD-SAC has the lowest latency", _POINTS, lowest("accuracy", "latency_s", RIVALS)
    ),
    Statement("7", "AD-SAC has the lowest energy", _POINTS, lowest("accuracy", "energy_J", RIVALS)),
    Statement(
        "7",
        "from 0.5 to 0.6 AD-SAC shifts from UAVs to satellites",
        "ratio of the shares of requests to satellites; the catalogue demands it",
        increase("satellite_share", (0.5, 0.6)),
        fitted_ordinal,
        reason=NO_COUNTS,
    ),
)

_NAMES = {"latency_s": "latency", "energy_J": "energy"}
_FIGURE_8 = (
    *(
        Statement(
            "8",
            f"{method}: {name} +{ABLATION[method][place]} % over AD-SAC",
            "ratio of means, 3 points either way",
            levels([method], ["adsac"], column),
            between(ABLATION[method][place] / 100, ABLATION[method][place] / 100),
            BOTH,
        )
        for method in ABLATION
        for place, (column, name) in enumerate(_NAMES.items())
    ),
    *(
        Statement(
            "8",
            f"AD-SAC has the lowest {name} of the three",
            "ratio of means",
            levels(list(ABLATION), ["adsac"], column),
            policies=BOTH,
        )
        for column, name in _NAMES.items()
    ),
    Statement(
        "8",
        "latency is dominated by offloading: AD-SAC-C has more of it than AD-SAC-D",
        "ratio of means",
        levels(["adsac-c"], ["adsac-d"], "latency_s"),
        policies=BOTH,
    ),
    Statement(
        "8",
        "energy is dominated by powers and flights: AD-SAC-D uses more than AD-SAC-C",
        "ratio of means",
        levels(["adsac-d"], ["adsac-c"], "energy_J"),
        policies=BOTH,
    ),
)

_DISCUSSION = (
    Statement(
        "5.3",
        "AD-SAC sends to satellites only what their window has time for",
        "share of its requests on satellites whose window is not overrun alone, less 1, within 3 %",
        in_window(["adsac"]),
        equal,
        reason=NO_COUNTS,
    ),
)

STATEMENTS: tuple[Statement, ...] = (
    *_FIGURE_3,
    *_FIGURE_4,
    *_FIGURE_5,
    *_FIGURE_6,
    *_FIGURE_7,
    *_FIGURE_8,
    *_DISCUSSION,
)
