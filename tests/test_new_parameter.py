"""A parameter that joins the scenario leaves what was made before it valid.

The field is added to the source of the scenario as docs/how-to/parameter.md says, in a process of
its own, before anything else has imported it.
"""

import hashlib
import json
import subprocess
import sys
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from satedge.bench.methods import table as methods
from satedge.bench.study.cell import Cell
from satedge.bench.study.suites import load_suite, manifest
from satedge.problem.io.files import write_instance, write_plan
from satedge.problem.io.schema import write_schemas
from satedge.problem.rollout import idle_decision
from satedge.problem.scenario import Scenario, ScenarioError

GROW = '''
import json, sys, types
from pathlib import Path

name, folder = "satedge.problem.scenario", Path(sys.argv[1])
import satedge.problem
path = Path(satedge.problem.__path__[0]) / "scenario.py"
old, declared = "    # Objective\\n", """    uav_hover_W: float = param(
        0.0, "W", "open", "Power of a hovering UAV.", low=0, high=1e4, since=2
    )
"""
source = path.read_text()
assert source.count(old) == 1
module = sys.modules[name] = types.ModuleType(name)
exec(compile(source.replace(old, declared + old), str(path), "exec"), module.__dict__)
'''

LOOK = """
import jsonschema
from drl.training.policy import solve
from satedge.bench.methods import table as methods
from satedge.bench.score.best_known import instances_of, read_records, verify
from satedge.bench.study.cell import Cell
from satedge.bench.study.suites import load_suite
from satedge.problem.io.files import read_instance, read_plan, write_instance
from satedge.problem.io.schema import instance_schema
from satedge.problem.scenario import Scenario, ScenarioError

told = {"default": Scenario().uav_hover_W}
committed = {s: load_suite(s) for s in ("tiny", "slots", "as-printed")}
told["suites"] = {s: [i.content_sha256 for i in found] for s, found in committed.items()}
for record in read_records("tiny").values():
    verify(record, instances_of("tiny")[record.instance])
told["cell"] = Cell(methods.find("greedy"), committed["tiny"][0], 0, 1.0).key
told["policy"] = solve(committed["slots"][0], policy="adsac+").info["policy"]["method"]
again = read_instance(folder / "instance.json")
told["plan"] = read_plan(folder / "plan.json", again).server.tolist()
document = json.loads((folder / "instance.json").read_text())
jsonschema.validate(document, instance_schema())

document["scenario"]["uav_hover_W"] = 0
del document["file_sha256"]
(folder / "said.json").write_text(json.dumps(document))
told["said"] = read_instance(folder / "said.json").content_sha256
document["scenario"]["uav_hover_W"] = 5.0
del document["content_sha256"]
(folder / "other.json").write_text(json.dumps(document))
other = read_instance(folder / "other.json")
write_instance(other, folder / "other.json")
written = json.loads((folder / "other.json").read_text())
jsonschema.validate(written, instance_schema())
told["other"] = [other.content_sha256, written["content_sha256"]]
told["other value"] = written["scenario"]["uav_hover_W"]
told["read back"] = read_instance(folder / "other.json").scenario == other.scenario
try:
    Scenario.from_dict(written["scenario"] | {"uav_hovr_W": 1.0})
except ScenarioError as error:
    told["unknown"] = str(error)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process with the new field makes of things written without it."""
    folder = tmp_path_factory.mktemp("grown")
    instance = load_suite("tiny")[0]
    write_instance(instance, folder / "instance.json")
    write_plan(idle_decision(instance), folder / "plan.json", instance)
    command = [sys.executable, "-c", GROW + LOOK, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["default"] == 0.0
    return told


def test_instances_and_manifest_stay_valid(grown: dict[str, Any]) -> None:
    """Files read, generated instances are those of the manifest, and none has another hash."""
    known = manifest()
    for suite, hashes in grown["suites"].items():
        assert hashes == [known[i.name]["sha256"] for i in load_suite(suite)]


def test_plans_policies_and_results_stay_valid(grown: dict[str, Any]) -> None:
    """A plan made for an instance, a committed policy, and what a study has finished."""
    instance = load_suite("tiny")[0]
    assert grown["plan"] == idle_decision(instance).server.tolist()
    assert grown["policy"] == "adsac+"
    assert grown["cell"] == Cell(methods.find("greedy"), instance, 0, 1.0).key


def test_another_value_is_another_instance(grown: dict[str, Any]) -> None:
    """It stands in the file and in the hash; the default said aloud is the default."""
    before = load_suite("tiny")[0].content_sha256
    assert grown["said"] == before
    assert grown["other"][0] == grown["other"][1] != before
    assert grown["other value"] == 5.0
    assert grown["read back"]


def test_a_name_that_is_no_field_is_still_refused(grown: dict[str, Any]) -> None:
    """Fields may be missing, but none may be misspelt."""
    assert grown["unknown"].startswith("unknown parameter 'uav_hovr_W'; did you mean uav_hover_W")


def test_defaults_never_change() -> None:
    """Presets, and files that leave later fields out, would mean other worlds under old names."""
    first = {f.name: f.default for f in fields(Scenario) if f.metadata["since"] == 1}
    digest = hashlib.sha256(json.dumps(first, sort_keys=True).encode()).hexdigest()
    assert digest == "5ec08fd7e6576edc28aea9b35825ed6f14393872585aba23c920c65f627010f9"


def test_a_published_default_is_not_written_over(tmp_path: Path) -> None:
    """The published schema holds every default, also those of later declarations."""
    published = resources.files("satedge.problem.io").joinpath("instance.schema.json").read_text()
    path = tmp_path / "instance.schema.json"
    path.write_text(published.replace('"default": 13.0', '"default": 12.0'))
    with pytest.raises(ScenarioError, match=r"default of satellite_spacing_deg = 13\.0: .* 12\.0"):
        write_schemas(tmp_path)
    assert '"default": 12.0' in path.read_text()
