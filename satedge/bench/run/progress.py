"""A run at work on a terminal: seconds, the incumbent's judged cost, the bound and the gap."""

from __future__ import annotations

import math
import sys
import time

from satedge import preparation
from satedge.bench.run.supervisor import Listener
from satedge.problem.instance import Instance
from satedge.problem.plan import PlanError, Progress
from satedge.problem.referee import judge

#: Seconds between lines on a terminal, and where standard error is none.
EACH_S, EACH_LOGGED_S = 0.2, 5.0


def on_standard_error(instance: Instance, budget_s: float) -> Listener:
    """A listener that keeps one line of a terminal up to date, or logs a line now and then."""
    terminal = sys.stderr.isatty()
    shown = _Shown(instance, budget_s)
    told_s = 0.0 if terminal else time.monotonic()

    def listen(elapsed_s: float, progress: Progress | None) -> None:
        nonlocal told_s
        shown.take(progress)
        now = time.monotonic()
        if now - told_s < (EACH_S if terminal else EACH_LOGGED_S):
            return
        told_s = now
        if terminal:
            preparation.say(shown.text(elapsed_s))
        else:
            print(shown.text(elapsed_s), file=sys.stderr, flush=True)

    return listen


class _Shown:
    """The best of what a run has streamed so far."""

    def __init__(self, instance: Instance, budget_s: float) -> None:
        self.instance, self.budget_s = instance, budget_s
        self.cost, self.bound = math.inf, -math.inf

    def take(self, progress: Progress | None) -> None:
        """Judge a plan that is streamed; what does not fit is told when the run has ended."""
        if progress is None:
            return
        if progress.lower_bound is not None:
            self.bound = max(self.bound, progress.lower_bound)
        if progress.plan is not None:
            try:
                verdict = judge(self.instance, progress.plan)
            except (PlanError, AttributeError, TypeError):
                return
            if bool(verdict.admissible):
                self.cost = min(self.cost, float(verdict.cost))

    def text(self, elapsed_s: float) -> str:
        """One line."""
        told = [f"{elapsed_s:.1f} s of {self.budget_s:g} s"]
        if math.isfinite(self.cost):
            told.append(f"cost {self.cost:.6g}")
        if math.isfinite(self.bound):
            told.append(f"bound {self.bound:.6g}")
        if math.isfinite(self.cost - self.bound) and self.cost:
            told.append(f"gap {100 * (self.cost - self.bound) / abs(self.cost):.3g} %")
        return "   ".join(told)
