"""Inter-satellite links (ISL): which exist, and the paths over them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ISL_TOPOLOGIES = ("chain", "ring", "grid")


def plane_links(planes: list[Ints], topology: str) -> Ints:
    """Links (E, 2) of a constellation given as planes of satellite indices in orbital order.

    chain: neighbours in a plane; ring: also its last with its first; grid: a chain in each plane
    and satellites of equal rank in adjacent planes. Raises ValueError for an unknown topology.
    """
    if topology not in ISL_TOPOLOGIES:
        raise ValueError(f"isl_topology={topology!r}: must be one of {', '.join(ISL_TOPOLOGIES)}")
    pairs = [(a, b) for plane in planes for a, b in pairwise(plane)]
    if topology == "ring":
        pairs += [(plane[-1], plane[0]) for plane in planes if len(plane) > 2]
    if topology == "grid":
        pairs += [
            link for left, right in pairwise(planes) for link in zip(left, right, strict=False)
        ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def isl_paths(
    positions_m: Floats, links: Ints, access: Ints, min_radius_m: float
) -> tuple[Ints, Floats]:
    """Paths of fewest hops (ties: shortest) from `access` over the links whose sight is free.

    `positions_m` (T, N, 3) from the Earth's centre; `links` (E, 2); `access` (T,), -1 for none.
    A link exists while its segment stays at least `min_radius_m` from the Earth's centre.
    Returns hops (T, N), -1 where unreachable, and length in metres (T, N), inf there.

    Breadth-first, all times at once: layer h takes over the least length among its neighbours in
    layer h - 1, which is the least length of any path of h hops.
    """
    n_times, n_satellites = positions_m.shape[:2]
    hops = np.full((n_times, n_satellites), -1, dtype=np.int64)
    distance = np.full((n_times, n_satellites), np.inf)
    reached = np.flatnonzero(access >= 0)
    hops[reached, access[reached]] = 0
    distance[reached, access[reached]] = 0.0
    if not len(links):
        return hops, distance
    ends = np.concatenate([links, links[:, ::-1]])
    ends = ends[np.argsort(ends[:, 1], kind="stable")]
    nodes, first = np.unique(ends[:, 1], return_index=True)
    length = _free_length_m(positions_m[:, ends[:, 0]], positions_m[:, ends[:, 1]], min_radius_m)
    for hop in range(1, n_satellites):
        layer = np.where(hops == hop - 1, distance, np.inf)
        offer = np.minimum.reduceat(layer[:, ends[:, 0]] + length, first, axis=1)
        fresh = np.isfinite(offer) & (hops[:, nodes] < 0)
        if not fresh.any():
            break
        row, column = np.nonzero(fresh)
        hops[row, nodes[column]] = hop
        distance[row, nodes[column]] = offer[row, column]
    return hops, distance


def _free_length_m(start_m: Floats, end_m: Floats, min_radius_m: float) -> Floats:
    """Lengths of segments (..., 3), inf where the segment passes below the radius."""
    along = end_m - start_m
    squared = np.sum(along**2, axis=-1)
    foot = -np.sum(start_m * along, axis=-1) / np.where(squared > 0, squared, 1.0)
    nearest = np.clip(foot, 0.0, 1.0)
    radius = np.linalg.norm(start_m + nearest[..., None] * along, axis=-1)
    return np.where(radius >= min_radius_m, np.sqrt(squared), np.inf)
