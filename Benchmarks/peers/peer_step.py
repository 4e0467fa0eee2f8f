"""What the peers of 'jigsaw bench step' share: options, numbers, timing, the line of JSON.

Nothing is loaded: fields and weights are made of the same formula as those of 'jigsaw bench step' (Sources/Workflow/BenchFields.swift),
so that all must arrive at the same losses.
"""
import argparse
import json
import statistics
import time

import numpy as np

WARM_UPS = 2


def options():
    parser = argparse.ArgumentParser()
    for name, value in dict(channels=256, token_width=256, channel_width=512, blocks=3, batch=4, threads=2, variables=14,
                            auxiliaries=2, rows=32, columns=64, patch_rows=2, patch_columns=4, updates=60).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--output", choices=["residual", "blend"], default="residual")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="bf16: mixed, as each tool does it")
    parser.add_argument("--forecast", action="store_true", help="forecast steps instead of training steps")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a sentence")
    return parser


def numbers(count, seed):
    """float32 in ± 1, number i a function of i and the seed alone: BenchFields.swift, 'number'."""
    x = np.arange(count, dtype=np.uint32)
    x = x * np.uint32(0x9E3779B9) + np.uint32(seed * 0x85EBCA6B & 0xFFFFFFFF)
    x ^= x >> 16
    x *= np.uint32(0x7FEB352D)
    x ^= x >> 15
    x *= np.uint32(0x846CA68B)
    x ^= x >> 16
    return (x >> 8).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)


def name_seed(name):
    """FNV-1a, 32 bits."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return seed


def fields(a):
    """State, auxiliary fields and target: [batch, field, latitude, longitude]."""
    unit = np.sqrt(np.float32(3))

    def planes(samples, count, seed):
        return (numbers(samples * count * a.rows * a.columns, seed) * unit).reshape(samples, count, a.rows, a.columns)

    state = planes(a.batch, a.variables, 1)
    auxiliary = np.repeat(planes(1, a.auxiliaries, 2), a.batch, 0)
    return state, auxiliary, state + np.float32(0.1) * planes(a.batch, a.variables, 3)


def weight(name, shape):
    """A matrix, uniform in ± 1/sqrt(columns)."""
    bound = np.float32(1) / np.sqrt(np.float32(shape[1]))
    return (numbers(shape[0] * shape[1], name_seed(name)) * bound).reshape(shape)


def peak_memory():
    """VmHWM of this process, bytes."""
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM:"))


def measure(a, tool, version, update, parameters):
    """Times `update` and says what it found. It returns a step's loss, or None, when the step is done."""
    losses = [update() for _ in range(WARM_UPS)]
    times = [time.perf_counter()]
    for _ in range(a.updates):
        losses.append(update())
        times.append(time.perf_counter())
    seconds = statistics.median(after - before for before, after in zip(times, times[1:]))
    if a.json:
        print(json.dumps(dict(
            tool=tool, version=version, precision=a.precision, kind="forecast" if a.forecast else "training",
            threads=a.threads, secondsPerStep=seconds, steps=a.updates, parameters=parameters,
            losses=[float(loss) for loss in losses if loss is not None], peakResidentBytes=peak_memory())))
    else:
        print(f"{tool} {version}: {1000 * seconds:.1f} ms per update, {a.batch / seconds:.1f} samples/s")
