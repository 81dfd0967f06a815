"""What a worker tells the bench: data of a declared form, checked on both sides.

A head is a JSON object of one `kind`: "preparing" with a `text`; "ready"; "failed" with a `text`;
"progress" with a `lower_bound`; "done" with `status`, `lower_bound`, `certificate` and `info`.
Where `plan` is true the body holds the arrays of a plan that fits the instance, one after the
other, in little-endian byte order. Nothing is ever unpickled here: methods are strangers.
"""

from __future__ import annotations

import json
import math
import numbers
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from satedge.bench.run.link import HEAD_BYTES, Frame
from satedge.problem.instance import Instance
from satedge.problem.io.jsonfile import FileError, parsed, shown
from satedge.problem.plan import Outcome, Plan, Progress, Status

#: Most characters of a text.
TEXT = 2000

#: Bytes that a parsed head may take.
HEAD_WEIGHT = 256 << 20

_FIELDS = {
    "ready": set[str](),
    "preparing": {"text"},
    "failed": {"text"},
    "progress": {"plan", "lower_bound"},
    "done": {"plan", "lower_bound", "status", "certificate", "info"},
}


class MessageError(ValueError):
    """What a method gave is not what it may give: one line."""


@dataclass(frozen=True)
class Message:
    """What a frame says."""

    kind: str
    text: str = ""
    progress: Progress | None = None
    outcome: Outcome | None = None


def plan_bytes(instance: Instance) -> int:
    """Size of a plan's arrays: the most that a body may hold."""
    return sum(8 * math.prod(shape) for shape in _shapes(instance).values())


# --- the worker's side


def preparing(text: str) -> Frame:
    """How far the preparation of a method is, such as compiling."""
    return _frame({"kind": "preparing", "text": one_line(text)})


def ready() -> Frame:
    """The method is imported and its clock starts."""
    return _frame({"kind": "ready"})


def failed(reason: str) -> Frame:
    """The method could not be run, or failed."""
    return _frame({"kind": "failed", "text": one_line(reason)})


def progress(told: Any, instance: Instance) -> Frame:
    """What a method reports. Raises MessageError."""
    if not isinstance(told, Progress):
        raise MessageError(f"reported {_kind(told)}: allowed is a Progress")
    head = {"kind": "progress", "lower_bound": _bound(told.lower_bound)}
    return _with_plan(head, told.plan, instance)


def done(outcome: Any, instance: Instance) -> Frame:
    """What a method returns. Raises MessageError."""
    if not isinstance(outcome, Outcome):
        raise MessageError(f"returned {_kind(outcome)}: allowed is an Outcome")
    head = {
        "kind": "done",
        "status": outcome.status,
        "lower_bound": _bound(outcome.lower_bound),
        "certificate": outcome.certificate,
        "info": outcome.info,
    }
    return _with_plan(head, outcome.plan, instance)


def _with_plan(head: dict[str, Any], plan: Any, instance: Instance) -> Frame:
    if plan is None:
        return _frame(head | {"plan": False})
    if not isinstance(plan, Plan):
        raise MessageError(f"its plan is {_kind(plan)}: allowed is a Plan")
    parts = [_array(name, getattr(plan, name), shape) for name, shape in _shapes(instance).items()]
    return _frame(head | {"plan": True}, b"".join(part.tobytes() for part in parts))


def _array(name: str, given: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array of a plan in the form in which it is sent."""
    value, wanted = np.asarray(given), _dtype(name)
    numeric = value.dtype.kind in "iuf" and np.can_cast(value.dtype, wanted, "safe")
    if not numeric or value.shape != shape:
        raise MessageError(
            f"its plan does not fit: {name} is {value.dtype} of shape {value.shape}: allowed is "
            f"{wanted.name} of shape {shape}"
        )
    return value.astype(wanted)


def _frame(head: dict[str, Any], body: bytes = b"") -> Frame:
    try:
        text = json.dumps(head, default=_jsonable)
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"its outcome cannot be sent: {error}") from None
    if len(text) > HEAD_BYTES:
        size = f"{len(text) >> 20} MiB of status, certificate and info"
        raise MessageError(
            f"its outcome cannot be sent: {size}: allowed is at most {HEAD_BYTES >> 20} MiB"
        )
    return Frame(text.encode(), body)


def _jsonable(value: Any) -> Any:
    """Values of numpy, and sets, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"{_kind(value)} is no JSON value")


def _bound(given: Any) -> float | None:
    """A lower bound as a float."""
    if given is None:
        return None
    scalar = given.item() if isinstance(given, np.generic) else given
    if isinstance(scalar, bool) or not isinstance(scalar, numbers.Real):
        raise MessageError(f"its lower bound is {_kind(given)}: allowed is a number or None")
    try:
        return float(scalar)
    except OverflowError:
        raise MessageError("its lower bound is too large for a float") from None


def _kind(value: Any) -> str:
    return type(value).__name__


# --- the bench's side


def read(frame: Frame, instance: Instance) -> Message:
    """What a frame says. Raises MessageError."""
    head = _head(frame.head)
    kind = head.pop("kind")
    if kind == "ready":
        return Message(kind)
    if kind in ("preparing", "failed"):
        if not isinstance(head["text"], str):
            raise MessageError(f"its text of {kind} is {_kind(head['text'])}: allowed is a str")
        return Message(kind, text=one_line(head["text"]))
    plan = _plan(frame.body, instance) if head["plan"] is True else None
    bound = _read_bound(head["lower_bound"])
    if kind == "progress":
        return Message(kind, progress=Progress(plan, bound))
    if head["status"] not in get_args(Status):
        raise MessageError(
            f"its status is {shown(head['status'])}: allowed is one of "
            f"{', '.join(get_args(Status))}"
        )
    for name in ("certificate", "info"):
        if not isinstance(head[name], dict):
            raise MessageError(f"its {name} is {_kind(head[name])}: allowed is a dict")
    check_resampled(head["info"].get("resampled", []), instance)
    outcome = Outcome(plan, head["status"], bound, head["certificate"], info=head["info"])
    return Message(kind, outcome=outcome)


def _head(data: bytes) -> dict[str, Any]:
    """The head with exactly the fields of its kind."""
    try:
        head = parsed(data, HEAD_WEIGHT)
    except FileError as error:
        raise MessageError(f"what it sent {error}") from None
    if not isinstance(head, dict) or head.get("kind") not in tuple(_FIELDS):
        raise MessageError("what it sent is no message")
    if set(head) != {"kind"} | _FIELDS[head["kind"]]:
        raise MessageError(f"what it sent lacks fields of {head['kind']}, or has others")
    return head


def check_resampled(given: Any, instance: Instance) -> None:
    """Requests whose server the projector resampled, as `rollout` lists them: the table counts.

    Raises MessageError for anything else.
    """
    sizes = instance.n_slots, instance.scenario.n_devices
    for pair in given if isinstance(given, list) else [given]:
        if not (
            isinstance(pair, list)
            and len(pair) == 2
            and all(type(i) is int and 0 <= i < n for i, n in zip(pair, sizes, strict=True))
        ):
            raise MessageError(
                f"its info has resampled = {shown(given)}: allowed is a list of pairs of slot and "
                "device"
            )


def one_line(text: str) -> str:
    """A text cut to its length, on one line, in characters that every file can hold."""
    whole = text[:TEXT].encode("utf-8", "backslashreplace").decode()
    return " ".join(whole.split())


def _read_bound(given: Any) -> float | None:
    if given is not None and type(given) is not float:
        raise MessageError(f"its lower bound is {_kind(given)}: allowed is a number or None")
    return given


def _plan(body: bytes, instance: Instance) -> Plan:
    """The plan in a body: arrays that fit the instance, powers and positions finite."""
    if len(body) != plan_bytes(instance):
        raise MessageError(f"its plan has {len(body)} bytes: allowed is {plan_bytes(instance)}")
    arrays, start = {}, 0
    for name, shape in _shapes(instance).items():
        flat = np.frombuffer(body, _dtype(name), math.prod(shape), start)
        start += flat.nbytes
        value = arrays[name] = flat.astype(_dtype(name).newbyteorder("=")).reshape(shape)
        for index in np.argwhere(~np.isfinite(value)):
            place = "".join(f"[{i}]" for i in index)
            raise MessageError(
                f"its plan has {name}{place} = {value[tuple(index)]}: allowed is a finite number"
            )
    return Plan(**arrays)


def _shapes(instance: Instance) -> dict[str, tuple[int, ...]]:
    s, t = instance.scenario, instance.n_slots
    return {
        "server": (t, s.n_devices),
        "power_W": (t, s.n_devices),
        "uav_xy_m": (t, s.n_uavs, 2),
    }


def _dtype(name: str) -> np.dtype[Any]:
    return np.dtype("<i8" if name == "server" else "<f8")
