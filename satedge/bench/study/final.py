"""The rules of a final analysis: a study with what is scored and which policies play, as one file.

    title = ...                     # a study as any other, on held-out suites
    [[part]] ...
    [final]
    reference = { paper = "myopic-exact" }       # by part: 0 % of the controllable excess
    rule = { paper = "inversion" }               # by part: 100 % of it
    contrasts = [["paper", "adsac+", "greedy"]]  # part, method, other: all there will be
    [policies]                      # by name the hash of the files, written by --freeze
    "paper/adsac+/seed-0" = "..."

The primary score is the mean bounded cost. Every contrast is the ratio of two means of it, on the
episodes of both, by two-way bootstrap, and all of them together are corrected by Holm.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from satedge.bench.methods.table import Method, policy_files
from satedge.bench.study import provenance
from satedge.bench.study.study import Part, Study, StudyError, filled
from satedge.bench.study.study_file import parse_study
from satedge.bench.study.suite_data import HELD_OUT
from satedge.problem.fields import Declared, Wording, as_tuple, declared, param
from satedge.problem.io.jsonfile import FileError, read_text

_Contrasts = Annotated[
    tuple[Annotated[tuple[str, str, str], BeforeValidator(as_tuple)], ...],
    BeforeValidator(as_tuple),
    Wording("a list of [part, method, other]"),
]

_POLICIES = re.compile(r"^\[policies\]\n.*?(?=^\[|\Z)", re.M | re.S)


@declared(StudyError, "key")
class FinalTable(Declared):
    """`[final]`."""

    reference: dict[str, str] = param({}, doc="By part the method whose excess is 0.")
    rule: dict[str, str] = param({}, doc="By part the fixed rule whose excess is 100 %.")
    contrasts: _Contrasts = param((), doc="All comparisons that are made.")


@dataclass(frozen=True)
class Final:
    """A file of rules."""

    study: Study
    table: FinalTable
    policies: Mapping[str, str]
    """Name -> hash of the files of every policy that plays."""

    @property
    def held_out(self) -> bool:
        """It plays held-out suites; else it is a rehearsal."""
        return any(suite in HELD_OUT for part in self.study.parts for suite in part.suites)


def read_final(path: Path) -> Final:
    """The rules of a file. Raises StudyError."""
    try:
        text = read_text(path)
    except FileError as error:
        raise StudyError(f"{path}: {error}") from None
    study = parse_study(text, path.parent.name, str(path))
    raw = tomllib.loads(text)
    if "final" not in raw:
        raise StudyError(f"{path}: final is missing: allowed is a table with the contrasts")
    try:
        found = Final(study, FinalTable(**raw["final"]), raw.get("policies", {}))
        _check_names(found)
    except StudyError as error:
        raise StudyError(f"{path}: final: {error}") from None
    return found


def _check_names(final: Final) -> None:
    """Contrasts, references and rules are of methods of their parts."""
    labels = {part.name: [e.label for e in part.entries] for part in final.study.parts}
    named = [(part, m) for part, *both in final.table.contrasts for m in both]
    named += [*final.table.reference.items(), *final.table.rule.items()]
    for part, method in named:
        if part not in labels:
            raise StudyError(f"part {part!r}: allowed is one of {', '.join(labels)}")
        if method not in labels[part]:
            raise StudyError(
                f"method {method!r} of part {part}: allowed is one of {', '.join(labels[part])}"
            )
    for part in labels:
        if (part in final.table.reference) != (part in final.table.rule):
            raise StudyError(f"part {part!r}: allowed is a reference and a rule, or neither")


def present(study: Study) -> dict[str, str]:
    """Name -> hash of every policy that the study plays. Raises StudyError where one is missing."""
    found = {}
    for part in study.parts:
        for method in _learned(part):
            name = f"{method.settings.get('preset', 'paper')}/{method.settings.get('policy')}"
            files = policy_files(method)
            if not files:
                raise StudyError(f"part {part.name}: policy {name!r}: allowed is one that is there")
            found[name] = provenance.file_digest(files)
    return dict(sorted(found.items()))


def _learned(part: Part) -> Iterator[Method]:
    """Its learned methods, seed by seed."""
    suites = [HELD_OUT[s] for s in part.suites if s in HELD_OUT]
    recipes = [*part.made, *(r for suite in suites for r in suite.recipes[:1])]
    n_devices = recipes[0].scenario().n_devices if recipes else 0
    for entry in part.entries:
        if entry.method.family == "learned":
            for seed in entry.seeds:
                yield filled(entry, seed, n_devices)


def check_policies(final: Final) -> None:
    """Raise StudyError unless the policies that are here are those of the rules, all of them."""
    here = present(final.study)
    for name in sorted({*here, *final.policies}):
        found, wanted = here.get(name), final.policies.get(name)
        if wanted is None:
            raise StudyError(f"policy {name!r} is not in the rules: allowed is --freeze before")
        if found != wanted:
            raise StudyError(
                f"policy {name!r}: hash = {found}: allowed is {wanted}, as the rules have it"
            )


def frozen(text: str, policies: Mapping[str, Any]) -> str:
    """The text of rules with the hashes of policies written anew, at the end."""
    rest = _POLICIES.sub("", text).rstrip("\n")
    lines = "".join(f'"{name}" = "{digest}"\n' for name, digest in policies.items())
    return f"{rest}\n\n[policies]\n{lines}"
