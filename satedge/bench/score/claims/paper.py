"""The paper's statements as one table: what was measured of each, and the verdict.

A verdict follows from intervals. At the end of trainings and at the selected policies statements
are examined apart. What no study can speak to is not examined, and the table says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from satedge.bench.score.claims.evidence import NOT_EXAMINED, Evidence, Part, told
from satedge.bench.score.claims.statements import STATEMENTS, Statement
from satedge.bench.score.training_logs import Training

#: The worlds that the paper speaks of.
WORLDS = ("paper", "paper-figures")


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, ours, and whether they agree."""

    figure: str
    paper: str
    how: str
    policies: str
    """'selected' by validation, at the 'final' epoch, or of the 'training' itself."""
    ours: str
    """The estimates with 95 % intervals, or why there are none."""
    verdict: str
    """'reproduced', 'contradicted', 'inconclusive', 'fitted' where the calibration asks for it, or
    'not examined'."""
    parts: tuple[Part, ...] = ()
    study: str = ""


def claims(scored: pd.DataFrame, trained: Sequence[Training] = (), study: str = "") -> list[Claim]:
    """All statements that the study can speak to."""
    evidence = Evidence(scored, [t for t in trained if t.world in WORLDS])
    found = []
    for statement in STATEMENTS:
        for policies in statement.policies:
            parts = statement.parts(evidence, policies)
            if parts:
                found.append(_claim(statement, policies, parts, study))
    return found


def _claim(s: Statement, policies: str, parts: list[Part], study: str) -> Claim:
    head = (s.place, s.text, s.how, policies)
    return Claim(*head, told(parts), s.judge(parts), tuple(parts), study)


def of_all(studies: Iterable[Sequence[Claim]]) -> list[Claim]:
    """Every statement once at each of its policies, from the study that has most to say of it."""
    known: dict[tuple[str, str, str], Claim] = {}
    for claim in (c for study in studies for c in study):
        key = (claim.figure, claim.paper, claim.policies)
        if key not in known or len(claim.parts) > len(known[key].parts):
            known[key] = claim
    return [
        known.get((s.place, s.text, policies))
        or Claim(s.place, s.text, s.how, policies, s.reason, NOT_EXAMINED)
        for s in STATEMENTS
        for policies in s.policies
    ]
