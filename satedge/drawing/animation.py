"""An episode as a moving map: a GIF, or an MP4 where ffmpeg is installed."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from satedge.drawing import style
from satedge.drawing.figure import draw_map, pixels, save_map
from satedge.drawing.slot_map import slot_map
from satedge.problem.instance import Instance
from satedge.problem.io.folder import write_atomically
from satedge.problem.plan import Plan
from satedge.problem.referee import judge

#: Dots per inch of a frame, alone or beside others: 6.4 x 7.6 inches, divisible by two as video
#: wants it.
DPI, DPI_BESIDE = 80, 65


class AnimationError(ValueError):
    """An animation cannot be made: its name or a missing program."""


def save_picture(
    instance: Instance, plan: Plan, path: Path, slot: int = 0, frames_per_s: float = 4.0
) -> Path:
    """A map of a slot (.svg, .pdf, .png) or an animation (.gif, .mp4), by the file's name."""
    if path.suffix in (".gif", ".mp4"):
        return save_animation(instance, plan, path, frames_per_s)
    return save_map(instance, plan, slot, path)


def save_animation(instance: Instance, plan: Plan, path: Path, frames_per_s: float = 4.0) -> Path:
    """Write an episode under a plan as .gif or .mp4, one frame a slot. Raises AnimationError."""
    return save_comparison(instance, {instance.name: plan}, path, frames_per_s)


def save_comparison(
    instance: Instance, plans: Mapping[str, Plan], path: Path, frames_per_s: float = 4.0
) -> Path:
    """The same of several plans of one episode, by title, side by side. Raises AnimationError."""
    writers = {".gif": _gif, ".mp4": _mp4}
    if path.suffix not in writers:
        raise AnimationError(f"{path}: allowed is a name that ends in .gif or .mp4")
    if path.suffix == ".mp4" and shutil.which("ffmpeg") is None:
        raise AnimationError(f"{path}: needs the program ffmpeg; a .gif does not")
    path.parent.mkdir(parents=True, exist_ok=True)
    dpi = DPI if len(plans) == 1 else DPI_BESIDE
    films = (_frames(instance, plan, title, dpi) for title, plan in plans.items())
    frames = (np.hstack(pictures) for pictures in zip(*films, strict=True))
    writers[path.suffix](frames, path, frames_per_s)
    return path


def _frames(instance: Instance, plan: Plan, title: str, dpi: int) -> Iterator[Any]:
    """RGB arrays (height, width, 3), slot by slot."""
    verdict = judge(instance, plan)
    with style.house():
        for slot in range(instance.n_slots):
            shown = slot_map(instance, plan, slot, verdict)
            yield pixels(draw_map(shown, f"{title}, slot {slot}"), dpi)


def _gif(frames: Iterator[Any], path: Path, frames_per_s: float) -> None:
    from PIL import Image

    palette = Image.Palette.ADAPTIVE
    images = [Image.fromarray(f).convert("P", palette=palette, colors=256) for f in frames]
    whole = io.BytesIO()
    more = {"append_images": images[1:], "duration": 1000 / frames_per_s, "loop": 0}
    images[0].save(whole, "gif", save_all=True, **more)
    write_atomically(path, whole.getvalue())


def _mp4(frames: Iterator[Any], path: Path, frames_per_s: float) -> None:
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        for i, frame in enumerate(frames):
            Image.fromarray(frame).save(Path(folder) / f"{i:05d}.png")
        command = ["ffmpeg", "-y", "-loglevel", "error", "-framerate", str(frames_per_s)]
        command += ["-i", f"{folder}/%05d.png", "-pix_fmt", "yuv420p", f"{folder}/animation.mp4"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise AnimationError(f"{path}: ffmpeg failed: {done.stderr.strip()}")
        write_atomically(path, (Path(folder) / "animation.mp4").read_bytes())
