"""Files of orbital elements: what is read alike, what is refused, and how it is said."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from satedge.problem.satellites.elements import ElementsError, propagate, read_elements, sgp4_passes
from support.randomised import examples

DATA = Path(__file__).parent / "data"
TLE = (DATA / "iss.tle").read_text()
OMM = json.loads((DATA / "iss_omm.json").read_text())[0]
NOON = datetime(2025, 7, 16, 12, tzinfo=UTC)
REQUEST = {
    "latitude_deg": 48.1,
    "longitude_deg": 11.6,
    "altitude_m": 520.0,
    "min_elevation_deg": 25.0,
    "isl_topology": "chain",
    "isl_min_altitude_m": 80e3,
}


def written(tmp_path, content, name="elements.txt"):
    path = tmp_path / name
    path.write_text(content)
    return path


def test_tle_and_omm_give_the_same_passes():
    """The same satellite as TLE, OMM JSON and OMM CSV gives the same arrays.

    SGP4 holds an OMM epoch to 0.3 microseconds only, 2 mm of flight.
    """
    times = 61250 + np.arange(100) * 3.0
    epoch = datetime(2019, 12, 9, 18, tzinfo=UTC)
    passes = []
    for name in ("iss.tle", "iss_omm.json", "iss_omm.csv"):
        records = read_elements(DATA / name)
        assert [record.name for record in records] == ["ISS (ZARYA)"]
        assert records[0].epoch == datetime(2019, 12, 9, 16, 38, 29, 363424, tzinfo=UTC)
        passes.append(sgp4_passes(records, times, epoch=epoch, **REQUEST))
    for other in passes[1:]:
        np.testing.assert_allclose(other.elevation_deg, passes[0].elevation_deg, atol=1e-6)
        np.testing.assert_allclose(other.range_m, passes[0].range_m, atol=0.01)
        np.testing.assert_allclose(other.window_s, passes[0].window_s, atol=1e-5)
        np.testing.assert_array_equal(other.access, passes[0].access)
    assert (passes[0].access == 0).any()


def test_names_are_optional_and_may_be_numbered(tmp_path):
    """Two lines take the satellite number as name; '0 ' before a name is dropped."""
    name, one, two = TLE.splitlines()
    text = f"# comment\n\n{one}\r\n{two}\r\n0 {name}\n{one}\n{two}\n"
    records = read_elements(written(tmp_path, text))
    assert [record.name for record in records] == ["25544", "ISS (ZARYA)"]


def test_one_omm_object_and_numbers_as_text_are_read(tmp_path):
    """A single message without a list, and numbers as text, are OMM too."""
    as_text = {key: str(value) for key, value in OMM.items()}
    as_text["NORAD_CAT_ID"] = "799999999"
    as_text["EPOCH"] = "2019-12-09T18:38:29.363424+02:00"
    (record,) = read_elements(written(tmp_path, json.dumps(as_text)))
    (plain,) = read_elements(DATA / "iss_omm.json")
    assert record.epoch == plain.epoch
    np.testing.assert_array_equal(
        propagate([record], NOON, [0.0])[0], propagate([plain], NOON, [0.0])[0]
    )


def edited(line, column, text):
    """The line with text at a column (from 1) and its checksum put right."""
    line = line[: column - 1] + text + line[column - 1 + len(text) :]
    total = sum(int(c) if c.isdigit() else c == "-" for c in line[:68])
    return f"{line[:68]}{total % 10}"


@pytest.mark.parametrize(
    ("row", "column", "text", "complaint"),
    [
        (1, 21, "400.00000000", r"line 2: columns 21-32, epoch day: '400.00000000': .*\[1, 367\]"),
        (1, 21, "3 3.69339541", "line 2: columns 21-32, epoch day: '3 3.69339541': must match"),
        (1, 19, "1x", "columns 19-20, epoch year: '1x'"),
        (1, 54, " 3879x-4", "columns 54-61, drag term"),
        (1, 18, "5", "column 18: '5': must be blank"),
        (2, 9, "190.0000", r"line 3: columns 9-16, inclination: '190.0000': .*\[0, 180\]"),
        (2, 27, "00 7417", "columns 27-33, eccentricity"),
        (2, 18, "361.0000", r"ascending node: '361.0000': must lie in \[0, 360\]"),
        (2, 53, "25.50103472", r"mean motion: '25.50103472': must lie in \[1e-08, 20\]"),
        (2, 3, "25545", "satellite number '25545': must be that of the line before, '25544'"),
    ],
)
def test_damaged_columns_are_named(tmp_path, row, column, text, complaint):
    """A wrong column is refused with file, line, columns, value and what is allowed."""
    lines = TLE.splitlines()
    lines[row] = edited(lines[row], column, text)
    path = written(tmp_path, "\n".join(lines), "damaged.tle")
    with pytest.raises(ElementsError, match=complaint) as caught:
        read_elements(path)
    assert str(caught.value).startswith(f"{path}: line {row + 1}")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no element sets"),
        ("# only a comment\n", "no element sets"),
        ("[]", "no element sets"),
        ("hello", "line 1: 'hello': must be a name"),
        (TLE + "trailing name", "line 4: 'trailing name'"),
        ("\n".join(TLE.splitlines()[:2]), "line 2"),
        ("\n".join(TLE.splitlines()[::2]), "line 1"),
        (TLE.replace("999", "99", 1), r"line 2: 68 characters: must be 69"),
        (TLE.replace(" 15.5", " 15.5 "), "line 3: 70 characters: must be 69"),
        (TLE.replace("38792", "38793"), "checksum '1': must be 2"),
        (TLE.replace("U 98", "Ü 98"), "line 2: 69 characters: must be 69 of ASCII"),
        ("[1", "is no JSON .* line 1 column 3"),
        ("[1]", "record 0: 1: must be an object"),
        ("[" * 100_000, "is no JSON "),
        ("[" + "9" * 5000 + "]", "is no JSON "),
    ],
)
def test_malformed_files_are_refused(tmp_path, content, complaint):
    """Files that are no element sets are refused with the place and what is allowed."""
    path = tmp_path / "elements"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ElementsError, match=complaint) as caught:
        read_elements(path)
    assert str(path) in str(caught.value)


def test_binary_and_missing_files(tmp_path):
    """Bytes that are no text are refused, and so is what is no file."""
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ElementsError, match="UTF-8"):
        read_elements(path)
    with pytest.raises(ElementsError, match="No such file"):
        read_elements(tmp_path / "missing.tle")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ElementsError, match="no regular file"):
        read_elements(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("MEAN_MOTION", None, r"\[1e-08, 20\]"),
        ("MEAN_MOTION", "fast", "number"),
        ("MEAN_MOTION", 0, "number"),
        ("MEAN_MOTION", "1_5.5", "number"),
        ("MEAN_MOTION", "١٥", "number"),
        ("NORAD_CAT_ID", 25544.5, "whole number"),
        ("OBJECT_NAME", ["ISS"], "must be text"),
        ("ECCENTRICITY", 1.0, r"\[0, 1\]"),
        ("ECCENTRICITY", True, "number"),
        ("INCLINATION", -1, r"\[0, 180\]"),
        ("BSTAR", float("nan"), "number"),
        ("BSTAR", 10**400, "number"),
        ("NORAD_CAT_ID", -5, "number"),
        ("EPOCH", "yesterday", "must be a date and time"),
        ("EPOCH", 20191209, "must be a date and time"),
        ("EPOCH", None, "must be a date and time"),
        ("EPOCH", "0001-01-01T00:00:00+10:00", "must be a date and time"),
        ("TIME_SYSTEM", "TAI", "must be 'UTC'"),
        ("CENTER_NAME", "MARS", "must be 'EARTH'"),
        ("REF_FRAME", "ICRF", "must be 'TEME'"),
        ("MEAN_ELEMENT_THEORY", "DSST", "must be 'SGP4'"),
    ],
)
def test_damaged_messages_are_named(tmp_path, field, value, allowed):
    """A missing or inadmissible field is refused with record, field, value and range."""
    content = json.dumps([OMM, {**OMM, field: value}])
    with pytest.raises(ElementsError, match=allowed) as caught:
        read_elements(written(tmp_path, content))
    assert f"record 1: {field}: " in str(caught.value)


def test_damaged_tables_are_named(tmp_path):
    """Rows of a CSV that are short, long or wrong are refused with their line."""
    names, row = (DATA / "iss_omm.csv").read_text().splitlines()
    short = row.rpartition(",")[0]
    for bad, complaint in (
        (short, "line 3: MEAN_MOTION_DDOT: None"),
        (f"{row},7", r"line 3: \['7'\]"),
        (row.replace("51.6439", "x"), "line 3: INCLINATION: 'x'"),
        (row.replace(",0,U", f",{'9' * 140000},U"), "must be CSV: field larger"),
    ):
        with pytest.raises(ElementsError, match=complaint):
            read_elements(written(tmp_path, "\n".join([names, row, bad])))


@examples(200)
@given(st.integers(0, 2), st.integers(0, 68), st.sampled_from("0123456789 +-.AZaz~"))
def test_a_changed_character_is_refused_or_harmless(tmp_path_factory, row, column, sign):
    """One wrong character never moves the satellite unnoticed."""
    lines = TLE.splitlines()
    column = min(column, len(lines[row]) - 1)
    lines[row] = lines[row][:column] + sign + lines[row][column + 1 :]
    path = tmp_path_factory.getbasetemp() / "changed.tle"
    path.write_text("\n".join(lines))
    try:
        records = read_elements(path)
    except ElementsError:
        return
    times = np.array([0.0, 5000.0])
    original = read_elements(DATA / "iss.tle")
    np.testing.assert_array_equal(
        propagate(records, NOON, times)[0], propagate(original, NOON, times)[0]
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(OMM)), inner, max_size=20)
    ),
    max_leaves=30,
)


@examples(100)
@given(
    st.one_of(
        st.text(max_size=200),
        st.text(alphabet="12 \n.,MEAN_MOTION-", max_size=300),
        _JSON.map(json.dumps),
        st.fixed_dictionaries({**{key: st.just(OMM[key]) for key in OMM}, "EPOCH": _JSON}).map(
            json.dumps
        ),
    )
)
def test_any_other_text_is_refused(tmp_path_factory, content):
    """Whatever a file holds, it is read as elements or refused as ElementsError."""
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(ElementsError):
        assert read_elements(path)
