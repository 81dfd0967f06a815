"""The page on benchmark validity says what was measured, by statistics that find what is there."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import validity  # noqa: E402


def rows(n_episodes=40):
    """Slots whose nodes double with a standard deviation of load, whatever the rest is."""
    rng = np.random.default_rng(4)
    found = []
    for episode in range(n_episodes):
        for _ in range(5):
            features = {f: float(rng.normal()) for f in validity.FEATURES}
            nodes = np.exp(np.log(2) * features["load"] + 0.3 * rng.normal() + 3)
            found.append({"suite": "slots", "episode": episode, "features": features,
                          "nodes": nodes, "excess": {}})  # fmt: skip
    return found


def test_regression_finds_what_is_there():
    """The factor of load is 2, those of the others have 1 in their intervals."""
    told, explained = validity.regression(rows(), lambda r: np.log(r["nodes"]), draws=200)
    spread = np.std([r["features"]["load"] for r in rows()])
    value, low, high = told["load"]
    assert value == pytest.approx(np.log(2) * spread, abs=0.08)
    assert low < np.log(2) * spread < high
    others = [told[f] for f in validity.FEATURES if f != "load"]
    assert sum(low <= 0 <= high for _, low, high in others) >= 3
    assert 0.7 < explained < 0.95


def test_a_feature_that_never_varies_is_left_out():
    """Its place in the table is empty."""
    found = [r | {"features": r["features"] | {"window": 1.0}} for r in rows(10)]
    told, _ = validity.regression(found, lambda r: np.log(r["nodes"]), draws=20)
    assert "window" not in told
    assert "| window: " in validity.hardness_table(found)


def test_features_of_a_slot():
    """Counted on a committed slot: as many requests as are active, shares between 0 and 1."""
    slot = validity.load_suite("slots")[0]
    found = validity.features(slot)
    assert found["load"] == slot.active.sum()
    assert found["deepest fade"] >= 0
    assert all(0 <= found[f] <= 1 for f in ("near-ties", "UAV in reach"))
    assert found["window"] == pytest.approx(np.log(slot.window_s[slot.window_s > 0].min()))


def test_averaged_fading_keeps_the_mean():
    """Eight slots in the place of one: the same mean over an episode, less spread."""
    episode = validity.load_suite("paper-validation")[0].window(0, 16)
    found = validity.averaged(episode)
    assert found.uav_fading.mean() == pytest.approx(episode.uav_fading.mean())
    assert found.uav_fading.std() < 0.5 * episode.uav_fading.std()


def test_the_page_has_what_was_measured():
    """Its tables are written by the script from results/validity; none is typed."""
    text = validity.PAGE.read_text("utf-8")
    assert validity.filled(text) == text


@pytest.mark.skipif(not validity.FOLDER.is_dir(), reason="nothing is measured yet")
def test_rows_are_of_one_clean_commit():
    """As those of studies."""
    for path in sorted(validity.FOLDER.glob("*.jsonl")):
        commits = {json.loads(line)["commit"] for line in path.read_text().splitlines()}
        assert len(commits) == 1
        assert not any(c.endswith("+") or not c for c in commits)
