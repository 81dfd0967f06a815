"""A user's own CSV files in place of generated sites, tracks and requests."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.generation.generate import generate
from satedge.problem.generation.traces import (
    with_device_sites,
    with_requests,
    with_tracks,
    with_uav_sites,
)
from satedge.problem.instance import array_fields
from satedge.problem.io.files import FileError, read_instance, write_instance
from satedge.problem.scenario import preset
from support.randomised import examples


@pytest.fixture(scope="module")
def instance():
    """Two slots, three devices, one UAV."""
    return generate(preset("tiny").replace(n_slots=2), 1)


@pytest.fixture
def csv_file(tmp_path):
    def write(text: str):
        path = tmp_path / "user.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def untouched(before, after, *replaced):
    """All other arrays, the scenario, seed and name stay as they were."""
    assert (before.name, before.seed, before.scenario) == (after.name, after.seed, after.scenario)
    names = [f.name for f in array_fields() if f.name not in replaced]
    return all(np.array_equal(getattr(before, n), getattr(after, n)) for n in names)


def refusal(function, instance, path) -> str:
    with pytest.raises(FileError) as caught:
        function(instance, path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "allowed is" in message
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# --- what they replace


def test_device_sites_hold_in_all_slots(instance, csv_file):
    """Rows and columns in any order, spaces, a byte order mark and blank lines are fine."""
    path = csv_file("\ufeffy_m, x_m ,device\n2.5,100,1\n\n 4 , 5e1, 0\n500,0,2\n")
    made = with_device_sites(instance, path)
    assert (made.device_xy_m == [[50, 4], [100, 2.5], [0, 500]]).all()
    assert untouched(instance, made, "device_xy_m")


def test_tracks_move_devices(instance, csv_file):
    """Every slot and device has its own position."""
    wanted = np.arange(12.0).reshape(2, 3, 2)
    rows = [f"{t},{k},{x},{y}" for t in (1, 0) for k, (x, y) in enumerate(wanted[t])]
    made = with_tracks(instance, csv_file("\n".join(["slot,device,x_m,y_m", *rows])))
    assert np.array_equal(made.device_xy_m, wanted)
    assert untouched(instance, made, "device_xy_m")


def test_devices_without_a_row_are_idle(instance, csv_file):
    """Requests come from the file alone; all else of an idle device is 0."""
    header = "slot,device,input_bit,output_words,deadline_s,accuracy_floor\n"
    made = with_requests(instance, csv_file(header + "0,2,7.5e6,64,2.5,0.5\n1,0,5000000,16,2,0\n"))
    assert np.array_equal(made.active, [[False, False, True], [True, False, False]])
    assert np.array_equal(made.input_bit, [[0, 0, 7.5e6], [5e6, 0, 0]])
    assert np.array_equal(made.output_words, [[0, 0, 64], [16, 0, 0]])
    assert np.array_equal(made.deadline_s, [[0, 0, 2.5], [2, 0, 0]])
    assert np.array_equal(made.accuracy_floor, [[0, 0, 0.5], [0, 0, 0]])
    replaced = ("active", "input_bit", "output_words", "deadline_s", "accuracy_floor")
    assert untouched(instance, made, *replaced)
    assert not with_requests(instance, csv_file(header)).active.any()


def test_uav_sites_and_altitudes(instance, csv_file):
    """Altitudes are optional, and hold for all slots."""
    made = with_uav_sites(instance, csv_file("uav,x_m,y_m\n0,10,20\n"))
    assert np.array_equal(made.uav_xy_m, [[10, 20]])
    assert untouched(instance, made, "uav_xy_m")
    made = with_uav_sites(instance, csv_file("uav,x_m,y_m,altitude_m\n0,10,20,55\n"))
    assert (made.uav_altitude_m == 55).all()
    assert untouched(instance, made, "uav_xy_m", "uav_altitude_m")


def test_what_was_tabulated_follows_the_new_requests(instance, csv_file, tmp_path):
    """Costs are computed from the new parts, and the hash and a file carry them."""
    before = instance.coefficients.execute_s
    header = "slot,device,input_bit,output_words,deadline_s,accuracy_floor\n"
    made = with_requests(instance, csv_file(header + "0,0,7.5e6,1000,2.5,0.5\n"))
    expected = instance.server_work_TFLOP[0] * 1000 / instance.scenario.uav_TFLOPS
    assert made.coefficients.execute_s[0, 0, 0] == pytest.approx(expected)
    assert instance.coefficients.execute_s is before
    assert made.content_sha256 != instance.content_sha256
    write_instance(made, tmp_path / "x.json")
    assert read_instance(tmp_path / "x.json").content_sha256 == made.content_sha256


def test_traces_of_a_generated_instance_give_it_back(csv_file):
    """Written with repr, an instance's own tracks and requests change nothing."""
    scenario = preset("paper").replace(n_slots=3, arrival_rate_min=0.2, arrival_rate_max=0.5)
    original = generate(scenario, 8)
    assert not original.active.all()
    devices = [(t, k) for t in range(3) for k in range(10)]
    rows = [(t, k, *original.device_xy_m[t, k].tolist()) for t, k in devices]
    tracks = "slot,device,x_m,y_m\n" + "\n".join(",".join(map(repr, row)) for row in rows)
    names = ["input_bit", "output_words", "deadline_s", "accuracy_floor"]
    rows = [
        (t, k, *(getattr(original, n)[t, k].item() for n in names))
        for t, k in devices
        if original.active[t, k]
    ]
    requests = ",".join(["slot", "device", *names]) + "\n"
    requests += "\n".join(",".join(map(repr, row)) for row in rows)
    sites = "device,x_m,y_m\n" + "\n".join(f"{k},0,0" for k in range(10))
    blank = with_device_sites(original, csv_file(sites))
    made = with_requests(with_tracks(blank, csv_file(tracks)), csv_file(requests))
    assert made.content_sha256 == original.content_sha256


def test_a_fleet_without_uavs_takes_no_sites(csv_file):
    """A row for a UAV that is not there is refused; a file without rows is fine."""
    bare = generate(preset("paper").replace(n_slots=1, n_uavs=0), 1)
    assert with_uav_sites(bare, csv_file("uav,x_m,y_m\n")).uav_xy_m.shape == (0, 2)
    message = refusal(with_uav_sites, bare, csv_file("uav,x_m,y_m\n0,1,1\n"))
    assert "line 2, column uav = '0': allowed is nothing" in message


# --- what they refuse

SITES = "device,x_m,y_m\n0,1,1\n1,2,2\n"
REQUESTS = "slot,device,input_bit,output_words,deadline_s,accuracy_floor\n0,0,5e6,16,2,0.3\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SITES + "2,501,3\n", "line 4, column x_m = '501': allowed is a number in [0, 500]"),
        (SITES + "2,3,-1\n", "line 4, column y_m = '-1': allowed is a number in [0, 500]"),
        (SITES + "2,nan,3\n", "line 4, column x_m = 'nan'"),
        (SITES + "2,inf,3\n", "line 4, column x_m = 'inf'"),
        (SITES + "2,1e999,3\n", "line 4, column x_m = '1e999'"),
        (SITES + "2,1_0,3\n", "line 4, column x_m = '1_0'"),
        (SITES + "2,,3\n", "line 4, column x_m = ''"),
        (SITES + "2,٣,3\n", "line 4, column x_m = '٣'"),
        (SITES + "3,3,3\n", "column device = '3': allowed is a whole number in [0, 2]"),
        (SITES + "-1,3,3\n", "column device = '-1'"),
        (SITES + "2.0,3,3\n", "column device = '2.0'"),
        (SITES + "²,3,3\n", "column device = '²'"),
        (SITES + "9" * 5000 + ",3,3\n", "column device = '999"),
        (SITES + "\n1,3,3\n", "line 5, column device = 1: allowed is one row for device 1, and"),
        (SITES + "2,3\n", "line 4 has 2 columns: allowed is 3"),
        (SITES + "2,3,3,3\n", "line 4 has 4 columns: allowed is 3"),
        (SITES, "no row for device 2: allowed is one row for each device in 0..2"),
        (SITES + '2,"3\n', "cannot be read"),
        ("", "line 1, column device is missing: allowed is a header with device, x_m, y_m"),
        ("device,x_m\n0,1\n", "line 1, column y_m is missing"),
        ("device,x_m,y_m,z_m\n", "line 1, column 'z_m': allowed is each of device, x_m, y_m once"),
        ("device,x_m,x_m,y_m\n", "line 1, column 'x_m'"),
    ],
)
def test_damage_of_sites_is_named(text, expected, instance, csv_file):
    """File, line, column, value, and what is allowed."""
    assert expected in refusal(with_device_sites, instance, csv_file(text))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("2,0,5e6,16,2,0.3", "line 3, column slot = '2': allowed is a whole number in [0, 1]"),
        ("0,1,0,16,2,0.3", "column input_bit = '0': allowed is a number greater than 0"),
        ("0,1,-5e6,16,2,0.3", "column input_bit = '-5e6'"),
        ("0,1,5e6,0,2,0.3", "column output_words = '0': allowed is a whole number in [1, 10000"),
        ("0,1,5e6,16.5,2,0.3", "column output_words = '16.5'"),
        ("0,1,5e6,16,0,0.3", "column deadline_s = '0': allowed is a number greater than 0"),
        ("0,1,5e6,16,2,1.01", "column accuracy_floor = '1.01': allowed is a number in [0, 1]"),
        ("0,0,5e6,16,2,0.3", "allowed is one row for slot 0, device 0, and line 2 is one"),
    ],
)
def test_damage_of_requests_is_named(row, expected, instance, csv_file):
    """A request that is none is refused, not taken for an idle device."""
    assert expected in refusal(with_requests, instance, csv_file(REQUESTS + row + "\n"))


def test_tracks_with_a_gap_are_refused(instance, csv_file):
    """The first missing pair is named."""
    rows = "".join(f"{t},{k},1,1\n" for t in (0, 1) for k in range(3) if (t, k) != (1, 1))
    message = refusal(with_tracks, instance, csv_file("slot,device,x_m,y_m\n" + rows))
    assert "no row for slot 1, device 1" in message
    assert "slot in 0..1 and device in 0..2" in message


def test_what_is_no_text_is_refused(instance, tmp_path):
    """Missing files, folders, other encodings, zero bytes."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.csv").write_bytes(b"device,x_m,y_m\n0,1,\xff\n")
    (tmp_path / "zero.csv").write_bytes(b"device,x_m,y_m\n0,1,\0\n")
    for name in ("missing.csv", "folder", "latin.csv", "zero.csv"):
        refusal(with_device_sites, instance, tmp_path / name)


CELL = st.one_of(
    st.sampled_from(
        ["0", "1", "2", "x_m", "device", "1e3", "-0", "", '"', ",", "\n", "nan", "slot"]
    ),
    st.text(max_size=3),
)


@examples(200)
@given(cells=st.lists(CELL, max_size=30), good=st.booleans())
def test_any_text_is_taken_or_refused(cells, good, instance, tmp_path_factory):
    """Nothing but FileError comes of a CSV file, and what is taken is an instance."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    start = "device,x_m,y_m\n0,1,1\n1,2,2\n2," if good else ""
    text = start + ",".join(cells)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        made = with_device_sites(instance, path)
    except FileError as error:
        refused = str(error)
    else:
        refused = ""
        dataclasses.replace(made)
    assert "\n" not in refused
