"""The parts of latency and energy that no decision changes, per slot, device and server.

Everything a request costs on a server is one of: upload (depends on powers and positions),
execution, relay between satellites, propagation, and download. Only the upload of all and the
download of UAVs depend on decisions; the rest is tabulated here once per instance, for the
referee and for every solver.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satedge.problem.arrays import Arrays

#: Exact: it defines the metre.
SPEED_OF_LIGHT_MPS = 299_792_458.0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coefficients:
    """Tabulated constants. S = M + N servers, UAVs first."""

    accurate: NDArray[np.bool_]
    """(T, K, S) The device has a request and the server meets its accuracy floor. Eq. (2)."""
    linked: NDArray[np.bool_]
    """(T, S) UAVs: always; satellites: an accessible one exists and a path leads on from it."""
    execute_s: Array
    """(T, K, S) Execution on an unshared server. Eqs. (14), (22)."""
    execute_J: Array
    """(T, K, S) Its energy. Eqs. (15), (23)."""
    up_propagation_s: Array
    """(T,) d/c to the accessible satellite, paid for at the sender's power. Eqs. (19), (21)."""
    relay_s: Array
    """(T, K, S) Inter-satellite links, both ways. Eqs. (19), (24); 0 for UAVs."""
    relay_J: Array
    """(T, K, S) Their energy. Eqs. (21), (25)."""
    download_s: Array
    """(T, K) Satellite downlink with its propagation. Eqs. (11), (24)."""
    download_J: Array
    """(T, K) Its energy. Eq. (25)."""
    overrun_from_s: Array
    """(T, K, S) D: the deadline, for satellites at most the remaining window."""
    bandwidth_Hz: Array
    """(S,) Uplink band."""

    def rows(self, index: Any) -> Coefficients:
        """The entries of chosen slots."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return Coefficients(
            **{k: v if k == "bandwidth_Hz" else v[index] for k, v in values.items()}
        )


def coefficients(instance: Arrays) -> Coefficients:
    """Tabulate an instance. Entries of unlinked satellites and idle devices are 0."""
    s = instance.scenario
    m, n = s.n_uavs, s.n_satellites
    t, k = instance.active.shape
    tflops = np.r_[np.full(m, s.uav_TFLOPS), np.full(n, s.satellite_TFLOPS)]
    compute_W = np.r_[np.full(m, s.uav_compute_W), np.full(n, s.satellite_compute_W)]
    words = instance.output_words[..., None]
    execute_s = instance.server_work_TFLOP * words / tflops

    linked = np.ones((t, m + n), bool)
    linked[:, m:] = instance.isl_hops >= 0
    meets = instance.server_accuracy >= instance.accuracy_floor[..., None]

    relay_s, relay_J = np.zeros((2, t, k, m + n))
    payload_bit = instance.input_bit + s.token_bit * instance.output_words
    hops = np.maximum(instance.isl_hops, 0)[:, None, :]
    paths_s = 2 * instance.isl_distance_m[:, None, :] / SPEED_OF_LIGHT_MPS
    relay_s[..., m:] = np.where(
        hops > 0, paths_s + hops * payload_bit[..., None] / s.isl_rate_bps, 0.0
    )
    relay_s *= instance.active[..., None]
    relay_J[:] = s.isl_power_W * relay_s

    propagation_s, download_s, window_s = _access_link(instance)
    deadline = np.broadcast_to(instance.deadline_s[..., None], (t, k, m + n)).copy()
    deadline[..., m:] = np.minimum(deadline[..., m:], window_s[:, None, None])
    return Coefficients(
        accurate=instance.active[..., None] & meets,
        linked=linked,
        execute_s=execute_s,
        execute_J=compute_W * execute_s,
        up_propagation_s=propagation_s,
        relay_s=relay_s,
        relay_J=relay_J,
        download_s=download_s,
        download_J=s.satellite_power_W * download_s,
        overrun_from_s=deadline,
        bandwidth_Hz=np.r_[
            np.full(m, s.uav_bandwidth_Hz), np.full(n, s.satellite_bandwidth_Hz)
        ].astype(float),
    )


def _access_link(instance: Arrays) -> tuple[Array, Array, Array]:
    """Propagation (T,), download (T, K) and remaining window (T,) of the accessible satellite."""
    s = instance.scenario
    seen = instance.access >= 0
    slots = np.flatnonzero(seen)
    distance, window = np.zeros((2, instance.n_slots))
    distance[slots] = instance.range_m[slots, instance.access[slots]]
    window[slots] = instance.window_s[slots, instance.access[slots]]
    propagation_s = distance / SPEED_OF_LIGHT_MPS
    snr = instance.satellite_gain * s.satellite_power_W / s.noise_W
    rate_bps = s.satellite_bandwidth_Hz * np.log2(1 + np.where(seen[:, None], snr, 1.0))
    download_s = s.token_bit * instance.output_words / rate_bps + propagation_s[:, None]
    download_s = np.where(instance.active & seen[:, None], download_s, 0.0)
    return propagation_s, download_s, window
