"""Truths about matrix products: faster ones are as precise."""

from __future__ import annotations

import pytest
import torch

from drl.core import products


def test_fast_products_keep_single_precision() -> None:
    """Whatever library answers; and afterwards torch is as it was."""
    before = torch.backends.mkldnn.matmul.fp32_precision
    with products.fast_products():
        assert products.error() <= products.TOLERANCE
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_products_of_rounded_factors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a processor whose oneDNN rounds to bfloat16, MKL stays."""
    plain = torch.bmm

    def rounded(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return plain(a.bfloat16().float(), b.bfloat16().float())

    monkeypatch.setattr(torch, "bmm", rounded)
    assert products.error() > products.TOLERANCE
    products.oneDNN_is_exact.cache_clear()
    try:
        assert not products.oneDNN_is_exact()
        before = torch.backends.mkldnn.matmul.fp32_precision
        with products.fast_products():
            assert torch.backends.mkldnn.matmul.fp32_precision == before
    finally:
        products.oneDNN_is_exact.cache_clear()
