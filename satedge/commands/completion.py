"""What the shell completes: methods, presets, suites, studies, and fields of `--set`.

Called at every press of a key, so that nothing heavy is imported, and nothing is ever raised.
"""

from __future__ import annotations

from collections.abc import Iterable


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def methods(incomplete: str) -> list[str]:
    """Names of methods."""
    from satedge.bench.methods.table import table

    return _starting(table(), incomplete)


def learners(incomplete: str) -> list[str]:
    """Names of methods that are trained."""
    from satedge.bench.methods.table import table

    return _starting((m.name for m in table().values() if m.family == "learned"), incomplete)


def presets(incomplete: str) -> list[str]:
    """Names of presets."""
    from satedge.problem.scenario import PRESETS

    return _starting(PRESETS, incomplete)


def studies(incomplete: str) -> list[str]:
    """Names of the studies that come with the package, and files."""
    from importlib import resources
    from pathlib import Path

    built_in = (resources.files("satedge") / "studies").iterdir()
    names = sorted(f.name.removesuffix(".toml") for f in built_in if f.name.endswith(".toml"))
    files = sorted(path.name for path in Path().glob("*.toml"))
    return _starting([*names, *files], incomplete)


def worlds(incomplete: str) -> list[str]:
    """Names of suites and presets."""
    from satedge.bench.study.suite_data import SUITES
    from satedge.problem.scenario import PRESETS

    return _starting(dict.fromkeys((*SUITES, *PRESETS)), incomplete)


def fields(incomplete: str) -> list[str]:
    """Fields of a scenario, each with its "="."""
    import dataclasses

    from satedge.problem.scenario import Scenario

    return _starting((f"{f.name}=" for f in dataclasses.fields(Scenario)), incomplete)
