"""A run to be done: one method with its settings on one instance, under one seed and budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from satedge.bench.methods.table import Method, policy_files
from satedge.bench.study import provenance
from satedge.bench.study.limits import Limits
from satedge.problem.instance import Instance
from satedge.problem.referee import COST_VERSION


@dataclass(frozen=True, eq=False)
class Cell:
    """What is run and scored as one row; identified by its key."""

    method: Method
    instance: Instance
    seed: int
    budget_s: float
    label: str = ""
    """Name in the tables; the method's own by default."""
    group: str = ""
    """Runs of one group are compared with each other: a suite, or a part of a study."""
    limits: Limits = field(default_factory=Limits)

    @property
    def name(self) -> str:
        """Label of the method in the tables."""
        return self.label or self.method.name

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Of the result: what is run, on what, within which limits, judged by which cost."""
        clock = {} if self.limits.clock == "wall" else {"clock": self.limits.clock}
        return clock | {
            "label": self.name,
            "entry": self.method.entry,
            "settings": dict(self.method.settings),
            "policy": self._policy(),
            "instance": self.instance.content_sha256,
            "cost_version": COST_VERSION,
            "seed": self.seed,
            "budget_s": self.budget_s,
            "grace_s": self.limits.grace_s,
            "memory_MB": self.limits.memory_MB,
        }

    @cached_property
    def key(self) -> str:
        """Hash of the identity: the name of the run's file."""
        return provenance.digest(self.identity)

    def _policy(self) -> str:
        """Hash of the files behind the setting `policy`: retrained weights are another run."""
        files = policy_files(self.method)
        return provenance.file_digest(files) if files else ""
