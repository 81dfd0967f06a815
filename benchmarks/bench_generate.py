"""Speed of making, writing and reading instances; run by `make bench`.

Limits are stated for one core that nothing else uses.
"""

from __future__ import annotations

import pytest

from satedge.bench.study.suites import check_suites
from satedge.problem.generation.generate import generate
from satedge.problem.io.files import read_instance, write_instance
from satedge.problem.scenario import preset


@pytest.mark.parametrize("n_devices", [10, 20])
def test_generate_an_episode(benchmark, n_devices):
    """An episode of 100 slots with K = 10 takes at most 20 ms."""
    scenario = preset("paper").replace(n_devices=n_devices)
    seeds = iter(range(10**9))
    benchmark.pedantic(lambda: generate(scenario, next(seeds)), rounds=100, warmup_rounds=5)
    if n_devices == 10:
        assert benchmark.stats.stats.median <= 0.020


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_write_an_episode(benchmark, suffix, tmp_path):
    """Checked, written and synced to disk."""
    instance = generate(preset("paper"), 0)
    benchmark.pedantic(write_instance, (instance, tmp_path / f"x.{suffix}"), rounds=20)


@pytest.mark.parametrize("suffix", ["json", "json.gz"])
def test_read_an_episode(benchmark, suffix, tmp_path):
    """Parsed, checked and hashed."""
    path = tmp_path / f"x.{suffix}"
    write_instance(generate(preset("paper"), 0), path)
    benchmark.extra_info["bytes"] = path.stat().st_size
    benchmark.pedantic(read_instance, (path,), rounds=20, warmup_rounds=2)


def test_check_all_suites(benchmark):
    """Regenerating and comparing every suite takes seconds."""
    assert benchmark.pedantic(check_suites, rounds=1) == []
