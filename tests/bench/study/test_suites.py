"""Suites: what is declared, what lies in files, and what the manifest says are one and the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from satedge.bench.study import suites
from satedge.bench.study.suite_data import HELD_OUT_SEEDS
from satedge.bench.study.suites import (
    DEVELOPMENT_SEEDS,
    SUITES,
    SWEEPS,
    TRAIN_SEEDS,
    VALIDATION_SEEDS,
    SuiteError,
    build,
    check_suites,
    load_suite,
    manifest,
    wander,
    write_suites,
)
from satedge.paths import PACKAGE
from satedge.problem.generation.generate import generate
from satedge.problem.instance import array_fields
from satedge.problem.io.files import FileError, read_instance, write_instance
from satedge.problem.plan import Plan
from satedge.problem.referee import judge
from satedge.problem.scenario import preset

COMMITTED = Path(__file__).parents[3] / "instances"
SIZES = {
    "tiny": (30, 1),
    "slots": (100, 1),
    "slots-balanced": (100, 1),
    "contended": (100, 1),
    "contended-balanced": (100, 1),
    "as-printed": (30, 1),
    "paper": (10, 100),
    "paper-validation": (5, 100),
    "contended-episodes": (10, 100),
    "contended-validation": (5, 100),
    "foresight": (30, 30),
    "foresight-validation": (5, 30),
    "foresight-faint": (30, 30),
    "foresight-faint-validation": (5, 30),
    "figures": (420, 20),
    "figures-devices": (120, 20),
    "figures-deadline": (150, 20),
    "figures-accuracy": (150, 20),
    "figures-calibration": (15, 20),
    "tle": (5, 100),
}


#: Suites that lie in files.
FILES = [name for name, suite in SUITES.items() if suite.committed]


@pytest.fixture(scope="module")
def loaded():
    """Every suite, from files where there are some."""
    return {name: load_suite(name) for name in SUITES}


@pytest.fixture
def copied(tmp_path):
    """A copy of the committed files, to be damaged."""
    for name in FILES:
        shutil.copytree(COMMITTED / name, tmp_path / name)
    return tmp_path


def equal_arrays(a, b, names=None) -> bool:
    names = names or [f.name for f in array_fields()]
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names)


# --- one and the same


def test_everything_regenerates_to_what_is_published():
    """Manifest, constellation and committed files all follow from the declarations."""
    assert check_suites() == []


def test_without_the_repository_suites_are_the_same(loaded, tmp_path):
    """An installed package has no instances/: what it generates is what the files hold."""
    for name in FILES:
        again = load_suite(name, root=tmp_path / "nowhere")
        assert [i.content_sha256 for i in again] == [i.content_sha256 for i in loaded[name]]
        assert [i.name for i in again] == [i.name for i in loaded[name]]
        assert all(map(equal_arrays, again, loaded[name]))


def test_suites_have_their_sizes(loaded):
    """Numbers of instances and slots, and names that tell them apart."""
    assert {n: (len(s), s[0].n_slots) for n, s in loaded.items()} == SIZES
    names = {i.name: i.content_sha256 for suite in loaded.values() for i in suite}
    assert set(names) == set(manifest())
    assert len(set(names.values())) == len(names)


def test_a_manifest_entry_is_enough_to_make_its_instance():
    """Preset, changes, seed and slot give the hash without the declarations."""
    entries = manifest()
    for name in ("tiny-3004", "paper-validation-10002", "figures-devices-15-1001"):
        entry = entries[name]
        scenario = preset(entry["preset"]).replace(**entry.get("changes", {}))
        assert generate(scenario, entry["seed"]).content_sha256 == entry["sha256"]
    entry = entries["slots-2003-43"]
    episode = generate(preset(entry["preset"]), entry["seed"])
    t = entry["slot"]
    slot = episode.window(t, t + 1, wander(episode)[t])
    assert slot.content_sha256 == entry["sha256"]


def test_the_package_alone_is_enough(tmp_path):
    """Copied elsewhere without the rest of the repository, every suite loads and checks."""
    package = PACKAGE
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, tmp_path / "satedge", ignore=leave)
    child = (
        "from satedge.bench.study.suites import SUITES, check_suites, load_suite\n"
        "import satedge; print(satedge.__file__)\n"
        "print(check_suites(), sum(len(load_suite(name)) for name in SUITES))\n"
    )
    command = [sys.executable, "-c", child]
    variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
    )
    place, told = done.stdout.splitlines()
    assert Path(place) == tmp_path / "satedge" / "__init__.py"
    assert told == f"[] {sum(count for count, _ in SIZES.values())}"


# --- what is in them


def test_seeds_never_overlap():
    """Training, validation, test and held-out seeds are apart, and suites use the right ones."""
    ranges = [TRAIN_SEEDS, VALIDATION_SEEDS, DEVELOPMENT_SEEDS, HELD_OUT_SEEDS]
    for i, a in enumerate(ranges):
        for b in ranges[i + 1 :]:
            assert a.stop <= b.start or b.stop <= a.start
    assert len(TRAIN_SEEDS) >= 10**6
    for name, suite in SUITES.items():
        allowed = DEVELOPMENT_SEEDS
        if name.endswith(("-validation", "-calibration")):
            allowed = VALIDATION_SEEDS
        assert all(recipe.seed in allowed for recipe in suite.recipes), name


def test_slots_cover_the_episode(loaded):
    """Every slot index is cut once, from twenty episodes, and weights alone are balanced."""
    recipes = SUITES["slots"].recipes
    assert sorted(r.slot for r in recipes) == list(range(100))
    assert len({r.seed for r in recipes}) == 20
    for plain, balanced in zip(loaded["slots"], loaded["slots-balanced"], strict=True):
        assert equal_arrays(plain, balanced)
        assert balanced.scenario == preset("balanced")
        assert plain.scenario == preset("paper")


def test_contended_slots_are_places_of_slots(loaded):
    """Episodes, indices and UAV positions of `slots`; under either weights the same draws."""
    places = [(r.seed, r.slot) for r in SUITES["slots"].recipes]
    pairs = zip(loaded["contended"], loaded["contended-balanced"], strict=True)
    for (plain, balanced), paper in zip(pairs, loaded["slots"], strict=True):
        assert equal_arrays(plain, balanced)
        assert plain.scenario == preset("contended")
        assert balanced.scenario == preset("contended-balanced")
        assert equal_arrays(plain, paper, ["uav_xy_m", "device_xy_m"])
    for name in ("contended", "contended-balanced"):
        assert [(r.seed, r.slot) for r in SUITES[name].recipes] == places


def test_as_printed_slots_are_those_of_slots(loaded):
    """The same episodes and slots under leakage 1: all but requests is equal."""
    pairs = zip(SUITES["slots"].recipes, loaded["slots"], strict=True)
    by_place = {(r.seed, r.slot): i for r, i in pairs}
    requests = {"input_bit", "output_words", "deadline_s", "accuracy_floor"}
    names = [f.name for f in array_fields() if f.name not in requests]
    for recipe, printed in zip(SUITES["as-printed"].recipes, loaded["as-printed"], strict=True):
        assert printed.scenario.interference_leakage == 1
        assert equal_arrays(printed, by_place[recipe.seed, recipe.slot], names)


def test_uavs_of_late_slots_have_moved_admissibly():
    """They are where a motion that the referee finds admissible has brought them."""
    episode = generate(preset("paper"), 2000)
    before_m = wander(episode)
    assert np.array_equal(before_m[0], episode.uav_xy_m)
    idle = np.full((100, 10), -1)
    plan = Plan(idle, np.zeros((100, 10)), np.concatenate([before_m[1:], before_m[-1:]]))
    violations = judge(episode, plan).violations
    assert (violations["motion"] == 0).all()
    assert (violations["area"] == 0).all()
    assert len(np.unique(before_m[:, :, 0])) > 100
    pairs = zip(SUITES["slots"].recipes, load_suite("slots"), strict=True)
    cut = {r.slot: i for r, i in pairs if r.seed == 2000}
    assert len(cut) == 5
    assert all(np.array_equal(i.uav_xy_m, before_m[t]) for t, i in cut.items())


def test_wandering_uavs_stay_uniform():
    """The law of positions does not change along the way: quarters of the area are even."""
    late = np.stack([wander(generate(preset("paper"), seed))[60:] for seed in range(60)])
    share = (late < 250).mean(axis=(0, 1, 2))
    assert share == pytest.approx([0.5, 0.5], abs=0.1)
    centre = (np.abs(late - 250) < 125).all(axis=-1).mean()
    assert centre == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("axis", sorted(SWEEPS))
def test_sweeps_differ_in_their_axis_alone(axis, loaded):
    """The same draws at every point: along an axis, nothing else changes."""
    fields, values = SWEEPS[axis]
    recipes = SUITES[f"figures-{axis}"].recipes
    assert [r.value for r in recipes[::30]] == list(values)
    own = {"devices": [], "deadline": ["deadline_s"], "accuracy": ["accuracy_floor"]}[axis]
    points = {}
    for recipe, instance in zip(recipes, loaded[f"figures-{axis}"], strict=True):
        assert all(getattr(instance.scenario, f) == recipe.value for f in fields)
        assert instance.scenario.requests == "as-printed"
        points.setdefault(recipe.seed, []).append(instance)
    for instances in points.values():
        assert len(instances) == len(values)
        for other in instances[1:]:
            for f in array_fields():
                a, b = getattr(instances[0], f.name), getattr(other, f.name)
                if "K" in f.metadata["shape"]:
                    b = b[:, : a.shape[1]]
                assert np.array_equal(a, b) != (f.name in own), f.name
    for name in own:
        for recipe, instance in zip(recipes, loaded[f"figures-{axis}"], strict=True):
            assert getattr(instance, name)[instance.active] == pytest.approx(recipe.value)


def test_calibration_uses_other_episodes(loaded):
    """What the catalogue is fitted on is not scored."""
    scored = {i.content_sha256 for i in loaded["figures"]}
    fitted = {i.content_sha256 for i in loaded["figures-calibration"]}
    assert not scored & fitted
    seeds = {r.seed for r in SUITES["figures-calibration"].recipes}
    assert not seeds & {r.seed for r in SUITES["figures"].recipes}


def test_the_constellation_is_seen(loaded):
    """A satellite is visible in every slot, each episode has a handover, links reach others."""
    for instance in loaded["tle"]:
        slots = np.arange(instance.n_slots)
        assert (instance.access >= 0).all()
        assert (instance.window_s[slots, instance.access] > 0).all()
        assert len(np.unique(instance.access)) >= 2
        assert instance.elevation_deg[slots, instance.access].min() >= 10
        assert ((instance.isl_hops >= 0).sum(axis=1) > 4).all()
        assert instance.coefficients.linked[:, 3:].any(axis=1).all()


# --- folders and files of one's own


def test_a_folder_or_a_file_is_a_suite(tmp_path):
    """Instances of both suffixes, in order of their names; other files are left alone."""
    made = [
        generate(preset("tiny").replace(n_slots=1), seed, name=f"own-{seed}") for seed in (2, 1)
    ]
    write_instance(made[0], tmp_path / "b.json")
    write_instance(made[1], tmp_path / "a.json.gz")
    (tmp_path / "notes.txt").write_text("mine")
    assert [i.name for i in load_suite(tmp_path)] == ["own-1", "own-2"]
    assert [i.name for i in load_suite(str(tmp_path / "b.json"))] == ["own-2"]


def test_what_is_no_suite_is_refused(tmp_path):
    """The name is told, with the names there are."""
    with pytest.raises(SuiteError, match=r"'slot' .did you mean slots"):
        load_suite("slot")
    with pytest.raises(SuiteError, match=r"allowed is one with \.json"):
        load_suite(tmp_path)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(FileError, match="format = None"):
        load_suite(tmp_path)


# --- damage


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def move_a_uav(document):
    """Change what the file holds, and remove the hash, so that it reads."""
    del document["content_sha256"]
    document["arrays"]["uav_xy_m"][0][0] += 1.0


def test_damaged_lost_extra_and_renamed_files_are_found(copied):
    """Each is one problem that names the file; one that reads must still be the manifest's."""
    folder = copied / "tiny"
    (folder / "tiny-3000.json").unlink()
    shutil.copy(folder / "tiny-3001.json", folder / "more.json")
    edit(folder / "tiny-3002.json", lambda d: d.update(name="other"))
    (folder / "tiny-3003.json").write_text("{")
    edit(copied / "slots" / "slots-2000-20.json", move_a_uav)
    problems = check_suites(copied)
    assert len(problems) == 5
    for name, told in [
        ("tiny-3000.json", "cannot be read"),
        ("more.json", "no instance of the suite"),
        ("tiny-3002.json", "name = 'other'"),
        ("tiny-3003.json", "is no JSON"),
        ("slots-2000-20.json", "the manifest's"),
    ]:
        assert sum(name in p and told in p for p in problems) == 1
    with pytest.raises(FileError, match="tiny-3000"):
        load_suite("tiny", root=copied)
    with pytest.raises(SuiteError, match=r"slots: slots-2000-20: sha256 = .*the manifest's"):
        load_suite("slots", root=copied)


def test_a_manifest_that_does_not_fit_is_found(monkeypatch, copied):
    """Missing, surplus, changed entries and wrong hashes."""
    entries = manifest()
    del entries["paper-0"]
    entries["paper-1"]["sha256"] = "0" * 64
    entries["paper-2"]["seed"] = 77
    entries["ghost"] = {}
    monkeypatch.setattr(suites, "manifest", lambda: entries)
    problems = check_suites(copied)
    assert sorted(p.split(":")[0] for p in problems) == [
        "manifest",
        "manifest",
        "paper-0 is not in the manifest",
        "paper-1",
    ]
    with pytest.raises(SuiteError, match="paper-0 is not in the manifest"):
        load_suite("paper")


def test_writing_gives_what_is_committed(monkeypatch, tmp_path):
    """`write_suites` writes the manifest, the constellation and the files that lie here.

    Some of those were written before files had a hash of all they hold.
    """
    package = Path(suites.__file__).parent / "data"
    (tmp_path / "data").mkdir()
    shutil.copy(package / "walker.tle", tmp_path / "data")
    monkeypatch.setattr(suites, "_DATA", tmp_path / "data")
    written = write_suites(tmp_path / "instances")
    assert len(written) == 2 + sum(SIZES[name][0] for name in FILES)
    for path in written:
        part = path.relative_to(tmp_path)
        original = package / path.name if part.parts[0] == "data" else COMMITTED.parent / part
        assert sealless(path) == sealless(original)


def sealless(path: Path) -> bytes:
    """A file's bytes but for the hash of all it holds."""
    return re.sub(rb',\n  "file_sha256": "[0-9a-f]{64}"', b"", path.read_bytes())


def test_building_slots_of_an_episode_in_any_order_is_the_same():
    """Sharing an episode between its slots changes nothing."""
    recipes = SUITES["slots"].recipes[:8]
    forward = {i.name: i.content_sha256 for i in build(recipes)}
    assert forward == {i.name: i.content_sha256 for i in build(recipes[::-1])}
    assert forward == {r.name: manifest()[r.name]["sha256"] for r in recipes}
    assert (
        read_instance(COMMITTED / "slots" / "slots-2000-00.json").content_sha256 in forward.values()
    )
