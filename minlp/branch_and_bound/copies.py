"""What options cost devices that pay for copies of powers and positions, compiled.

Each device decides on copies of all log-powers and of UAV positions, and pays slopes for them
(Lagrangian decomposition: Guignard and Kim, Math. Programming 39, 1987). What an option costs it at
least is certified one by one (`upload`).

Where servers share their compute, an option is a server *and* its load: the cost of (k, o, c) is
that of option o if c requests share its server. Only the slack for the upload depends on c, and the
cost is convex in it with a slope between 0 and -rho: each certified solution is a line below it,
and often exact at the next slack.
"""

from __future__ import annotations

import numpy as np

from minlp.branch_and_bound.receivers import VANISH, surely_interferes
from minlp.branch_and_bound.relaxation import OUTWARD
from minlp.branch_and_bound.rows import ratios_at
from minlp.branch_and_bound.upload import MARGIN, Least, Limits, Place, Upload, least_upload
from minlp.slot.cost import no_loads, option_terms
from minlp.slot.data import NOT_SENT, SlotData
from minlp.slot.geometry import room
from minlp.slot.region import discs_of, start_reach
from satedge.kernels import Cube, IntMatrix, IntVector, Matrix, Record, Vector, kernel

#: What loads out of their span cost more, for heuristics: bounds leave them out.
OUT_OF_SPAN = 1e9

#: Slacks of a device and receiver for which its upload's cost is kept.
MOST_LINES = 16

#: Boxes narrower than this share of the altitude have intervals of gains.
NARROW = 1e-3


class Frame(Record):
    """Boxes of UAVs, for copies of their positions. Positions count from the boxes' centres."""

    boxes: Matrix  # (M, 4)
    centre: Matrix  # (M, 2)
    half: Matrix  # (M, 2) 0 where gains are intervals over the box instead
    discs: Cube  # (M, n + 1, 3) rows x, y, radius that hold of decided devices and reach
    n_discs: IntVector  # (M,)


class View(Record):
    """What all devices of a node see."""

    data: SlotData
    bits: IntVector  # (n,) receivers that devices may have
    low: Matrix  # (n, M + 1) gains over the boxes
    high: Matrix
    limits: Limits
    frame: Frame


class Slopes(Record):
    """What copies pay."""

    power: Matrix  # (n, n) for log-powers
    place: Cube  # (n, M + 1, 2) for positions, from the centres of boxes


class Workspace(Record):
    """What is known of one device's uploads."""

    line: Cube  # (M + 1, L, 8): see `Least`, and the slack
    count: IntVector  # (M + 1,) lines of each receiver
    reach: Matrix  # (M + 1, n) disturbance there by a watt of each device
    noise: Vector  # (M + 1,) over the own gain; below 0 where not known yet
    bend: Cube  # (M + 1, n + 1, 2) slopes of their logs in the UAV's position
    ratio: Vector  # (n + 1,)
    alone: IntVector  # (S,) no loads


class Copies(Record):
    """What options cost at given slopes, and which copies of powers and positions attain it."""

    cost: Cube  # (n, O, C) least f_ko - c_k . z, certified; inf where not allowed
    power: Cube  # (n, O, C) copy of the own log-power
    scale: Cube  # (n, O, C) tau, which stands for the copies of the others'
    rise_x: Cube  # (n, O, C) slope of the cost in the copy of the UAV's position
    rise_y: Cube
    xy: Cube  # (n, M, 2) copies of positions
    curve: Cube  # (n, M, 2) curvature of the cost in them, roughly


@kernel
def new_slopes(n: int, n_uavs: int) -> Slopes:
    """Nobody pays."""
    return Slopes(np.zeros((n, n)), np.zeros((n, n_uavs + 1, 2)))


@kernel
def slopes_of_their_own(slopes: Slopes) -> Slopes:
    """The same, to be changed."""
    return Slopes(slopes.power.copy(), slopes.place.copy())


@kernel
def assign_slopes(to: Slopes, slopes: Slopes) -> None:
    """Overwrite slopes."""
    to.power[:], to.place[:] = slopes.power, slopes.place


@kernel
def new_copies(data: SlotData, start: Vector) -> Copies:
    """Nothing known yet; the copies of own log-powers are at `start` (n + 2M,)."""
    n, width = data.receiver.shape
    shape = (n, width, n if data.shared else 1)
    n_uavs = data.altitude_m.shape[0]
    found = Copies(
        np.full(shape, np.inf), np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.zeros((n, n_uavs, 2)), np.zeros((n, n_uavs, 2)),
    )  # fmt: skip
    for k in range(n):
        found.power[k] = start[k]
    return found


@kernel
def place_at(start: Vector, frame: Frame, xy: Cube) -> None:
    """Copies of positions `xy` (n, M, 2) to those of a point (n + 2M,)."""
    n = xy.shape[0]
    for m in range(xy.shape[1]):
        for axis in range(2):
            half = frame.half[m, axis]
            away = start[n + 2 * m + axis] - frame.centre[m, axis]
            xy[:, m, axis] = min(max(away, -half), half)


@kernel
def still(n: int, n_uavs: int) -> Frame:
    """Positions without copies: gains are intervals over the boxes."""
    return Frame(
        np.zeros((n_uavs, 4)), np.zeros((n_uavs, 2)), np.zeros((n_uavs + 1, 2)),
        np.zeros((n_uavs, 0, 3)), np.zeros(n_uavs, np.int64),
    )  # fmt: skip


@kernel
def frame_of(data: SlotData, single: IntVector, boxes: Matrix) -> Frame:
    """Copies of positions in wide boxes; `single` (n,) has the receivers of decided devices."""
    n, n_uavs = data.log_fading.shape
    frame = Frame(
        boxes, np.zeros((n_uavs, 2)), np.zeros((n_uavs + 1, 2)),
        np.zeros((n_uavs, n + 1, 3)), np.zeros(n_uavs, np.int64),
    )  # fmt: skip
    reach = start_reach(data)
    for m in range(n_uavs):
        discs = discs_of(data, reach, single, m)
        frame.n_discs[m] = discs.shape[0]
        frame.discs[m, : discs.shape[0]] = discs
        for axis in range(2):
            low, high = boxes[m, 2 * axis], boxes[m, 2 * axis + 1]
            frame.centre[m, axis] = 0.5 * (low + high)
            frame.half[m, axis] = 0.5 * (high - low) * (1 + 1e-12)
        if max(frame.half[m, 0], frame.half[m, 1]) < NARROW * data.altitude_m[m]:
            frame.half[m] = 0.0
    return frame


@kernel
def new_workspace(data: SlotData) -> Workspace:
    n, n_receivers = data.load_s.shape
    return Workspace(
        np.zeros((n_receivers, MOST_LINES, 8)), np.zeros(n_receivers, np.int64),
        np.zeros((n_receivers, n)), np.empty(n_receivers),
        np.zeros((n_receivers, n + 1, 2)), np.empty(n + 1), no_loads(data),
    )  # fmt: skip


@kernel
def costs_of(
    seen: View,
    k: int,
    wanted: int,
    spans: IntMatrix,
    slope: Vector,
    pay: Matrix,
    work: Workspace,
    found: Copies,
) -> None:
    """Least costs of device k's `wanted` options, and the copies, into `found`.

    Copies of log-powers pay the slopes (n,), those of positions `pay` (M + 1, 2). The solver begins
    at the copies that are there.
    """
    data, limits, frame = seen.data, seen.limits, seen.frame
    n_uavs = data.altitude_m.shape[0]
    work.count[:], work.noise[:] = 0, -1.0
    drift = (np.abs(pay) * frame.half).sum() * (1 + MARGIN)
    for o in range(data.n_options[k]):
        if wanted >> o & 1 == 0:
            continue
        r = data.receiver[k, o]
        if r == NOT_SENT:
            gone = np.maximum(slope * limits.lower, slope * limits.upper)
            size = abs(data.fixed_cost[k, o]) + np.abs(gone).sum() + drift
            found.cost[k, o] = data.fixed_cost[k, o] - gone.sum() - drift - MARGIN * size
            continue
        cost, slack_s = option_terms(data, k, o, work.alone, False, seen.low, seen.high)
        if work.noise[r] < 0.0:
            look(seen, k, r, found.xy[k], work)
        place = np.zeros(2)
        if r < n_uavs:
            place[:] = found.xy[k, r]
        upload = Upload(
            k, data.load_s[k, r], data.propagation_s[r], work.noise[r],
            data.latency_weight, data.energy_weight, data.overrun_weight,
            slope, work.reach[r], limits, Place(place, work.bend[r], pay[r], frame.half[r]),
        )  # fmt: skip
        cost -= drift - np.abs(pay[r] * frame.half[r]).sum() * (1 - MARGIN)
        s = data.server[k, o]
        for c in range(1, found.cost.shape[2] + 1):
            wait_s = data.execute_s[k, o] * (c - 1)
            start = found.power[k, o, c - 1]
            best = _upload_cost(work, upload, r, slack_s - wait_s, start)
            known = cost + data.latency_weight * wait_s
            found.cost[k, o, c - 1] = known + best.value - MARGIN * (abs(known) + drift)
            found.power[k, o, c - 1], found.scale[k, o, c - 1] = best.p, best.tau
            found.rise_x[k, o, c - 1], found.rise_y[k, o, c - 1] = best.rise_x, best.rise_y
            if data.shared and not spans[s, 0] <= c <= spans[s, 1]:
                found.cost[k, o, c - 1] += OUT_OF_SPAN


@kernel
def look(seen: View, k: int, r: int, xy: Matrix, work: Workspace) -> None:
    """What device k hears at receiver r, with its UAVs at `xy` (M, 2), into the workspace."""
    data, bits, low, high, frame = seen.data, seen.bits, seen.low, seen.high, seen.frame
    n = work.ratio.shape[0] - 1
    if frame.half[r, 0] == 0.0 and frame.half[r, 1] == 0.0:
        work.noise[r] = disturbance(data, k, r, bits, low, high, work.reach[r])
        work.bend[r] = 0.0
        return
    x, y = frame.centre[r, 0] + xy[r, 0], frame.centre[r, 1] + xy[r, 1]
    space = room(frame.boxes[r], frame.discs[r, : frame.n_discs[r]], x, y)
    box = frame.boxes[r]
    ratios_at(data, k, r, bits, box, space, x, y, low, high, work.ratio, work.bend[r])
    for j in range(n):
        work.reach[r, j] = np.exp(work.ratio[j] - OUTWARD)
    work.noise[r] = np.exp(work.ratio[n] - OUTWARD)


@kernel
def disturbance(
    data: SlotData, k: int, r: int, bits: IntVector, low: Matrix, high: Matrix, reach: Vector
) -> float:
    """Noise over own gain at receiver r, and in `reach` (n,) the least disturbance by a watt of j.

    The noise is lowered by the powers that vanish, see `receivers.vanishing`.
    """
    n, n_uavs = data.log_fading.shape
    leak = np.exp(data.log_leakage - high[k, r])
    for j in range(n):
        heard = j != k and surely_interferes(data.scope, bits[j], r, n_uavs)
        reach[j] = leak * np.exp(low[j, r]) if heard else 0.0
    return np.exp(data.log_noise - high[k, r]) * (1.0 - 2.0 * VANISH)


@kernel
def _upload_cost(work: Workspace, upload: Upload, r: int, slack_s: float, start: float) -> Least:
    """Certified least of an upload's cost at a slack: the highest of the lines of receiver r.

    A line is exact, and no other is needed, where nothing overruns on it, or all to its left does.
    """
    rho, best, value = upload.overrun_weight, -1, -np.inf
    for i in range(work.count[r]):
        line = work.line[r, i]
        theta, slack = line[1], line[7]
        here = line[0] + theta * (slack - slack_s) - MARGIN * theta * (abs(slack) + abs(slack_s))
        if here > value:
            best, value = i, here
        if (theta == 0.0 and slack_s >= line[2]) or (theta == rho and slack_s <= slack):
            return _on_line(work.line[r, best], value)
    found = least_upload(upload, slack_s, start)
    if work.count[r] < MOST_LINES:
        line = work.line[r, work.count[r]]
        line[0], line[1], line[2], line[3] = found.value, found.theta, found.upload_s, found.p
        line[4], line[5], line[6] = found.tau, found.rise_x, found.rise_y
        line[7] = slack_s
        work.count[r] += 1
    return found if found.value >= value else _on_line(work.line[r, best], value)


@kernel
def _on_line(line: Vector, value: float) -> Least:
    return Least(value, line[1], line[2], line[3], line[4], line[5], line[6])
