"""satedge: offloading multimodal-LLM requests to UAVs and satellites, under one referee.

    import satedge

    slot = satedge.generate("paper", seed=1)
    result = satedge.solve(slot, "branch-and-bound", budget_s=5)
    result.cost, result.bound, result.gap

Names are imported when they are first used: `import satedge` itself costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from satedge.api import (
        Result,
        benchmark,
        generate,
        judge,
        load,
        methods,
        plot_slot,
        read_results,
        solve,
    )
    from satedge.problem.instance import Instance
    from satedge.problem.plan import Outcome, Plan, Progress
    from satedge.problem.referee import Verdict
    from satedge.problem.rollout import rollout

    __version__: str

__all__ = [
    "Instance",
    "Outcome",
    "Plan",
    "Progress",
    "Result",
    "Verdict",
    "__version__",
    "benchmark",
    "generate",
    "judge",
    "load",
    "methods",
    "plot_slot",
    "read_results",
    "rollout",
    "solve",
]

#: Where names are that do not come from `satedge.api`.
_ELSEWHERE = {
    "Instance": "satedge.problem.instance",
    "Outcome": "satedge.problem.plan",
    "Plan": "satedge.problem.plan",
    "Progress": "satedge.problem.plan",
    "Verdict": "satedge.problem.referee",
    "rollout": "satedge.problem.rollout",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("satedge")
    if name not in __all__:
        raise AttributeError(f"module 'satedge' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_ELSEWHERE.get(name, "satedge.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
