"""The best power of a lone sender, and the bound that certifies it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minlp.convex.lone_sender import Upload, lone_sender
from support.randomised import examples


@examples(100)
@given(
    load_s=st.floats(1e-3, 10),
    log_snr=st.floats(-20, 40),
    propagation_s=st.floats(0, 0.01),
    slack_s=st.floats(-1, 3),
    latency=st.sampled_from([0.0, 0.5]),
    energy=st.sampled_from([0.0, 0.0125, 0.5]),
    overrun=st.sampled_from([0.0, 50.0, 1e5]),
)
def test_the_lone_optimum_is_a_minimum_and_its_bound_close(
    load_s, log_snr, propagation_s, slack_s, latency, energy, overrun
):
    """No power on a fine grid beats it, and the certified side lies within 1e-9 of it."""
    values = [np.array([v]) for v in (load_s, np.exp(log_snr), propagation_s, slack_s)]
    upload = Upload(*values, latency, energy, overrun)
    best = lone_sender(upload, 1e-6, 1.0)
    grid = upload.at(np.linspace(np.log(1e-6), 0.0, 20_001))[0]
    scale = best.cost[0] + overrun * (abs(slack_s) + load_s)  # overruns are differences
    assert best.cost[0] <= grid.min() + 1e-12 * scale
    assert best.lower[0] <= grid.min()
    again = upload.at(np.log(best.power_W))[0][0]
    assert best.cost[0] == pytest.approx(again, rel=1e-9, abs=1e-12 * scale)
    assert best.cost[0] - best.lower[0] <= 1e-9 * scale
