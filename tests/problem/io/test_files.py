"""Instance and plan files: exact when sound, one clear line when damaged, never anything else."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
import math
import os
import tracemalloc
import zlib
from importlib import resources

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.generation.generate import generate
from satedge.problem.instance import array_fields
from satedge.problem.io.files import FileError, read_instance, read_plan, write_instance, write_plan
from satedge.problem.io.schema import instance_schema, plan_schema, write_schemas
from satedge.problem.plan import Plan
from satedge.problem.scenario import PRESETS, preset
from support.randomised import examples


@pytest.fixture(scope="module")
def instance():
    """Three slots of the tiny preset; arrivals are rare, so that some devices are idle."""
    scenario = preset("tiny").replace(n_slots=3, arrival_rate_min=0, arrival_rate_max=0.2)
    made = generate(scenario, 5, name="three slots")
    assert made.active.any()
    assert not made.active.all()
    return made


@pytest.fixture(scope="module")
def plan(instance):
    server = np.where(instance.active, 1, -1)
    at = np.broadcast_to(instance.uav_xy_m, (3, 1, 2))
    return Plan(server, np.where(server >= 0, 0.1, 0.0), at)


@pytest.fixture(scope="module")
def document(instance, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "sound.json"
    write_instance(instance, path)
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def plan_document(plan, instance, tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "plan.json"
    write_plan(plan, path, instance)
    return json.loads(path.read_text())


def same_bits(a, b) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_same(a, b):
    assert (a.name, a.seed, a.scenario) == (b.name, b.seed, b.scenario)
    assert all(same_bits(getattr(a, f.name), getattr(b, f.name)) for f in array_fields())
    assert a.content_sha256 == b.content_sha256


def refusal(tmp_path, document, read=read_instance) -> str:
    """The one line with which a document is refused."""
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FileError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# --- exact


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_what_is_written_reads_back_bit_for_bit(name, suffix, tmp_path):
    """Scenario, seed, name, every bit of every array, and so the hash, survive the file."""
    made = generate(preset(name).replace(n_slots=4), 11, name="Ünïcode \n name")
    write_instance(made, tmp_path / f"x.{suffix}")
    assert_same(read_instance(tmp_path / f"x.{suffix}"), made)


@pytest.mark.parametrize(
    "changes", [{"n_uavs": 0}, {"n_satellites": 0}, {"n_devices": 1}, {"uav_separation_m": 20}]
)
def test_fleets_with_nothing_of_a_kind_read_back(changes, tmp_path):
    """Empty axes keep their shapes."""
    made = generate(preset("paper-figures").replace(n_slots=2, **changes), 3)
    write_instance(made, tmp_path / "x.json")
    assert_same(read_instance(tmp_path / "x.json"), made)


def test_a_window_reads_back(tmp_path):
    """A slot cut out of an episode is an instance like any other."""
    episode = generate(preset("paper").replace(n_slots=6), 3)
    slot = episode.window(4, 5, np.full((3, 2), 0.1))
    write_instance(slot, tmp_path / "x.json.gz")
    assert_same(read_instance(tmp_path / "x.json.gz"), slot)


def test_awkward_floats_read_back(instance, tmp_path):
    """Subnormal numbers, the last bits and minus zero survive."""
    fading = instance.uav_fading.copy()
    fading.flat[:5] = [5e-324, np.nextafter(1.0, 2.0), -0.0, 0.1 + 0.2, np.finfo(float).max]
    made = dataclasses.replace(instance, uav_fading=fading)
    write_instance(made, tmp_path / "x.json")
    assert_same(read_instance(tmp_path / "x.json"), made)


def test_an_instance_without_a_hash_is_accepted(document, instance, tmp_path):
    """Whoever edits a file by hand removes content_sha256; the message of a mismatch says so."""
    edited = copy.deepcopy(document)
    t, k = np.argwhere(instance.active)[0]
    edited["arrays"]["deadline_s"][t][k] = 9.5
    assert "remove content_sha256 to accept an edited file" in refusal(tmp_path, edited)
    del edited["content_sha256"]
    (tmp_path / "x.json").write_text(json.dumps(edited))
    assert read_instance(tmp_path / "x.json").deadline_s[t, k] == 9.5


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_the_same_instance_is_the_same_file(instance, suffix, tmp_path):
    """No time and no name of the file goes into its bytes."""
    for name in ("a", "b"):
        write_instance(instance, tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_a_failed_write_leaves_the_old_file(instance, tmp_path):
    """The file is replaced whole or not at all, and nothing is left lying beside it."""
    path = tmp_path / "x.json"
    write_instance(instance, path)
    before = path.read_bytes()
    with pytest.raises(FileError, match="at least one slot"):
        write_instance(instance.rows(slice(0, 0)), path)
    with pytest.raises(FileError, match="cannot be written"):
        write_instance(instance, tmp_path / "nowhere" / "x.json")
    with pytest.raises(FileError, match=r"\.json or \.json\.gz"):
        write_instance(instance, tmp_path / "x.pickle")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(FileError, match="cannot be written"):
        write_instance(instance, tmp_path / "folder.json")
    assert path.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"x.json", "folder.json"}


# --- damaged


def edited(document, *path_and_value):
    """A deep copy with the value at a path replaced; a function is applied to the old value."""
    *path, value = path_and_value
    whole = copy.deepcopy(document)
    parent = whole
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value(parent[path[-1]]) if callable(value) else value
    return whole


#: path, new value, what the message must hold
DAMAGE = [
    (("format",), "pickle", ["format = 'pickle'", "'satedge-instance'"]),
    (("schema_version",), 2, ["schema_version = 2", "at most 1", "newer version"]),
    (("schema_version",), "1", ["schema_version = '1'", "integer >= 1"]),
    (("schema_version",), True, ["schema_version = True"]),
    (("generator_version",), 0, ["generator_version = 0", "integer >= 1"]),
    (("seed",), -1, ["seed = -1", "integer >= 0"]),
    (("seed",), 1.5, ["seed = 1.5"]),
    (("name",), 3, ["name = 3", "a string"]),
    (("content_sha256",), None, ["content_sha256 = None"]),
    (("extra",), 1, ["unknown field 'extra'", "arrays"]),
    (("scenario",), [], ["scenario = []", "an object"]),
    (("scenario", "noise_dBm"), "-100", ["noise_dBm = '-100'"]),
    (("scenario", "power_max_W"), -1, ["power_max_W = -1", "[1e-12, 1000]"]),
    (("scenario", "n_devices"), 3.5, ["n_devices = 3.5", "an integer in [1, 200]"]),
    (("scenario", "n_devices"), True, ["n_devices = True"]),
    (("scenario", "mobility"), "teleport", ["mobility = 'teleport'", "random-waypoint"]),
    (("scenario", "output_words"), {"16": 1}, ["output_words", "positive integers"]),
    (("scenario", "output_words"), "16,32", ["output_words"]),
    (("scenario", "power_mx_W"), 1.0, ["power_mx_W", "did you mean power_max_W"]),
    (("scenario", "self"), 1.0, ["unknown parameter 'self'"]),
    (("arrays",), None, ["arrays = None", "an object"]),
    (("arrays", "active"), [], ["active = []", "at least one slot"]),
    (("arrays", "active", 0, 1), 1, ["active[0][1] = 1", "true or false"]),
    (("arrays", "input_bit", 0, 0), -5.0, ["input_bit[0][0] = -5.0", "[0, inf)"]),
    (("arrays", "input_bit", 0, 0), "5", ["input_bit[0][0] = '5'", "a number"]),
    (("arrays", "input_bit", 0, 0), None, ["input_bit[0][0] = None", "a number"]),
    (("arrays", "input_bit", 0, 0), True, ["input_bit[0][0] = True", "a number"]),
    (("arrays", "output_words", 0, 0), 2**64 - 1, ["output_words[0][0] = 184467440", "64-bit"]),
    (("arrays", "accuracy_floor", 0, 0), 1.5, ["accuracy_floor[0][0] = 1.5", "[0, 1]"]),
    (("arrays", "uav_xy_m", 0), [1.0], ["uav_xy_m[0] = [1.0]", "a list of 2"]),
    (("arrays", "access", 0), -2, ["access[0] = -2"]),
    (("arrays", "range_m", 0, 0), 0.0, ["range_m[0][0] = 0.0"]),
    (("arrays", "server_accuracy", 0), 58, ["server_accuracy[0] = 58", "[0, 1]"]),
    (("arrays", "server_speed"), [], ["unknown field 'server_speed'"]),
]

#: Damage that no schema can state: one field against another, lengths against sizes, numbers that
#: JSON does not have, and 16.0, which a schema takes for an integer.
DAMAGE_BEYOND_SCHEMA = [
    (("content_sha256",), "0" * 64, ["content_sha256", "remove content_sha256"]),
    (("scenario", "noise_dBm"), math.nan, ["noise_dBm = nan", "[-200, 0]", "dBm"]),
    (("scenario", "n_devices"), 4, ["active[0]", "(3 entries)", "a list of 4"]),
    (("scenario", "accuracy_min"), 0.9, ["accuracy_min = 0.9", "at most accuracy_max"]),
    (("arrays", "input_bit", 1), lambda row: row[:-1], ["input_bit[1]", "a list of 3"]),
    (("arrays", "input_bit", 0, 0), math.nan, ["input_bit[0][0] = nan", "[0, inf)"]),
    (("arrays", "input_bit", 0, 0), math.inf, ["input_bit[0][0] = inf"]),
    (("arrays", "input_bit", 0, 0), 10**400, ["input_bit[0][0] = 1000", "a 64-bit number"]),
    (("arrays", "output_words", 0, 0), 16.0, ["output_words[0][0] = 16.0", "whole number"]),
    (("arrays", "device_xy_m", 2, 1), [1.0, 501.0], ["device_xy_m[2][1][1] = 501.0", "[0, 500]"]),
    (("arrays", "access", 0), 2, ["access[0] = 2", "-1..1"]),
    (("arrays", "satellite_gain", 0, 2), 0.0, ["satellite_gain[0][2] = 0.0", "more than 0"]),
]


@pytest.mark.parametrize(("path", "value", "expected"), DAMAGE + DAMAGE_BEYOND_SCHEMA)
def test_damage_is_named(path, value, expected, document, tmp_path):
    """One line: file, field with its index, value, and what is allowed."""
    message = refusal(tmp_path, edited(document, *path, value))
    assert "allowed" in message or "see `satedge scenario`" in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("name", "value"), [("name", "another"), ("generator_version", 9), ("file_sha256", "0" * 64)]
)
def test_what_the_hash_of_the_content_leaves_out_is_under_one_too(name, value, document, tmp_path):
    """A file passed off under another name is refused; a file from before that hash is read."""
    damaged = edited(document, name, value)
    assert refusal(tmp_path, damaged).startswith("file_sha256 = ")
    del damaged["file_sha256"]
    (tmp_path / "x.json").write_text(json.dumps(damaged))
    assert read_instance(tmp_path / "x.json").name == damaged["name"]


@pytest.mark.parametrize("where", [(), ("scenario",), ("arrays",)])
def test_a_missing_field_is_named(where, document, tmp_path):
    """Every field but the hashes must be there."""
    fields = document
    for step in where:
        fields = fields[step]
    for name in fields:
        if name not in ("content_sha256", "file_sha256"):
            damaged = edited(document, *where, name, None)
            parent = damaged
            for step in where:
                parent = parent[step]
            del parent[name]
            message = refusal(tmp_path, damaged)
            assert message.startswith(name)
            assert name == "format" or "missing" in message or name == "schema_version"


@pytest.mark.parametrize("whole", [None, 3, "text", [], math.nan])
def test_a_file_that_is_no_object_is_refused(whole, tmp_path):
    """Any JSON value may stand in a file; only an object is an instance."""
    assert "allowed is one JSON object" in refusal(tmp_path, whole)


def test_a_field_that_stands_twice_is_refused(document, tmp_path):
    """Of two values under one name, one would be lost silently."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document).replace('"seed"', '"seed": 1, "seed"', 1))
    with pytest.raises(FileError, match="field 'seed' stands twice"):
        read_instance(path)


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_a_truncated_file_is_refused(instance, suffix, tmp_path):
    """However much of it is missing, down to the last bytes."""
    path = tmp_path / f"x.{suffix}"
    write_instance(instance, path)
    whole = path.read_bytes().rstrip()
    for kept in [0, 1, 2, 9, 10, 20, len(whole) // 2, len(whole) - 9, len(whole) - 1]:
        path.write_bytes(whole[:kept])
        with pytest.raises(FileError, match=r"cannot be read|is no JSON"):
            read_instance(path)


def test_what_is_not_there_or_not_text_is_refused(tmp_path, document):
    """Missing files, folders, other encodings, gzip without gzip, endless nesting."""
    text = json.dumps(document).encode()
    contents = {
        "utf16.json": text.decode().encode("utf-16"),
        "zipped.json": gzip.compress(text),
        "plain.json.gz": text,
        "damaged.json.gz": gzip.compress(text)[:40] + b"\0" * 400,
        "zlib.json.gz": zlib.compress(text),
        "deep.json": b"[" * 100_000,
        "digits.json": b"1" * 100_000,
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.json").mkdir()
    for name in [*contents, "folder.json", "missing.json", "missing.json.gz", "no-suffix"]:
        with pytest.raises(FileError) as caught:
            read_instance(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    """What unpacks to more than the limit is not unpacked to its end."""
    monkeypatch.setattr("satedge.problem.io.jsonfile.MAX_BYTES", 1 << 20)
    with gzip.open(tmp_path / "x.json.gz", "wb") as stream:
        stream.write(b" " * 10_000_000)
    with pytest.raises(FileError, match="more than 1 MiB"):
        read_instance(tmp_path / "x.json.gz")


@pytest.mark.parametrize("piece", [b"[],", b"{},", b"0,", b"[", b'{"":', b'""\n'])
def test_a_small_file_cannot_fill_the_memory(piece, tmp_path):
    """JSON that would be heavy once parsed is refused before it is parsed, however it is packed."""
    path = tmp_path / "x.json.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(b"[" + piece * 1000)
        for _ in range(60):
            stream.write(piece * (1 << 20))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=r"would take more than|no JSON|more than 512 MiB"):
            read_instance(path)
        assert tracemalloc.get_traced_memory()[1] < 600 << 20
    finally:
        tracemalloc.stop()


def test_what_is_no_regular_file_is_refused(tmp_path):
    """A pipe is not waited for, a device not read, a folder no file."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "device.json").symlink_to("/dev/zero")
    (tmp_path / "loop.json").symlink_to("loop.json")
    for name in ("pipe", "folder", "device", "loop"):
        for read in (read_instance, read_plan):
            with pytest.raises(FileError, match=r"cannot be read \(") as told:
                read(tmp_path / f"{name}.json")
            assert str(tmp_path) in str(told.value)


# --- anything at all

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["chain", "paper", "server", 1e308, -1, 0, 10**310]),
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=4), v, max_size=3)
)


@st.composite
def mutated(draw, document):
    """A document with a few of its parts replaced, removed, repeated or added."""
    whole = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        parent = whole
        while True:
            key = draw(
                st.sampled_from(sorted(parent) if isinstance(parent, dict) else _last(parent))
            )
            child = parent[key]
            if not isinstance(child, (dict, list)) or not child or draw(st.integers(0, 3)) == 0:
                break
            parent = child
        change = draw(st.sampled_from(["replace", "remove", "repeat", "scale"]))
        if change == "remove":
            del parent[key]
        elif change == "repeat" and isinstance(parent, list):
            parent.append(child)
        elif change == "scale" and isinstance(child, (int, float)) and abs(child) <= 1e308:
            parent[key] = child * draw(st.sampled_from([-1, 0, 0.5, 1 + 1e-15, 2, 1e300]))
        else:
            parent[key] = draw(VALUES)
        if not whole or not parent:
            break
    return whole


def _last(items):
    """Indices to choose from: the ends and the middle."""
    return sorted({0, len(items) // 2, len(items) - 1})


def assert_read_or_refused(path, read, write):
    """What is accepted can be written and read again; what is not is one line."""
    refused = None
    try:
        first = read(path)
    except FileError as error:
        refused = str(error)
    if refused is not None:
        assert refused.startswith(str(path))
        assert "\n" not in refused
        return
    write(first, path)
    again = read(path)
    names = [name for name, value in vars(first).items() if isinstance(value, np.ndarray)]
    assert len(names) >= 3
    assert all(same_bits(getattr(first, n), getattr(again, n)) for n in names)


@examples(250)
@given(data=st.data())
def test_a_mutated_instance_reads_or_is_refused(data, document, tmp_path_factory):
    """No change of a file, however odd, raises anything but FileError."""
    whole = data.draw(mutated(document))
    if data.draw(st.booleans()):
        whole.pop("content_sha256", None)
    path = tmp_path_factory.getbasetemp() / "mutated.json"
    path.write_text(json.dumps(whole))
    assert_read_or_refused(path, read_instance, write_instance)


@examples(150)
@given(data=st.data())
def test_a_mutated_plan_reads_or_is_refused(data, plan_document, instance, tmp_path_factory):
    """The same for plans, with and without their instance."""
    whole = data.draw(mutated(plan_document))
    path = tmp_path_factory.getbasetemp() / "mutated-plan.json"
    path.write_text(json.dumps(whole))
    fit = data.draw(st.sampled_from([None, instance]))
    assert_read_or_refused(path, lambda p: read_plan(p, fit), write_plan)


@examples(150)
@given(at=st.floats(0, 1), junk=st.binary(max_size=6), zipped=st.booleans(), cut=st.integers(0, 6))
def test_flipped_bytes_read_or_are_refused(at, junk, zipped, cut, document, tmp_path_factory):
    """Damage of the bytes themselves is caught by the parser, by checksums or by the hash."""
    text = json.dumps(document).encode()
    data = gzip.compress(text, 1, mtime=0) if zipped else text
    start = int(at * len(data))
    path = tmp_path_factory.getbasetemp() / ("bytes.json.gz" if zipped else "bytes.json")
    path.write_bytes(data[:start] + junk + data[start + cut :])
    assert_read_or_refused(path, read_instance, write_instance)


# --- schemas


INSTANCE_VALIDATOR = jsonschema.Draft202012Validator(instance_schema())
PLAN_VALIDATOR = jsonschema.Draft202012Validator(plan_schema())


def test_the_schemas_are_schemas():
    """Both fit the dialect they name."""
    for schema in (instance_schema(), plan_schema()):
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_written_instances_fit_the_schema(name, tmp_path):
    """The published schema describes what is written, for every preset."""
    write_instance(generate(preset(name).replace(n_slots=2), 1), tmp_path / "x.json")
    INSTANCE_VALIDATOR.validate(json.loads((tmp_path / "x.json").read_text()))


def test_the_schema_sees_damage(document):
    """Types, ranges, choices, unknown fields and pairs; the rest is for the reader alone."""
    for path, value, _ in DAMAGE:
        assert not INSTANCE_VALIDATOR.is_valid(edited(document, *path, value)), path
    for path, value, _ in DAMAGE_BEYOND_SCHEMA:
        assert INSTANCE_VALIDATOR.is_valid(edited(document, *path, value)), path


def test_the_schema_sees_missing_fields(document):
    """All but the hashes are required."""
    for where in ((), ("scenario",), ("arrays",)):
        whole = copy.deepcopy(document)
        fields = whole
        for step in where:
            fields = fields[step]
        for name in list(fields):
            kept = fields.pop(name)
            assert INSTANCE_VALIDATOR.is_valid(whole) == (name in ("content_sha256", "file_sha256"))
            fields[name] = kept


def test_published_schemas_follow_the_declarations(tmp_path):
    """The files beside the module are what `write_schemas` makes of today's declarations."""
    write_schemas(tmp_path)
    for name in ("instance.schema.json", "plan.schema.json"):
        published = resources.files("satedge.problem.io").joinpath(name).read_text()
        assert published == (tmp_path / name).read_text(), "call schema.write_schemas()"
    declared = [f.name for f in array_fields()]
    assert instance_schema()["properties"]["arrays"]["required"] == declared


# --- plans


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_a_plan_reads_back(plan, instance, suffix, tmp_path):
    """Bit for bit, with its instance or without."""
    path = tmp_path / f"plan.{suffix}"
    for given_instance in (None, instance):
        write_plan(plan, path, given_instance)
        for read_with in (None, instance):
            again = read_plan(path, read_with)
            for name in ("server", "power_W", "uav_xy_m"):
                assert same_bits(getattr(plan, name), getattr(again, name))


def test_written_plans_fit_the_schema(plan, plan_document, tmp_path):
    """With the hash of their instance and without it."""
    write_plan(plan, tmp_path / "p.json")
    PLAN_VALIDATOR.validate(json.loads((tmp_path / "p.json").read_text()))
    PLAN_VALIDATOR.validate(plan_document)
    assert not PLAN_VALIDATOR.is_valid(edited(plan_document, "server", 2, 1, -2))


PLAN_DAMAGE = [
    (("format",), "satedge-instance", ["'satedge-plan'"]),
    (("schema_version",), 9, ["schema_version = 9", "newer"]),
    (("instance_sha256",), "0" * 64, ["instance_sha256", "remove instance_sha256"]),
    (("instance_sha256",), 5, ["instance_sha256 = 5"]),
    (("cost",), 1.0, ["unknown field 'cost'"]),
    (("server", 0, 0), 3, ["server[0][0] = 3", "[-1, 2]"]),
    (("server", 2, 1), -2, ["server[2][1] = -2", "[-1, 2]"]),
    (("server", 0, 0), 1.0, ["server[0][0] = 1.0", "a whole number"]),
    (("server",), [], ["server = []", "a list of 3"]),
    (("power_W", 0, 0), math.nan, ["power_W[0][0] = nan", "a finite number"]),
    (("power_W", 0), [0.1], ["power_W[0]", "a list of 3"]),
    (("uav_xy_m", 1, 0, 1), -math.inf, ["uav_xy_m[1][0][1] = -inf", "a finite number"]),
]


@pytest.mark.parametrize(("path", "value", "expected"), PLAN_DAMAGE)
def test_damage_of_a_plan_is_named(path, value, expected, plan_document, instance, tmp_path):
    """As for instances; servers are those of the instance."""
    damaged = edited(plan_document, *path, value)
    message = refusal(tmp_path, damaged, lambda p: read_plan(p, instance))
    assert "allowed" in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("path", "value"),
    [(("server",), []), (("server",), 5), (("uav_xy_m",), [3]), (("server", 0, 0), -2)],
)
def test_a_plan_alone_is_checked_too(path, value, plan_document, tmp_path):
    """Without an instance, sizes come from the plan's first slot and must be its own."""
    assert "allowed" in refusal(tmp_path, edited(plan_document, *path, value), read_plan)


def test_a_stack_of_plans_is_not_written(plan, tmp_path):
    """A file holds one plan of finite numbers."""
    stacked = Plan(plan.server[None], plan.power_W[None], plan.uav_xy_m[None])
    with pytest.raises(FileError, match="a whole number"):
        write_plan(stacked, tmp_path / "x.json")
    wild = dataclasses.replace(plan, power_W=plan.power_W + np.inf)
    with pytest.raises(FileError, match="a finite number"):
        write_plan(wild, tmp_path / "x.json")
    assert not list(tmp_path.iterdir())
