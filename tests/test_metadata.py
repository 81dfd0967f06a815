"""What the repository says of itself to other programs agrees with what it is."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from satedge.bench.study import croissant
from satedge.bench.study.suites import _check_description, write_description

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

#: Fields of the vocabulary of responsible AI that a description of data ought to fill.
RESPONSIBLE = (
    "dataCollection", "dataCollectionType", "dataUseCases", "dataLimitations", "dataBiases",
    "personalSensitiveInformation", "dataSocialImpact", "dataReleaseMaintenancePlan",
    "dataPreprocessingProtocol", "dataAnnotationProtocol",
)  # fmt: skip


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return croissant.croissant(ROOT / "instances")


def test_the_description_of_the_suites_is_whole(description: dict[str, Any]) -> None:
    """Croissant: every committed suite with its files and records, core and responsible AI."""
    assert text("instances/croissant.json") == croissant.text(ROOT / "instances")
    for name in ("name", "description", "license", "version", "datePublished", "citeAs"):
        assert description[name]
    assert all(description[f"rai:{name}"] for name in RESPONSIBLE)
    parts = {part["@id"]: part for part in description["distribution"]}
    for part in parts.values():
        files = list((ROOT / "instances").glob(part.get("includes", part.get("contentUrl"))))
        assert files, part["@id"]
    for records in description["recordSet"]:
        for field in records["field"]:
            source = field["source"].get("fileSet", field["source"].get("fileObject"))
            assert source["@id"] in parts
            assert field["@id"] == f"{records['@id']}/{field['name']}"


def test_the_description_follows_the_records(tmp_path: Path) -> None:
    """A changed record makes it wrong, which is said, until it is written again."""
    root = tmp_path / "instances"
    shutil.copytree(ROOT / "instances" / "records", root / "records")
    assert write_description(root) == [root / croissant.NAME]
    assert _check_description(root) == []
    with (root / "records" / "tiny.json").open("a") as records:
        records.write("\n")
    (problem,) = _check_description(root)
    assert problem.startswith(f"{root / croissant.NAME}: differs")
    assert write_description(tmp_path) == [], "no clone"


def test_versions_agree_and_are_dated() -> None:
    """Package, citation and the latest version of the changelog."""
    versions = re.findall(r"^## (\S+)(?: - (\d{4}-\d{2}-\d{2}))?$", text("CHANGELOG.md"), re.M)
    released = [(version, date) for version, date in versions if version != "Unreleased"]
    assert all(date for _, date in released)
    assert released[0][0] == PROJECT["version"]
    told = dict(re.findall(r"^([\w-]+): (\S+)$", text("CITATION.cff"), re.M))
    assert (told["version"], told["date-released"]) == released[0]
    assert told["license"] == PROJECT["license"]


def pins(name: str) -> dict[str, str]:
    """Package -> version of a list of pins."""
    found = re.findall(r"^([\w.-]+)==([^\s+]+)", text(name), re.M)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


def test_hashes_are_of_the_pinned_versions() -> None:
    """Each package that is pinned has a hash, of this version; torch's setuptools has one, too."""
    assert pins("hashes.txt").keys() - pins("constraints.txt").keys() <= {"setuptools"}
    assert pins("constraints.txt").items() <= pins("hashes.txt").items()
    lines = text("hashes.txt").splitlines()
    assert lines[0].startswith("# Linux, x86_64, Python 3.11")
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}$", line) for line in lines[1:])


def test_the_workflow_is_the_gate() -> None:
    """It runs .ci/run and nothing else, with the Makefile's Python."""
    workflow = text(".github/workflows/check.yml")
    assert re.findall(r"run: (.+)", workflow) == [".ci/run"]
    (version,) = re.findall(r'python-version: "([\d.]+)"', workflow)
    assert f"python{version}" in text("Makefile")
    assert f"FROM python:{version}-" in text("Dockerfile")


def test_hooks_are_checks_of_the_makefile() -> None:
    """Every hook runs a command of `make lint`, `types` or `imports`."""
    commands = re.findall(r"entry: \.venv/bin/([^,]+),", text(".pre-commit-config.yaml"))
    assert len(commands) == 4
    for command in commands:
        assert f"$(BIN)/{command}" in text("Makefile")


def test_the_container_is_made_of_what_there_is() -> None:
    """Files that are copied exist, and the devcontainer builds the same."""
    for line in re.findall(r"^COPY --chown=\w+ (.+)$", text("Dockerfile"), re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    container = json.loads(text(".devcontainer/devcontainer.json"))
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).resolve() == (
        ROOT / "Dockerfile"
    )
