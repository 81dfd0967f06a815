"""Matrix products by the faster of torch's two libraries, in full single precision.

torch multiplies float32 matrices with MKL unless it is allowed to round the factors to bfloat16;
then it asks oneDNN. On processors with AVX-512 but without AMX oneDNN makes no use of that leave:
it multiplies in float32, with twice the speed of MKL where that keeps to AVX2. Where oneDNN does
round, a trial product shows it, and MKL stays. Single rows are faster with MKL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

#: Greatest relative error of a product in single precision; rounded to bfloat16 it is near 1e-3.
TOLERANCE = 1e-5


@contextmanager
def fast_products() -> Iterator[None]:
    """Within it float32 products go to oneDNN, if that keeps their precision."""
    if not oneDNN_is_exact():
        yield
        return
    before = _switch("bf16")
    try:
        yield
    finally:
        _switch(before)


@cache
def oneDNN_is_exact() -> bool:
    """Whether float32 products by oneDNN exist here and are not rounded to bfloat16."""
    if not hasattr(getattr(torch.backends.mkldnn, "matmul", None), "fp32_precision"):
        return False
    before = _switch("bf16")
    try:
        return error() <= TOLERANCE
    finally:
        _switch(before)


def error() -> float:
    """Greatest error of products like those of forward and backward passes, over their norm."""
    generator = torch.Generator().manual_seed(0)
    x, g = (torch.randn(2, 64, 256, generator=generator) for _ in range(2))
    weight = torch.randn(2, 256, 256, generator=generator)
    errors = []
    for a, b in ((x, weight), (g, weight.mT), (x.mT, g)):
        exact = a.double() @ b.double()
        errors.append((torch.bmm(a, b).double() - exact).abs().max() / exact.norm(dim=-1).max())
    return float(torch.stack(errors).max())


def _switch(precision: str) -> str:
    """Set torch's leave to round float32 products; returns what it was."""
    matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = str(matmul.fp32_precision)
    matmul.fp32_precision = precision
    return before
