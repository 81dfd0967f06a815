"""The comparison in sentences: the numbers that matter, said once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from satedge.bench.score.summary import LEARNED, REFERENCES, Line, by_comparison, label


def sentences(lines: Sequence[Line], broken: Sequence[str], versions: int = 1) -> list[str]:
    """A few sentences on every group, then on the gate and on what the rows were made with."""
    said = [_group(group, part) for group, part in by_comparison(lines)]
    planning = [v for v in lines if v.family != "bound"]
    ran = sum(v.runs - v.statuses.get("skipped", 0) for v in planning)
    plans = sum(v.plans for v in planning)
    failed = sum(n for v in lines for k, n in v.statuses.items() if k not in ("done", "skipped"))
    said.append(
        f"Of {ran} runs of methods that plan, {plans} left an admissible plan; {failed} of all "
        "runs did not end by themselves in time or failed, and are rows of their own."
    )
    if broken:
        said.append(f"The gate does not hold: {len(broken)} findings, listed under failures.")
    else:
        said.append(
            "The gate holds: no certified bound lies above any judged cost, every row follows from "
            "its run file, and every stored plan was judged again with the same result."
        )
    if any(v.family == LEARNED for v in lines):
        said.append(
            "Policies are those selected by validation cost; the rule of selection was changed "
            "after a look at development episodes."
        )
    if versions > 1:
        said.append(
            f"The rows were made by {versions} versions of the code: `--again all` repeats them."
        )
    return said


@dataclass(frozen=True)
class Fact:
    """A number that matters, and what it is."""

    value: str
    meaning: str


def headlines(lines: Sequence[Line]) -> list[tuple[str, list[Fact]]]:
    """The few numbers of every group."""
    return [(group, list(_facts(part))) for group, part in by_comparison(lines)]


def _facts(lines: list[Line]) -> Iterator[Fact]:
    complete = _complete(lines)
    causal = [v for v in complete if not v.hindsight]
    if not causal:
        return
    best = causal[0]
    kind = " of a causal method" if len(causal) < len(complete) else ""
    yield Fact(f"{best.cost:.5g}", f"lowest cost{kind}, {label(best, lines)}")
    if math.isfinite(best.gap):
        controllable = percent(best.controllable_gap)
        yield Fact(
            f"{percent(best.gap)} at most",
            f"above the optimum, certified; {controllable} of the controllable cost",
        )
    for line in [v for v in complete if v.hindsight][:1]:
        yield Fact(_signed(line.excess), f"with all slots known, {label(line, lines)}")
    for line in [v for v in causal if v.family == "learned" and not v.finished][:1]:
        known = line.excess_interval
        told = math.isfinite(known.low)
        between = f", {percent(known.low)} to {percent(known.high)}" if told else ""
        yield Fact(_signed(line.excess), f"the best learned method, {label(line, lines)}{between}")
    for line in [v for v in causal if v.method == "greedy" and v is not best]:
        missed = percent(line.deadline_misses)
        yield Fact(_signed(line.excess), f"greedy, {missed} of requests miss their deadline")


def _signed(share: float) -> str:
    return ("+" if share >= 0 else "\u2212") + percent(abs(share))


def _complete(lines: Sequence[Line]) -> list[Line]:
    """Methods with a plan on every instance of the group, the best first."""
    whole = max(v.instances for v in lines)
    return [
        v for v in lines
        if v.plans == v.runs and v.instances == whole and v.family != "bound"
        and math.isfinite(v.excess)
    ]  # fmt: skip


def _group(group: str, lines: list[Line]) -> str:
    complete = _complete(lines)
    causal = [v for v in complete if not v.hindsight]
    if not causal:
        return f"{group}: no method left an admissible plan on every instance."
    best = causal[0]
    parts = [f"{group}: {label(best, lines)} has the lowest cost, {best.cost:.6g} on average"]
    if len(causal) < len(complete):
        parts[0] = parts[0].replace("the lowest cost", "the lowest cost of the causal methods")
    parts.append(_certified(best))
    parts.append(_against(causal, lines) + ".")
    parts.append(_quickest(causal, lines))
    parts.append(_foresight(complete, lines))
    parts.append(_learners(causal, lines))
    return "".join(parts)


def _certified(best: Line) -> str:
    """How near the optimum the best is proved to be, of the whole and of the controllable cost."""
    if not math.isfinite(best.gap):
        return ""
    mean, worst = (percent(gap).removeprefix("under ") for gap in (best.gap, best.gap_max))
    return (
        f", certified to lie within {mean} of the optimum on average and "
        f"{worst} at worst ({percent(best.controllable_gap)} of the controllable "
        "cost)"
    )


def _against(causal: list[Line], lines: list[Line]) -> str:
    """What simple methods cost."""
    told = [v for v in causal if v.method in ("greedy", "random") and v is not causal[0]]
    if not told:
        return ""
    more = " and ".join(f"{label(v, lines)} costs {percent(v.excess)} more" for v in told)
    return f"; {more} than {REFERENCES[told[0].reference]}"


def _foresight(complete: list[Line], lines: list[Line]) -> str:
    """What knowing the later slots is worth."""
    knowing = [v for v in complete if v.hindsight]
    if not knowing:
        return ""
    best, change = knowing[0], knowing[0].excess
    side = "below" if change < 0 else "above"
    return (
        f" With all slots known, {label(best, lines)} reaches {best.cost:.6g}, "
        f"{percent(abs(change))} {side} {REFERENCES[best.reference]}."
    )


def _quickest(complete: list[Line], lines: list[Line]) -> str:
    """The fastest method that loses next to nothing."""
    near = [v for v in complete if v.excess <= complete[0].excess + 1e-3]
    quick = min(near, key=lambda v: v.time_s)
    if quick is complete[0]:
        return f" It takes {seconds(quick.time_s)} a run."
    return (
        f" Within 0.1 % of it, {label(quick, lines)} is the quickest at {seconds(quick.time_s)} a "
        f"run against {seconds(complete[0].time_s)}."
    )


def _learners(complete: list[Line], lines: list[Line]) -> str:
    learned = [v for v in complete if v.family == "learned" and not v.finished]
    if not learned:
        return ""
    best, known = learned[0], learned[0].excess_interval
    spread = ""
    if math.isfinite(known.low):
        spread = (
            f" (95 % interval over {best.seeds} seeds and {best.instances} instances "
            f"{percent(known.low)} to {percent(known.high)})"
        )
    return (
        f" The best learned method is {label(best, lines)}, {percent(best.excess)} above "
        f"{REFERENCES[best.reference]}{spread}; {percent(best.deadline_misses)} of requests miss "
        "their deadline."
    )


def percent(value: float) -> str:
    """A share as text, with digits enough to tell it from 0."""
    if not math.isfinite(value):
        return "an unknown share"
    value = 100 * value
    if 0 < abs(value) < 1e-4:
        return "under 0.0001 %"
    if abs(value) < 0.01:
        return f"{value:.1g} %"
    return f"{value:.2f} %" if abs(value) < 1e4 else f"{value:.3g} %"


def seconds(value: float) -> str:
    """A time as text."""
    return f"{1e3 * value:.3g} ms" if value < 0.1 else f"{value:.3g} s"
