"""Fading laws and path loss: closed forms against quadrature, samples against closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from satedge.problem.generation import channel
from satedge.problem.generation.channel import SHADOWING

N_SAMPLES = 200_000
RAYLEIGH_DB = -np.inf

MOMENTS = {
    "light": (1.606, 3.58015, 0.29204),
    "average": (1.087, 1.73495, 0.41871),
    "heavy": (0.126897, 0.032206, 0.88739),
}
"""E|h|^2, E|h|^4 and E exp(-|h|^2) to the printed digits."""

LAWS = {
    **{
        f"rician {factor_dB} dB": (
            lambda rng, shape, k=factor_dB: channel.rician_power(rng, k, shape),
            lambda x, k=factor_dB: channel.rician_power_pdf(x, k),
            lambda x, k=factor_dB: channel.rician_power_cdf(x, k),
            lambda s, k=factor_dB: channel.rician_laplace(s, k),
            channel.rician_moments(factor_dB),
        )
        for factor_dB in (RAYLEIGH_DB, 0.0, 10.0, 20.0)
    },
    **{
        f"shadowed-rician {name}": (
            lambda rng, shape, p=p: channel.shadowed_rician_power(rng, *p, shape),
            lambda x, p=p: channel.shadowed_rician_power_pdf(x, *p),
            lambda x, p=p: channel.shadowed_rician_power_cdf(x, *p),
            lambda s, p=p: channel.shadowed_rician_laplace(s, *p),
            channel.shadowed_rician_moments(*p),
        )
        for name, p in SHADOWING.items()
    },
}
laws = pytest.mark.parametrize(
    ("sample", "pdf", "cdf", "laplace", "moments"), list(LAWS.values()), ids=list(LAWS)
)


def expectation(function, pdf, mean):
    """Integral of function times density, in pieces that follow the scale of the law."""
    edges = mean * np.array([0, 0.2, 0.5, 0.8, 1.0, 1.2, 1.6, 2.5, 5, 10, 20, 40])
    pieces = [
        integrate.quad(lambda x: function(x) * float(pdf(x)), a, b, epsabs=1e-14, epsrel=1e-11)[0]
        for a, b in pairwise(edges)
    ]
    return sum(pieces)


# --- printed numbers


@pytest.mark.parametrize(("carrier_Hz", "loss_dB"), [(2e9, 152.448), (20e9, 172.448)])
def test_free_space_loss_at_500_km(carrier_Hz, loss_dB):
    """500 km of free space cost 152.448 dB at 2 GHz and 172.448 dB at 20 GHz."""
    gain = channel.free_space_gain(500e3, carrier_Hz, 0.0)
    assert -10 * np.log10(gain) == pytest.approx(loss_dB, abs=5e-4)
    with_antenna = channel.free_space_gain(500e3, carrier_Hz, 40.0)
    assert with_antenna == pytest.approx(1e4 * gain, rel=1e-12)


def test_uav_gain_follows_the_power_law():
    """At 100 m, -50 dB at 1 m and exponent 2 the gain is -90 dB times the fading power."""
    assert channel.uav_gain(100.0, 1.0, -50.0, 2.0) == pytest.approx(1e-9, rel=1e-12)
    distance, fading = np.array([10.0, 100.0]), np.array([[0.5], [2.0]])
    gain = channel.uav_gain(distance, fading, -50.0, 2.6)
    expected = [[1e-5 * f * d**-2.6 for d in (10.0, 100.0)] for f in (0.5, 2.0)]
    np.testing.assert_allclose(gain, expected, rtol=1e-12)


def test_rician_moments_at_10_dB():
    """At a factor of 10 dB the mean power is 1 and the mean square power 1.17355."""
    assert channel.rician_moments(10.0) == pytest.approx((1.0, 1.17355), abs=5e-6)


@pytest.mark.parametrize("name", SHADOWING)
def test_shadowed_rician_moments(name):
    """Moments and Laplace transform of the three shadowing sets, to the printed digits."""
    second, fourth = channel.shadowed_rician_moments(*SHADOWING[name])
    assert second == pytest.approx(MOMENTS[name][0], abs=5e-7)
    assert fourth == pytest.approx(MOMENTS[name][1], abs=5e-6)
    at_one = channel.shadowed_rician_laplace(1.0, *SHADOWING[name])
    assert at_one == pytest.approx(MOMENTS[name][2], abs=5e-6)


@pytest.mark.parametrize(("factor_dB", "bit_s_Hz"), [(10.0, 3.35034), (RAYLEIGH_DB, 2.90651)])
def test_ergodic_capacity_at_10_dB(factor_dB, bit_s_Hz):
    """At 10 dB mean SNR fading costs a tenth (Rician) to half a bit/s/Hz (Rayleigh)."""
    capacity = channel.ergodic_capacity(lambda s: channel.rician_laplace(s, factor_dB), 10.0)
    assert capacity == pytest.approx(bit_s_Hz, abs=5e-6)


def test_ergodic_capacity_without_fading():
    """A constant channel of power 1 has log2(1 + SNR)."""
    capacity = channel.ergodic_capacity(lambda s: np.exp(-s), 10.0)
    assert capacity == pytest.approx(3.45943, abs=5e-6)
    assert capacity == pytest.approx(np.log2(11), rel=1e-12)


# --- closed forms against independent ones


@pytest.mark.parametrize("factor_dB", [RAYLEIGH_DB, -10.0, 0.0, 10.0, 30.0])
def test_rician_law_is_a_noncentral_chi_square(factor_dB):
    """2 (1 + kappa) |h|^2 is non-central chi-square: 2 degrees of freedom, centre 2 kappa."""
    factor, x = channel.from_dB(factor_dB), np.linspace(0.0, 6.0, 61)
    law = stats.ncx2(2, 2 * factor) if factor else stats.chi2(2)
    scale = 2 * (1 + factor)
    np.testing.assert_allclose(
        channel.rician_power_cdf(x, factor_dB), law.cdf(scale * x), atol=1e-11
    )
    np.testing.assert_allclose(
        channel.rician_power_pdf(x[1:], factor_dB), scale * law.pdf(scale * x[1:]), atol=1e-10
    )


@pytest.mark.parametrize("name", SHADOWING)
def test_shadowed_rician_density_is_the_published_one(name):
    """The mixture density equals the confluent hypergeometric form of Abdi et al. (2003)."""
    b, m, omega = SHADOWING[name]
    x = np.linspace(0.0, 12.0, 121)
    ratio = 2 * b * m / (2 * b * m + omega)
    series = special.hyp1f1(m, 1.0, omega * x / (2 * b * (2 * b * m + omega)))
    published = ratio**m / (2 * b) * np.exp(-x / (2 * b)) * series
    np.testing.assert_allclose(
        channel.shadowed_rician_power_pdf(x, b, m, omega), published, rtol=1e-9, atol=1e-15
    )


def test_steady_sight_turns_shadowed_rician_into_rician():
    """As m grows the line of sight is constant: a Rician law of factor omega / 2b."""
    b, omega, s = 0.126, 0.835, np.linspace(0, 5, 11)
    mean = omega + 2 * b
    factor_dB = 10 * np.log10(omega / (2 * b))
    steady = channel.shadowed_rician_laplace(s, b, 1e9, omega)
    np.testing.assert_allclose(steady, channel.rician_laplace(mean * s, factor_dB), rtol=1e-6)


@laws
def test_density_distribution_moments_and_transform_agree(sample, pdf, cdf, laplace, moments):
    """Quadrature of the density gives the distribution, the moments and the transform."""
    mean, square = moments
    assert expectation(lambda x: 1.0, pdf, mean) == pytest.approx(1.0, abs=1e-9)
    assert expectation(lambda x: x, pdf, mean) == pytest.approx(mean, rel=1e-9)
    assert expectation(lambda x: x * x, pdf, mean) == pytest.approx(square, rel=1e-9)
    for s in (0.3, 1.0, 7.0):
        transform = expectation(lambda x, s=s: np.exp(-s * x), pdf, mean)
        assert float(laplace(s)) == pytest.approx(transform, abs=1e-9)
    for x in (0.2 * mean, mean, 3 * mean):
        below = integrate.quad(lambda y: float(pdf(y)), 0, x, points=[0.8 * x, 0.5 * x])[0]
        assert float(cdf(x)) == pytest.approx(below, abs=1e-8)
    assert float(cdf(0.0)) == pytest.approx(0.0, abs=1e-14)


@laws
@pytest.mark.parametrize("mean_snr", [0.01, 10.0, 1e6])
def test_ergodic_capacity_is_the_mean_of_the_logarithm(
    sample, pdf, cdf, laplace, moments, mean_snr
):
    """The transform route to E log2(1 + SNR) equals quadrature of the density."""
    direct = expectation(lambda x: np.log2(1 + mean_snr * x), pdf, moments[0])
    assert channel.ergodic_capacity(laplace, mean_snr) == pytest.approx(direct, rel=1e-8)


# --- samples


@laws
def test_samples_follow_the_law(sample, pdf, cdf, laplace, moments):
    """Kolmogorov-Smirnov finds no difference from the distribution function."""
    drawn = sample(np.random.default_rng(20250716), (1, 20_000)).ravel()
    assert stats.kstest(drawn, cdf).pvalue > 1e-3


@laws
def test_sample_moments_lie_within_four_standard_errors(sample, pdf, cdf, laplace, moments):
    """Mean, mean square and mean exponential of samples miss theirs by chance only."""
    drawn = sample(np.random.default_rng(7), (1, N_SAMPLES)).ravel()
    statistics = (
        (lambda x: x, moments[0]),
        (lambda x: x**2, moments[1]),
        (lambda x: np.exp(-x), float(laplace(1.0))),
    )
    for statistic, expected in statistics:
        square = expectation(lambda x, f=statistic: f(x) ** 2, pdf, moments[0])
        error = np.sqrt((square - expected**2) / N_SAMPLES)
        assert abs(statistic(drawn).mean() - expected) < 4 * error


@laws
def test_samples_are_independent_of_each_other(sample, pdf, cdf, laplace, moments):
    """Neighbours along either axis are uncorrelated within four standard errors."""
    drawn = sample(np.random.default_rng(3), (100, 1000))
    for a, b in ((drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 4 / np.sqrt(a.size)


@laws
def test_few_devices_draw_the_first_rows_of_many(sample, pdf, cdf, laplace, moments):
    """With the device axis leading, five devices see what the first five of ten see."""
    for rest in ((), (100,), (100, 4)):
        many = sample(np.random.default_rng(11), (10, *rest))
        few = sample(np.random.default_rng(11), (5, *rest))
        assert many.shape == (10, *rest)
        np.testing.assert_array_equal(few, many[:5])
    assert sample(np.random.default_rng(11), (0, 100)).shape == (0, 100)
    assert np.ndim(sample(np.random.default_rng(11), ())) == 0
