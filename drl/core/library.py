"""The few functions of arrays that networks for slots need, from torch and from NumPy.

Networks learn in torch. They decide in NumPy, which takes half the time for arrays so small: what a
slot costs is not arithmetic but calls. Both run the same code; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

#: Tensors, or NumPy arrays of single precision.
Array = Any


class Torch:
    """What both have, in torch's words."""

    exp, log, log1p, expm1 = map(staticmethod, (torch.exp, torch.log, torch.log1p, torch.expm1))
    sqrt, cos, tanh, relu = map(staticmethod, (torch.sqrt, torch.cos, torch.tanh, torch.relu))
    minimum, softplus = staticmethod(torch.minimum), staticmethod(nn.functional.softplus)

    @staticmethod
    def clip(x: Array, low: float | None, high: float | None) -> Array:
        """Within [low, high]."""
        return x.clamp(low, high)

    @staticmethod
    def total(x: Array, axis: int, keep: bool = False) -> Array:
        """The sum along an axis."""
        return x.sum(dim=axis, keepdim=keep)

    @staticmethod
    def least(x: Array) -> Array:
        """The least along the last axis, which stays."""
        return x.amin(dim=-1, keepdim=True)

    @staticmethod
    def real(x: Array) -> Array:
        """Truth as 0 and 1."""
        return x.to(torch.float32)

    @staticmethod
    def columns(shape: Sequence[int], parts: Sequence[Array]) -> Array:
        """(*shape, n): parts (..., width) side by side, each repeated to that shape."""
        return torch.cat([x.expand(*shape, x.shape[-1]) for x in parts], dim=-1)

    @staticmethod
    def pad(x: Array, before: int, after: int) -> Array:
        """Zeros before and after, along the last axis."""
        return nn.functional.pad(x, (before, after))

    @staticmethod
    def log_softmax(x: Array) -> Array:
        """Along the last axis."""
        return x.log_softmax(dim=-1)

    @staticmethod
    def affine(x: Array, weight: Array, bias: Array) -> Array:
        """(R, rows, in) by (R, in, out), plus (R, 1, out)."""
        return torch.baddbmm(bias, x, weight)


class NumPy:
    """The same in NumPy's."""

    exp, log, log1p, expm1 = map(staticmethod, (np.exp, np.log, np.log1p, np.expm1))
    sqrt, cos, tanh, minimum = map(staticmethod, (np.sqrt, np.cos, np.tanh, np.minimum))

    @staticmethod
    def softplus(x: Array) -> Array:
        """log(1 + exp(x))."""
        return np.logaddexp(x, np.float32(0))

    @staticmethod
    def relu(x: Array) -> Array:
        """Nothing below 0."""
        return np.maximum(x, np.float32(0))

    @staticmethod
    def clip(x: Array, low: float | None, high: float | None) -> Array:
        """Within [low, high]."""
        x = x if low is None else np.maximum(x, np.float32(low))
        return x if high is None else np.minimum(x, np.float32(high))

    @staticmethod
    def total(x: Array, axis: int, keep: bool = False) -> Array:
        """The sum along an axis."""
        return x.sum(axis=axis, keepdims=keep)

    @staticmethod
    def least(x: Array) -> Array:
        """The least along the last axis, which stays."""
        return np.minimum.reduce(x, axis=-1, keepdims=True)

    @staticmethod
    def real(x: Array) -> Array:
        """Truth as 0 and 1."""
        return x.astype(np.float32)

    @staticmethod
    def columns(shape: Sequence[int], parts: Sequence[Array]) -> Array:
        """(*shape, n): parts (..., width) side by side, each repeated to that shape."""
        whole = np.empty((*shape, sum(x.shape[-1] for x in parts)), np.float32)
        at = 0
        for x in parts:
            whole[..., at : at + x.shape[-1]] = x
            at += x.shape[-1]
        return whole

    @staticmethod
    def pad(x: Array, before: int, after: int) -> Array:
        """Zeros before and after, along the last axis."""
        n = x.shape[-1]
        whole = np.zeros((*x.shape[:-1], before + n + after), np.float32)
        whole[..., before : before + n] = x
        return whole

    @staticmethod
    def log_softmax(x: Array) -> Array:
        """Along the last axis."""
        x = x - np.maximum.reduce(x, axis=-1, keepdims=True)
        return x - np.log(np.add.reduce(np.exp(x), axis=-1, keepdims=True))

    @staticmethod
    def affine(x: Array, weight: Array, bias: Array) -> Array:
        """(R, rows, in) by (R, in, out), plus (R, 1, out)."""
        return np.matmul(x, weight) + bias


def library(x: Array) -> Any:
    """Torch or NumPy: where an array comes from."""
    return NumPy if isinstance(x, np.ndarray) else Torch
