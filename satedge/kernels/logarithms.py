"""Logarithms of many numbers: without branches, so that the processor takes several at once.

After fdlibm (Sun Microsystems 1993, `e_log.c` and `s_log1p.c`): x = 2^k (1 + f) with 1 + f between
sqrt(1/2) and sqrt(2), s = f / (2 + f), and log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)). Errors are
below one unit in the last place, as in the C library, whose functions take one number at a time.
"""

from __future__ import annotations

import numpy as np

from satedge.kernels.compiled import kernel
from satedge.kernels.types import Vector

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
R1, R2, R3 = 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01
R4, R5, R6 = 2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01
R7 = 1.479819860511658591e-01

ONE = 0x3FF0000000000000
"""The bits of 1.0."""
ROOT = 0x3FE6A09E667F3BCD
"""The bits of sqrt(1/2)."""
GREATEST = 1.7976931348623157e308
LEAST_NORMAL = 2.2250738585072014e-308


@kernel
def log_all(values: Vector) -> None:
    """Replace values (n,) by their logarithms: -inf for 0 (and what is below 1e-308), NaN below."""
    bits = values.view(np.int64)
    for i in range(values.shape[0]):
        x = values[i]
        k = (bits[i] - ROOT) >> 52
        bits[i] -= k << 52
        f = values[i] - 1.0
        s, half = f / (2.0 + f), 0.5 * f * f
        z = s * s
        r = z * (R1 + z * (R2 + z * (R3 + z * (R4 + z * (R5 + z * (R6 + z * R7))))))
        found = k * LN2_HIGH - ((half - (s * (half + r) + k * LN2_LOW)) - f)
        found = found if x >= LEAST_NORMAL else (-np.inf if x >= 0.0 else np.nan)
        values[i] = found if x <= GREATEST else x


@kernel
def log1p_all(values: Vector) -> None:
    """Replace values (n,) by log(1 + value), exact for small ones too; NaN below -1."""
    bits = values.view(np.int64)
    for i in range(values.shape[0]):
        x = values[i]
        u = 1.0 + x
        lost = (x - (u - 1.0) if x < 1.0 else 1.0 - (u - x)) / u
        values[i] = u
        k = (bits[i] - ROOT) >> 52
        bits[i] -= k << 52
        f = values[i] - 1.0
        s, half = f / (2.0 + f), 0.5 * f * f
        z = s * s
        r = z * (R1 + z * (R2 + z * (R3 + z * (R4 + z * (R5 + z * (R6 + z * R7))))))
        found = k * LN2_HIGH - ((half - (s * (half + r) + (k * LN2_LOW + lost))) - f)
        found = found if u > 0.0 else (-np.inf if u == 0.0 else np.nan)
        values[i] = found if x <= GREATEST and x != 0.0 else x
