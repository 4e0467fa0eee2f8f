"""Fits the polynomial in Sources/CKernels/kernels.inc.h used for the normal distribution function in erf-GELU.

    Phi(-a) = exp(-a^2/2) * Q(t),   t = 1 / (1 + p a),   a >= 0

Q has minimal largest relative error on 0 <= a <= 13.2 (below the smallest normal float). Needs numpy and mpmath.
Usage: python3 fit_gelu.py [degree]
"""
import sys
import mpmath as mp
import numpy as np

mp.mp.dps = 40
degree = int(sys.argv[1]) if len(sys.argv) > 1 else 7


def fit(p, degree, count=400):
    x = np.cos(np.pi * (np.arange(count) + 0.5) / count)  # Chebyshev points in t
    t_low = 1 / (1 + p * 13.2)
    t = 0.5 * (1 + t_low) + 0.5 * (1 - t_low) * x
    a = (1 / t - 1) / p
    target = np.array([float(mp.erfc(mp.mpf(v) / mp.sqrt(2)) / 2 * mp.exp(mp.mpf(v) ** 2 / 2)) for v in a])
    basis = np.vander(t, degree + 1, increasing=True)[:, 1:] / target[:, None]  # no constant term: Q(0) = 0
    weight = np.ones(count)
    best = (np.inf, None)
    for _ in range(200):  # Lawson's iteration: least squares to minimax
        c, *_ = np.linalg.lstsq(basis * np.sqrt(weight)[:, None], np.sqrt(weight), rcond=None)
        error = np.abs(basis @ c - 1)
        if error.max() < best[0]:
            best = (error.max(), c)
        weight *= error
        weight /= weight.sum()
    return best


results = [(fit(p, degree)[0], p) for p in np.arange(0.15, 0.5, 0.01)]
_, p = min(results)
error, c = fit(p, degree)
print(f"p = {p:.4f}, largest relative error {error:.2e}")
for k, value in enumerate(c, start=1):
    print(f"c{k} = {value:.9e}f")
