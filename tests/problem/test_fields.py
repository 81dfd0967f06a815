"""Declared fields: what they take, and the one line that says what is wrong."""

import copy
import dataclasses
import pickle
from typing import Any, Literal

import numpy as np
import pytest

from satedge.problem.catalogue import CATALOGUES
from satedge.problem.fields import Declared, Extended, Widths, allowed, choices, declared, param
from satedge.problem.scenario import Scenario, ScenarioError, preset


class ToyError(ValueError):
    """What is wrong with a Toy."""


@declared(ToyError, "setting")
class Toy(Declared):
    """Two fields of the first declaration, and what came later."""

    length_m: float = param(1.0, "m", "open", "A length.", above=0)
    share: float = param(0.5, "-", "open", "A share.", low=0, below=1)
    kind: Literal["a", "b"] = param("a", "-", "open", "A choice.", since=2)
    widths: Widths = param((8, 8), "-", "open", "Widths.", since=3)
    last: bool = param(False, "-", "open", "A switch.", since=3)

    def __post_init__(self) -> None:
        if self.last and self.kind == "b":
            raise ToyError("last = True: allowed is only false with kind 'b'")


@declared(ToyError, "setting")
class LongToy(Toy):
    """The same with another default, and a field more."""

    length_m: float = param(9.0, "m", "open", "A greater length.", above=0)
    count: int = param(1, "-", "open", "A number.", low=1)
    most: Extended = param(np.inf, "-", "open", "May be infinite.", low=0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"length_m": 0}, "length_m = 0: allowed is a number > 0 (m)"),
        ({"length_m": True}, "length_m = True: allowed is a number > 0 (m)"),
        ({"length_m": float("nan")}, "length_m = nan: allowed is a number > 0 (m)"),
        ({"length_m": np.inf}, "length_m = inf: allowed is a number > 0 (m)"),
        ({"length_m": "1"}, "length_m = '1': allowed is a number > 0 (m)"),
        ({"share": 1.0}, "share = 1.0: allowed is a number in [0, 1)"),
        ({"kind": "c"}, "kind = 'c': allowed is one of a, b"),
        ({"widths": 8}, "widths = 8: allowed is a list of whole numbers, such as [256, 256]"),
        ({"widths": [8, 0.5]}, "widths = [8, 0.5]: allowed is a list of whole numbers, such as"),
        ({"widths": [8, 0]}, "widths = [8, 0]: allowed is 1 to 16 widths, each from 1 to 8192"),
        ({"last": 1}, "last = 1: allowed is true or false"),
        ({"last": True, "kind": "b"}, "last = True: allowed is only false with kind 'b'"),
        ({"count": 2.0}, "count = 2.0: allowed is an integer >= 1"),
        ({"count": np.bool_(True)}, "count = True: allowed is an integer >= 1"),
        ({"most": "x" * 999}, f"most = '{'x' * 116}...: allowed is a number >= 0"),
        ({"most": float("nan")}, "most = nan: allowed is a number"),
        ({"most": -np.inf}, "most = -inf: allowed is a number >= 0"),
        (
            {"cuont": 2},
            "unknown setting 'cuont'; allowed: length_m, share, kind, widths,",
        ),
        ({"n": 2}, "unknown setting 'n'; allowed: length_m"),
        ({"self": 2}, "unknown setting 'self'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(changes: dict[str, Any], told: str) -> None:
    """When an object is made, and when one is changed: field, value, what is allowed, unit."""
    for make in (LongToy, LongToy().replace, LongToy.from_dict):
        with pytest.raises(ToyError) as caught:
            make(changes) if make == LongToy.from_dict else make(**changes)
        assert str(caught.value).startswith(told)
        assert len(str(caught.value).splitlines()) == 1


def test_a_name_that_is_none_is_told_before_a_bad_value() -> None:
    """The value may be meant for another field."""
    with pytest.raises(ToyError, match="unknown setting 'cuont'"):
        LongToy(count=0, cuont=2)  # type: ignore[call-arg]
    with pytest.raises(ToyError, match="positional"):
        Toy(1.0, 0.5, "a", (8,), False, 3)  # type: ignore[call-arg]


def test_whole_numbers_and_numpy_numbers_stand_for_numbers() -> None:
    """As Python's own; lists, as in JSON, stand for tuples."""
    made = LongToy(length_m=np.float32(2), count=np.int64(3), most=4, widths=[4, 4])  # type: ignore[arg-type]
    assert (made.length_m, made.count, made.most, made.widths) == (2.0, 3, 4.0, (4, 4))
    assert {type(made.length_m), type(made.most)} == {float}
    assert type(made.count) is int


def test_objects_are_frozen_values() -> None:
    """They compare, hash, copy and travel to other processes."""
    made = LongToy(count=3)
    assert made == LongToy().replace(count=3) == dataclasses.replace(LongToy(), count=3)
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made
    assert hash(made) == hash(LongToy(count=3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.count = 4  # type: ignore[misc]


def test_later_fields_are_written_only_where_they_differ() -> None:
    """Those of the first declaration always; what is read back is the same."""
    assert Toy().to_dict() == {"length_m": 1.0, "share": 0.5}
    other = Toy(kind="b", widths=(4,))
    assert other.to_dict() == {"length_m": 1.0, "share": 0.5, "kind": "b", "widths": [4]}
    assert Toy.from_dict(other.to_dict()) == other


@pytest.mark.parametrize(
    "changes",
    [
        {"n_devices": "1_0"},
        {"n_devices": "３"},
        {"n_devices": "3.0"},
        {"n_devices": ""},
        {"noise_dBm": "-1_00"},
        {"noise_dBm": "nan"},
        {"noise_dBm": "-1٠0"},
        {"output_words": "16,,32"},
        {"output_words": "16,32,16"},
        {"output_words": [16, True]},
        {"requests": "servable "},
    ],
)
def test_texts_that_are_no_numbers_are_refused(changes: dict[str, Any]) -> None:
    """Numbers in texts have ASCII digits, without underscores."""
    with pytest.raises(ScenarioError, match=f"{next(iter(changes))} = .*: allowed is"):
        preset("paper", **changes)


def test_texts_of_the_command_line_are_numbers() -> None:
    """Only where something is changed: files and calls give numbers."""
    made = preset("paper", n_devices=" 12", slot_s="2.50", noise_dBm="-9e1", output_words="16, 32")
    assert made == Scenario(n_devices=12, slot_s=2.5, noise_dBm=-90, output_words=(16, 32))
    with pytest.raises(ScenarioError, match="n_devices = '12'"):
        Scenario(n_devices="12")  # type: ignore[arg-type]


def test_every_field_tells_what_it_is() -> None:
    """Unit, source and prose of all; the catalogues that may be chosen are those there are."""
    for field in dataclasses.fields(Scenario):
        assert all(field.metadata[name] for name in ("unit", "source", "doc")), field.name
        assert allowed(field).startswith(("an integer in [", "a number in [", "one of ", "a comma"))
    catalogue = next(f for f in dataclasses.fields(Scenario) if f.name == "catalogue")
    assert choices(catalogue) == tuple(CATALOGUES)


@pytest.mark.parametrize(
    ("name", "twin"), [("contended", "paper"), ("contended-balanced", "balanced")]
)
def test_contended_worlds_differ_from_their_twins_in_servers_alone(name, twin):
    """Shared, and twice as fast as Table 1's; weights and everything else are the twin's."""
    table_1, own = preset(twin), preset(name)
    assert own.uav_TFLOPS == pytest.approx(2 * table_1.uav_TFLOPS)
    assert own.satellite_TFLOPS == pytest.approx(2 * table_1.satellite_TFLOPS)
    servers = {"compute_sharing": "shared", "uav_TFLOPS": 3.76, "satellite_TFLOPS": 6.66}
    assert table_1.replace(**servers) == own
