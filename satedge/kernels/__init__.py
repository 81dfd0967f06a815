"""Kernels: functions compiled by numba, each once, and the records that they share.

A kernel is written like any function whose parameters are annotated with the types below:

    @kernel
    def total_s(data: SlotData, choice: IntVector) -> float: ...

Its one signature is what the annotations say; other arguments are refused. It is compiled when it
is first called, or with all others by `warm_up`, and kept on disk for later processes (`store`).
"""

from satedge import preparation
from satedge.kernels.compiled import KERNELS, Kernel, import_all, kernel, warm_up
from satedge.kernels.record import Record
from satedge.kernels.types import (
    BoolCube,
    BoolMatrix,
    Cube,
    FloatMatrix,
    IntMatrix,
    IntVector,
    Matrix,
    Tensor,
    Vector,
)

__all__ = [
    "KERNELS",
    "BoolCube",
    "BoolMatrix",
    "Cube",
    "FloatMatrix",
    "IntMatrix",
    "IntVector",
    "Kernel",
    "Matrix",
    "Record",
    "Tensor",
    "Vector",
    "import_all",
    "kernel",
    "warm_up",
]

preparation.register(warm_up)
