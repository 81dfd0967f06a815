"""Types of what kernels take: arrays in C order by number of dimensions, scalars, records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args, get_type_hints

import numpy as np
from numba import types
from numpy.typing import NDArray

Vector = Annotated[NDArray[np.float64], types.float64[::1]]
Matrix = Annotated[NDArray[np.float64], types.float64[:, ::1]]
Cube = Annotated[NDArray[np.float64], types.float64[:, :, ::1]]
Tensor = Annotated[NDArray[np.float64], types.float64[:, :, :, ::1]]
FloatMatrix = Annotated[NDArray[np.float32], types.float32[:, ::1]]
IntVector = Annotated[NDArray[np.int64], types.int64[::1]]
IntMatrix = Annotated[NDArray[np.int64], types.int64[:, ::1]]
BoolMatrix = Annotated[NDArray[np.bool_], types.boolean[:, ::1]]
BoolCube = Annotated[NDArray[np.bool_], types.boolean[:, :, ::1]]

_SCALARS = {float: types.float64, int: types.int64, bool: types.boolean}


def declared_types(owner: type | Callable[..., Any]) -> dict[str, types.Type]:
    """numba's types of the fields of a class or the parameters of a function, by annotation."""
    hints = get_type_hints(owner, include_extras=True)
    own = [name for name in owner.__annotations__ if name != "return"]
    return {name: _type_of(hints[name], f"{owner.__qualname__}: {name}") for name in own}


def _type_of(hint: Any, where: str) -> types.Type:
    """numba's type of an annotation."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    found = getattr(hint, "_numba_type_", None) or (get_args(hint) or (None,))[-1]
    if not isinstance(found, types.Type):
        raise TypeError(f"{where} is {hint}: allowed are arrays of kernels.types, records, scalars")
    return found
