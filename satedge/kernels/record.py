"""Records: data that kernels pass on by reference.

numba passes a named tuple as all of its parts, every array as seven numbers or more, in each call
and in the code around it, and spends most of its time on that. A record is one pointer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, dataclass_transform, get_type_hints

from numba import types
from numba.core.extending import overload
from numba.experimental import structref

from satedge.kernels.compiled import kernel
from satedge.kernels.types import declared_types


@dataclass_transform(frozen_default=True, eq_default=False)
class Record:
    """A frozen dataclass that kernels take by reference; fields are annotated as in `types`.

    Its arrays are shared with kernels, which may write into them. A record that a kernel made gets
    its fields when Python asks for one of them.
    """

    Reference: ClassVar[Any]
    _numba_type_: ClassVar[Any]
    _names: ClassVar[tuple[str, ...]]
    _pack: ClassVar[Any]
    _unpack: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        """Make a dataclass of the class, and make it known to numba."""
        dataclass(frozen=True, eq=False)(cls)
        fields = declared_types(cls)
        cls._names = tuple(fields)
        place = {"__module__": cls.__module__, "__qualname__": f"{cls.__name__}.Reference"}
        name = f"{cls.__module__}.{cls.__name__}"
        cls.Reference = type("Reference", (_Reference,), {**place, "record": name})
        structref.register(cls.Reference)
        cls._numba_type_ = cls.Reference(tuple(fields.items()))
        structref.define_boxing(cls.Reference, cls)
        _write_kernels(cls)

    def __post_init__(self) -> None:
        """Share the fields with kernels."""
        object.__setattr__(self, "_meminfo", self._pack(*self._parts())._meminfo)

    def __getattr__(self, name: str) -> Any:
        """A field of a record that came from a kernel."""
        if name not in self._names:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        for field, part in zip(self._names, self._unpack(self), strict=True):
            object.__setattr__(self, field, part)
        return self.__dict__[name]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are made of the fields."""
        return type(self), self._parts()

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._names)

    @classmethod
    def _numba_box_(cls, _kind: Any, meminfo: Any) -> Any:
        """The Python object of a record that a kernel made."""
        came = object.__new__(cls)
        object.__setattr__(came, "_meminfo", meminfo)
        return came


class _Reference(types.StructRef):
    """numba's type of a record. Its name goes into symbols: short, and unlike any other."""

    record = ""

    def __init__(self, fields: Any) -> None:
        super().__init__(fields)
        self.name = self.record

    @property
    def key(self) -> str:
        return self.record


def _write_kernels(cls: Any) -> None:
    """How a record is made in kernels, brought into them, and taken apart."""
    names = ", ".join(cls._names)
    set_all = [f"record.{name} = {name}" for name in cls._names]
    make = _written(
        "make", names, ["record = new(kind)", *set_all, "return record"],
        new=structref.new, kind=cls._numba_type_,
    )  # fmt: skip
    overload(cls)(_written("typed", names, ["return make"], make=make))
    pack = _written("_pack", names, [f"return cls({names})"], cls=cls)
    hints = get_type_hints(cls, include_extras=True)
    pack.__annotations__ = {name: hints[name] for name in cls._names}
    parts = ", ".join(f"record.{name}" for name in cls._names)
    unpack = _written("_unpack", "record", [f"return ({parts},)"])
    unpack.__annotations__ = {"record": cls}
    for function in (pack, unpack):
        function.__module__ = cls.__module__
        function.__qualname__ = f"{cls.__name__}.{function.__name__}"
        setattr(cls, function.__name__, staticmethod(kernel(function)))


def _written(name: str, parameters: str, lines: list[str], **known: Any) -> Any:
    """A function of these lines: kernels cannot have a variable number of parameters."""
    exec(f"def {name}({parameters}):\n    " + "\n    ".join(lines), known)
    return known[name]
