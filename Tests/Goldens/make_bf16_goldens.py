"""Makes bf16.safetensors: numbers rounded by ml_dtypes (the bf16 of JAX and TensorFlow), products in double precision.

Usage: pip install ml-dtypes==0.6.0 numpy==2.4.6 safetensors==0.8.0; python3 make_bf16_goldens.py
"""
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

generator = np.random.default_rng(13)


def rounded(x):
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


bits = generator.integers(0, 2**32, 4000, dtype=np.uint32)
ties = (generator.integers(0, 2**16, 500, dtype=np.uint32) << 16) | 0x8000
numbers = np.concatenate([bits, ties, ties - 1, ties + 1]).view(np.float32)
numbers = numbers[np.isfinite(numbers) & (np.abs(numbers) >= np.finfo(np.float32).tiny)]

a = generator.standard_normal((24, 50), dtype=np.float32)
b = generator.standard_normal((50, 40), dtype=np.float32)
save_file(
    {
        "numbers": numbers,
        "numbers.rounded": rounded(numbers),
        "a": a,
        "b": b,
        "product": (a.astype(float) @ b.astype(float)).astype(np.float32),
        "product.rounded": (rounded(a).astype(float) @ rounded(b).astype(float)).astype(np.float32),
        "product.magnitude": (np.abs(a).astype(float) @ np.abs(b).astype(float)).astype(np.float32),
    },
    Path(__file__).parent / "bf16.safetensors",
)
