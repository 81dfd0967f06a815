"""Fading and path loss of the ground-to-UAV and ground-to-satellite links.

All samplers give power gains |h|^2, not amplitudes: the paper (Yan et al., Drones 2025, 9(7),
500) writes h for an amplitude in Eqs. (6)-(7) and for a power gain in the rates (8)-(11).

Both fading laws are mixtures of Erlang laws: given n, |h|^2 is the sum of n + 1 exponential
variables of one scale, n Poisson for Rician fading and negative binomial for shadowed-Rician
fading (expand their Laplace transforms in powers of 1 / (1 + scale s)). Densities and
distribution functions below are these sums.

Samplers draw device by device, so that with the device axis leading the rows of few devices are
the first rows of many.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log, pi

import numpy as np
import numpy.typing as npt

from satedge.problem.coefficients import SPEED_OF_LIGHT_MPS

Floats = npt.NDArray[np.float64]

SHADOWING: dict[str, tuple[float, float, float]] = {
    "light": (0.158, 19.4, 1.29),
    "average": (0.126, 10.1, 0.835),
    "heavy": (0.063, 0.739, 8.97e-4),
}
"""(b, m, Omega) of Abdi et al., IEEE Trans. Wireless Commun. 2(3), 2003, Table III: half the mean
scattered power, the Nakagami parameter and the mean power of the line of sight."""

_TAIL = 1e-17
"""Probability of the mixture terms left out of densities and distribution functions."""


def from_dB(value_dB: float) -> float:
    """Power ratio of a value in decibels."""
    return float(10.0 ** (value_dB / 10.0))


# --- path loss


def uav_gain(
    distance_m: npt.ArrayLike,
    fading_power: npt.ArrayLike,
    reference_gain_dB: float,
    path_loss_exponent: float,
) -> Floats:
    """Power gain beta_0 d^-alpha |h^|^2 of a UAV link, Eq. (6), d the 3-D distance.

    `reference_gain_dB` is beta_0, the gain at 1 m. Arguments broadcast.
    """
    distance = np.asarray(distance_m, dtype=np.float64)
    reference = from_dB(reference_gain_dB)
    return np.asarray(reference * distance**-path_loss_exponent * np.asarray(fading_power))


def free_space_gain(distance_m: npt.ArrayLike, carrier_Hz: float, antenna_gain_dB: float) -> Floats:
    """Power gain G (c / (4 pi f d))^2 without fading (Friis), G the total antenna gain."""
    distance = np.asarray(distance_m, dtype=np.float64)
    spread = SPEED_OF_LIGHT_MPS / (4.0 * pi * carrier_Hz * distance)
    return np.asarray(from_dB(antenna_gain_dB) * spread**2)


# --- Rician fading


def rician_power(rng: np.random.Generator, factor_dB: float, shape: tuple[int, ...]) -> Floats:
    """|h^|^2 of Eq. (7) with mean 1, of the given shape.

    h^ = sqrt(kappa / (kappa + 1)) + sqrt(1 / (kappa + 1)) CN(0, 1), kappa the Rician factor; the
    phase of the line of sight does not change the power.
    """
    factor = from_dB(factor_dB)
    scatter = rng.standard_normal((*shape, 2))
    in_phase = np.sqrt(factor / (factor + 1)) + np.sqrt(0.5 / (factor + 1)) * scatter[..., 0]
    return np.asarray(in_phase**2 + 0.5 / (factor + 1) * scatter[..., 1] ** 2)


def rician_moments(factor_dB: float) -> tuple[float, float]:
    """E|h|^2 = 1 and E|h|^4 = (kappa^2 + 4 kappa + 2) / (kappa + 1)^2."""
    factor = from_dB(factor_dB)
    return 1.0, (factor**2 + 4 * factor + 2) / (factor + 1) ** 2


def rician_laplace(s: npt.ArrayLike, factor_dB: float) -> Floats:
    """E exp(-s |h|^2), s >= 0: (1 + kappa) / (1 + kappa + s) exp(-kappa s / (1 + kappa + s))."""
    factor, at = from_dB(factor_dB), np.asarray(s, dtype=np.float64)
    total = 1 + factor + at
    return np.asarray((1 + factor) / total * np.exp(-factor * at / total))


def rician_power_pdf(power: npt.ArrayLike, factor_dB: float) -> Floats:
    """Density of |h|^2, any shape: Erlang laws of scale 1 / (1 + kappa), Poisson(kappa) mixed."""
    factor = from_dB(factor_dB)
    return _mixture_pdf(power, _poisson_weights(factor), 1 / (1 + factor))


def rician_power_cdf(power: npt.ArrayLike, factor_dB: float) -> Floats:
    """Distribution function of |h|^2, any shape: one minus a Marcum Q function of order 1."""
    factor = from_dB(factor_dB)
    return _mixture_cdf(power, _poisson_weights(factor), 1 / (1 + factor))


# --- shadowed-Rician fading


def shadowed_rician_power(
    rng: np.random.Generator, b: float, m: float, omega: float, shape: tuple[int, ...]
) -> Floats:
    """|h|^2 = |A + sqrt(b) (N1 + i N2)|^2, A^2 ~ Gamma(m, omega / m) (Abdi et al. 2003).

    Of the given shape. The first axis is drawn row by row because the number of random words a
    gamma variable takes varies: only so are the first rows the same for any number of rows.
    """
    if not shape:
        return _shadowed_rician_row(rng, b, m, omega, ())
    power = np.empty(shape)
    for row in range(shape[0]):
        power[row] = _shadowed_rician_row(rng, b, m, omega, shape[1:])
    return power


def _shadowed_rician_row(
    rng: np.random.Generator, b: float, m: float, omega: float, shape: tuple[int, ...]
) -> Floats:
    """One row of `shadowed_rician_power`."""
    sight = np.sqrt(rng.gamma(m, omega / m, shape))
    scatter = np.sqrt(b) * rng.standard_normal((2, *shape))
    return np.asarray((sight + scatter[0]) ** 2 + scatter[1] ** 2)


def shadowed_rician_moments(b: float, m: float, omega: float) -> tuple[float, float]:
    """E|h|^2 = omega + 2b and E|h|^4 = 8 b^2 + 8 b omega + (1 + 1/m) omega^2."""
    return omega + 2 * b, 8 * b**2 + 8 * b * omega + (1 + 1 / m) * omega**2


def shadowed_rician_laplace(s: npt.ArrayLike, b: float, m: float, omega: float) -> Floats:
    """E exp(-s |h|^2), s >= 0 (Abdi et al. 2003):

    (2bm)^m (1 + 2bs)^(m-1) / [(2bm + omega)(1 + 2bs) - omega]^m.
    """
    spread = 1 + 2 * b * np.asarray(s, dtype=np.float64)
    return np.asarray((2 * b * m * spread / ((2 * b * m + omega) * spread - omega)) ** m / spread)


def shadowed_rician_power_pdf(power: npt.ArrayLike, b: float, m: float, omega: float) -> Floats:
    """Density of |h|^2, any shape: Erlang laws of scale 2b, negative binomially mixed."""
    return _mixture_pdf(power, _negative_binomial_weights(m, omega / (2 * b * m + omega)), 2 * b)


def shadowed_rician_power_cdf(power: npt.ArrayLike, b: float, m: float, omega: float) -> Floats:
    """Distribution function of |h|^2, any shape, of the same mixture as its density."""
    return _mixture_cdf(power, _negative_binomial_weights(m, omega / (2 * b * m + omega)), 2 * b)


# --- ergodic capacity


def ergodic_capacity(laplace: Callable[[Floats], Floats], mean_snr: float) -> float:
    """E log2(1 + mean_snr |h|^2) in bit/s/Hz, from s -> E exp(-s |h|^2).

    ln(1 + x) is the integral over s > 0 of (1 - e^(-sx)) e^(-s) / s (Hamdi, IEEE Trans. Commun.
    58(2), 2010). With s = e^t the integrand vanishes exponentially at one end and doubly so at
    the other, where the trapezium rule converges geometrically.
    """
    # Steps of 0.05 and ends where the integrand is below 1e-17: exact to rounding.
    t = np.arange(-40.0 - log(max(mean_snr, 1.0)), 5.0, 0.05)
    s = np.exp(t)
    return float(0.05 * np.sum(np.exp(-s) * (1.0 - laplace(mean_snr * s))) / log(2))


# --- mixtures of Erlang laws


def _poisson_weights(mean: float) -> Floats:
    """P(n) of a Poisson law, n = 0, 1, ... as far as they matter."""
    if mean == 0:
        return np.ones(1)
    return _weights(lambda n: n * log(mean) - mean - lgamma(n + 1), mean)


def _negative_binomial_weights(m: float, q: float) -> Floats:
    """P(n) = Gamma(m + n) / (n! Gamma(m)) q^n (1 - q)^m as far as they matter."""

    def log_weight(n: int) -> float:
        return lgamma(m + n) - lgamma(m) - lgamma(n + 1) + n * log(q) + m * log(1 - q)

    return _weights(log_weight, m * q / (1 - q))


def _weights(log_weight: Callable[[int], float], mean: float) -> Floats:
    """exp(log_weight(n)) up to the first n past the mean where it is negligible.

    Divided by their sum, which takes away the rounding of the logarithms.
    """
    weights: list[float] = []
    while len(weights) <= mean or weights[-1] > _TAIL:
        weights.append(exp(log_weight(len(weights))))
    return np.array(weights) / np.sum(weights)


def _poisson_matrix(mean: Floats, n_terms: int) -> Floats:
    """Poisson probabilities (..., n_terms) of 0, 1, ... for means of shape (...)."""
    n = np.arange(n_terms)
    log_factorial = np.array([lgamma(k + 1) for k in range(n_terms)])
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = n * np.log(mean[..., None]) - mean[..., None] - log_factorial
    return np.where(mean[..., None] > 0, np.exp(exponent), n == 0)


def _mixture_pdf(power: npt.ArrayLike, weights: Floats, scale: float) -> Floats:
    """Density at `power` >= 0: an Erlang(n + 1) density is a Poisson probability over the scale."""
    x = np.asarray(power, dtype=np.float64)
    return np.asarray(_poisson_matrix(x / scale, len(weights)) @ weights / scale)


def _mixture_cdf(power: npt.ArrayLike, weights: Floats, scale: float) -> Floats:
    """P(|h|^2 <= power): Erlang(n + 1) exceeds x when at most n Poisson points fall below it."""
    x = np.asarray(power, dtype=np.float64)
    at_least = np.cumsum(weights[::-1])[::-1]
    return np.asarray(1.0 - _poisson_matrix(x / scale, len(weights)) @ at_least)
