"""Whatever a user's file holds, it is read or refused in one line, and no change goes unseen."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from satedge.bench.study.study import StudyError
from satedge.bench.study.study_file import load_study
from satedge.problem.generation import traces
from satedge.problem.instance import Instance
from satedge.problem.io.files import FileError, read_instance, read_plan, write_instance, write_plan
from satedge.problem.io.folder import SEAL
from satedge.problem.satellites.element_files import ElementsError, read_elements
from support.kinds import Kind, hold
from support.toys import plan_of
from support.worlds import tiny

DATA = Path(__file__).parents[1] / "problem" / "satellites" / "data"


# --- instances and plans


INSTANCE = tiny(5)


def written(write: Callable[[Path], object], folder: Path, name: str = "x.json") -> str:
    write(folder / name)
    return (folder / name).read_text()


def instance_of(path: Path) -> Any:
    found = read_instance(path)
    return found.name, found.seed, found.content_sha256


def instance_says(text: str) -> Any:
    """All but who made it, which an instance without its hash does not tell."""
    whole = json.loads(text)
    del whole["generator_version"]
    for name in ("content_sha256", SEAL):
        whole.pop(name, None)
    return whole


def plan_read(path: Path) -> Any:
    found = read_plan(path, INSTANCE)
    return tuple(value.tobytes() for value in vars(found).values())


def plan_says(text: str) -> Any:
    whole = json.loads(text)
    return whole["server"], whole["power_W"], whole["uav_xy_m"]


def without_hashes(text: str) -> str:
    whole = json.loads(text)
    return json.dumps({k: v for k, v in whole.items() if k not in ("content_sha256", SEAL)})


# --- satellites


NUMBERS = (
    "MEAN_MOTION", "ECCENTRICITY", "INCLINATION", "RA_OF_ASC_NODE", "ARG_OF_PERICENTER",
    "MEAN_ANOMALY", "BSTAR", "MEAN_MOTION_DOT", "MEAN_MOTION_DDOT",
)  # fmt: skip

ELEMENTS = (
    "satnum_str", "classification", "intldesg", "elnum", "revnum", "ephtype", "epochyr",
    "epochdays", "ndot", "nddot", "bstar", "ecco", "argpo", "inclo", "mo", "no_kozai", "nodeo",
)  # fmt: skip


def elements_of(path: Path) -> Any:
    return [
        (r.name, r.epoch, *(getattr(r.satrec, name) for name in ELEMENTS))
        for r in read_elements(path)
    ]


def omm_says(text: str) -> Any:
    """Names, epochs to the microsecond, and the numbers that SGP4 uses."""
    if text.lstrip().startswith(("[", "{")):
        content = json.loads(text)
        messages = content if isinstance(content, list) else [content]
    else:
        messages = list(csv.DictReader(io.StringIO(text.strip())))
    return [
        (m.get("OBJECT_NAME"), str(m["EPOCH"])[:26], *(_float(m[name]) for name in NUMBERS))
        for m in messages
    ]


def _float(given: Any) -> float:
    """A number, 0 where other units leave nothing of it."""
    value = float(given)
    return value if abs(value) > 1e-290 else 0.0


def lines_say(text: str) -> Any:
    """The columns of the lines as words and numbers, with the names before them."""
    said: list[Any] = []
    for raw in text.splitlines():
        line = raw.rstrip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("1 "):
            cuts = ((18, 20), (20, 32), (33, 43))
            said.append([line[2:7].strip(), line[7:8], line[9:17].strip()])
            said[-1] += [float(line[a:b]) for a, b in cuts]
            said[-1] += [_exponent(line[44:52]), _exponent(line[53:61]), line[62:63].strip() or "0"]
            said[-1].append(int(line[64:68].strip() or 0))
        elif line.startswith("2 "):
            cuts = ((8, 16), (17, 25), (34, 42), (43, 51), (52, 63))
            said.append([line[2:7].strip(), *(float(line[a:b]) for a, b in cuts)])
            said[-1] += [int(line[26:33]), int(line[63:68].strip() or 0)]
        else:
            said.append(line.removeprefix("0 ").strip())
    return said


def _exponent(text: str) -> float:
    return float(f"{text[:1].strip()}.{text[1:6]}e{text[6:]}")


# --- a user's own sites, tracks and requests


def traced(reader: Callable[[Instance, Path], Instance], path: Path) -> Any:
    return reader(INSTANCE, path).content_sha256


def rows_say(text: str) -> Any:
    """The rows as sets of columns and numbers, in any order."""
    head, *rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""))
        if any(cell.strip() for cell in row)
    ]
    return sorted(sorted(zip(head, map(float, row), strict=True)) for row in rows)


REQUESTS = (
    "slot,device,input_bit,output_words,deadline_s,accuracy_floor\n"
    "0,0,5e6,32,2.5,0.5\n0,1,6000000.5,64,2,0.41\n0,2,7e6,16,3,0\n"
)

STUDY = """
title = "A study"
[training]
epochs = 9
updates = 3
[defaults]
budgets_s = [3.0]
memory_MB = 1000
[[part]]
name = "first"
suites = ["tiny"]
seeds = [1, 2]
take = 5
slots = [0, 7]
methods = [
  "greedy",
  { name = "branch-and-bound", label = "exact", settings = { gap = 0.01 }, budgets_s = [4] },
  { name = "adsac", seeds = [3], settings = { policy = "x-{seed}" }, train = { epochs = 15 } },
]
[[part]]
name = "second"
generate = [{ preset = "balanced", seeds = "5-7", set = { n_devices = 4, n_slots = 2 } }]
grace_s = 1.5
clock = "cpu"
methods = [{ name = "nearest", take = 2 }]
"""


def study_says(text: str) -> Any:
    """The parts with what they share written out in each, and in their methods."""
    whole = tomllib.loads(text)
    training = whole.pop("training", {})
    said = [whole.get("title"), training]
    for part in whole.get("part", []):
        full = {**whole.get("defaults", {}), **part}
        shared = {name: full.get(name) for name in ("seeds", "budgets_s")}
        methods = [{"name": m} if isinstance(m, str) else m for m in full.pop("methods", [])]
        filled = [{**shared, **m, "train": {**training, **m.get("train", {})}} for m in methods]
        said.append([full, [{"label": m.get("name"), **m} for m in filled]])
    return said


def study_of(path: Path) -> Any:
    return repr(replace(load_study(str(path)), source="", name=""))


# --- all kinds


def kinds(folder: Path) -> dict[str, Kind]:
    """Every kind of file that a user gives."""
    instance = written(partial(write_instance, INSTANCE), folder)
    plan = written(lambda path: write_plan(plan_of(INSTANCE), path, INSTANCE), folder)
    read_in = {"sites": traces.with_device_sites, "tracks": traces.with_tracks,
               "UAVs": traces.with_uav_sites, "requests": traces.with_requests}  # fmt: skip
    rows = {
        "sites": "device,x_m,y_m\n0,1,2.5\n1,300,4e1\n2,0,500\n",
        "tracks": "slot,device,x_m,y_m\n0,0,1,2\n0,2,3.25,4\n0,1,5,6\n",
        "UAVs": "uav,altitude_m,x_m,y_m\n0,55.5,100,200\n",
        "requests": REQUESTS,
    }
    of_instance = (instance_of, (FileError,), instance_says)
    elements = (elements_of, (ElementsError,))
    made = [
        Kind("instance", "x.json", instance, *of_instance),
        Kind("instance without hashes", "x.json", instance, *of_instance, mend=without_hashes),
        Kind("packed instance", "x.json.gz", instance, *of_instance),
        Kind("plan", "x.json", plan, plan_read, (FileError,), plan_says),
        Kind("two lines", "x.tle", (DATA / "iss.tle").read_text(), *elements, lines_say, False),
        Kind("OMM JSON", "x.json", (DATA / "iss_omm.json").read_text(), *elements, omm_says),
        Kind("OMM CSV", "x.csv", (DATA / "iss_omm.csv").read_text(), *elements, omm_says, False),
        *(
            Kind(n, "x.csv", rows[n], partial(traced, read_in[n]), (FileError,), rows_say, False)
            for n in rows
        ),
        Kind("study", "x.toml", STUDY, study_of, (StudyError,), study_says, False),
    ]
    return {kind.name: kind for kind in made}


NAMES = (
    "instance", "instance without hashes", "packed instance", "plan", "two lines", "OMM JSON",
    "OMM CSV", "sites", "tracks", "UAVs", "requests", "study",
)  # fmt: skip


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    found = kinds(tmp_path_factory.mktemp("sound"))
    assert tuple(found) == NAMES
    return found


@pytest.mark.randomised
@pytest.mark.parametrize("name", NAMES)
def test_damage_is_refused_or_seen(name: str, every_kind: dict[str, Kind], tmp_path: Path) -> None:
    """No traceback, no second line, no change that goes unseen."""
    hold(every_kind[name], tmp_path)
