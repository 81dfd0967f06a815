"""The log of a training outlives a kill at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from drl.training.collect import thinned
from drl.training.log import Log, Row

HEADER = "epoch,seed,figure,value"


def log(folder: Path, start: int) -> Log:
    return Log(folder, 20, "adsac", start, progress=False, tensorboard=False)


def lines(folder: Path) -> list[str]:
    return (folder / "curve.csv").read_text().splitlines()


def written(folder: Path, epochs: range, start: int = 0) -> None:
    with log(folder, start) as made:
        for epoch in epochs:
            figures = {"reward": 0.5, "cost": 20.0, "misses": 0.0}
            made.write([Row(epoch, seed, 1.0, figures) for seed in (0, 1)])


@pytest.mark.parametrize("torn", ["", "1", "12,1,rew", "12,1,reward"])
def test_half_a_row_at_the_end_is_dropped(tmp_path: Path, torn: str) -> None:
    """A row of epoch 12 cut anywhere, "1" included, which looks like an early epoch's."""
    written(tmp_path, range(1, 12))
    whole = lines(tmp_path)
    with open(tmp_path / "curve.csv", "a") as file:
        file.write(torn)
    with log(tmp_path, 11):
        assert lines(tmp_path) == whole


def test_rows_after_the_checkpoint_are_written_again(tmp_path: Path) -> None:
    """Killed in epoch 9 with a checkpoint of epoch 6 and resumed, the log is that of the whole."""
    written(tmp_path / "whole", range(1, 13))
    written(tmp_path / "cut", range(1, 10))
    written(tmp_path / "cut", range(7, 13), start=6)
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_a_kill_right_after_resuming_loses_nothing(tmp_path: Path) -> None:
    """Rows up to the checkpoint are in the file before the first new one is."""
    written(tmp_path, range(1, 7))
    whole = lines(tmp_path)
    with log(tmp_path, 6):
        assert lines(tmp_path) == whole


def test_a_fresh_training_starts_a_fresh_log(tmp_path: Path) -> None:
    """From epoch 0 on, an earlier training's rows are gone."""
    written(tmp_path, range(1, 3))
    with log(tmp_path, 0):
        assert lines(tmp_path) == [HEADER]


def test_tensorboard_gets_every_figure(tmp_path: Path) -> None:
    """If asked for, beside the file: one scalar a seed and figure, one point an epoch."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Log(tmp_path, 20, "adsac", 0, progress=False, tensorboard=True) as made:
        for epoch in (1, 2, 3):
            figures = {"reward": 0.1 * epoch, "cost": 20.0, "misses": 0.0}
            made.write([Row(epoch, seed, 1.0, figures) for seed in (0, 1)])
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    names = {f"seed-{s}/{f}" for s in (0, 1) for f in ("seconds", "reward", "cost", "misses")}
    assert set(events.Tags()["scalars"]) == names
    points = [(p.step, p.value) for p in events.Scalars("seed-1/reward")]
    assert points == [(e, pytest.approx(0.1 * e)) for e in (1, 2, 3)]


def test_a_thinned_log_keeps_time_and_other_seeds(tmp_path: Path) -> None:
    """To epochs of validation: seconds are summed up to each, other figures averaged, and rows
    of seeds that were there before stay."""
    head = "epoch,seed,figure,value"
    rows = [f"{e},5,{f},{v * e}" for e in range(1, 5) for f, v in (("seconds", 2), ("cost", 1))]
    rows += [f"{e},5,validation_cost,{10 - e}" for e in (2, 4)]
    (tmp_path / "long.csv").write_text("\n".join([head, *rows]) + "\n")
    (tmp_path / "kept.csv").write_text(f"{head}\n2,0,cost,7\n2,5,cost,9\n")
    curve = thinned(tmp_path / "long.csv", tmp_path / "kept.csv")
    assert (tmp_path / "kept.csv").read_text().splitlines() == [
        head,
        "2,0,cost,7",
        *("2,5,seconds,6", "2,5,cost,1.5", "4,5,seconds,14", "4,5,cost,3.5"),
        *("2,5,validation_cost,8", "4,5,validation_cost,6"),
    ]
    assert curve["seconds"] == {2: [6.0], 4: [14.0]}
