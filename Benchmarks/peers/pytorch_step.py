"""Training or forecast steps of WeatherMixer in PyTorch on one CPU process: seconds, memory, losses.

The model is Tests/Goldens/weathermixer.py. Nothing is loaded: fields and weights are made of the same formula as those of
'jigsaw bench step' (Sources/Workflow/BenchFields.swift), so that both must arrive at the same losses. A training step is forward,
weighted loss, backward, clipping of the gradient norm and AdamW (fused); a forecast step is forward alone, without gradients.
training_step.sh and grid.sh run it in turn with jigsaw.
Usage: python3 pytorch_step.py --channels 256 --token-width 256 --channel-width 512 --blocks 3 --batch 4 --threads 2
       [--compile] [--precision bf16] [--forecast] [--output blend] [--json]
Needs torch==2.13.0 and Linux.
"""
import argparse
import json
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[2] / "Tests/Goldens"))
from weathermixer import WeatherMixer, weighted_loss  # noqa: E402

WARM_UPS = 2


def numbers(count, seed, first=0):
    """float32 in ± 1, number i a function of i and the seed alone: BenchFields.swift, 'number'."""
    mask = 0xFFFFFFFF
    x = (torch.arange(first, first + count) & mask) * 0x9E3779B9 & mask
    x = x + (seed * 0x85EBCA6B & mask) & mask
    x ^= x >> 16
    x = x * 0x7FEB352D & mask
    x ^= x >> 15
    # A product of 32-bit numbers can exceed 63 bits; the lower 32 are right all the same.
    x = x * 0x846CA68B & mask
    x ^= x >> 16
    return (x >> 8).to(torch.float32) * 2.0**-23 - 1


def name_seed(name):
    """FNV-1a, 32 bits."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return seed


def fields(a):
    """State, auxiliary fields and target: [batch, field, latitude, longitude]."""
    unit = torch.tensor(3.0).sqrt()

    def planes(samples, count, seed):
        return (numbers(samples * count * a.rows * a.columns, seed) * unit).reshape(samples, count, a.rows, a.columns)

    state = planes(a.batch, a.variables, 1)
    auxiliary = planes(1, a.auxiliaries, 2).expand(a.batch, -1, -1, -1).clone()
    return state, auxiliary, state + 0.1 * planes(a.batch, a.variables, 3)


def set_weights(model):
    """Matrices uniform in ± 1/sqrt(columns), biases zero, norms as they start."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                bound = 1 / torch.tensor(float(parameter.shape[1])).sqrt()
                parameter.copy_((numbers(parameter.numel(), name_seed(name)) * bound).reshape(parameter.shape))
            elif name.endswith("bias"):
                parameter.zero_()


def peak_memory():
    """VmHWM of this process, bytes."""
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM:"))


def main():
    parser = argparse.ArgumentParser()
    for name, value in dict(channels=256, token_width=256, channel_width=512, blocks=3, batch=4, threads=2, variables=14,
                            auxiliaries=2, rows=32, columns=64, patch_rows=2, patch_columns=4, updates=60).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--output", choices=["residual", "blend"], default="residual")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="bf16: torch.autocast")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--forecast", action="store_true", help="forecast steps instead of training steps")
    parser.add_argument("--json", action="store_true", help="print one line of JSON instead of a sentence")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    model = WeatherMixer((a.rows, a.columns), (a.patch_rows, a.patch_columns), a.variables, a.auxiliaries, a.channels,
                         a.token_width, a.channel_width, a.blocks,
                         residual_scale=torch.full((a.variables,), 0.1) if a.output == "residual" else None)
    set_weights(model)
    state, auxiliary, target = fields(a)
    rows, columns = torch.ones(a.rows), torch.ones(a.variables)

    def autocast():
        return torch.autocast("cpu", torch.bfloat16) if a.precision == "bf16" else nullcontext()

    def loss_of(state, auxiliary, target):
        return weighted_loss(model(state, auxiliary).float(), target, rows, columns)

    losses = []
    if a.forecast:
        forward = torch.compile(model) if a.compile else model

        def update():
            with torch.inference_mode(), autocast():
                forward(state, auxiliary)
    else:
        adam = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0, fused=True)
        forward = torch.compile(loss_of) if a.compile else loss_of

        def update():
            adam.zero_grad()
            with autocast():
                loss = forward(state, auxiliary, target)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
            losses.append(loss.detach())

    for _ in range(WARM_UPS):
        update()
    times = [time.perf_counter()]
    for _ in range(a.updates):
        update()
        times.append(time.perf_counter())
    seconds = statistics.median(after - before for before, after in zip(times, times[1:]))
    if a.json:
        print(json.dumps(dict(
            tool="compiled" if a.compile else "eager", version=torch.__version__, precision=a.precision,
            kind="forecast" if a.forecast else "training", threads=a.threads, secondsPerStep=seconds, steps=a.updates,
            parameters=sum(p.numel() for p in model.parameters()), losses=[x.item() for x in losses],
            peakResidentBytes=peak_memory())))
    else:
        print(f"torch {torch.__version__} {'compiled' if a.compile else 'eager'}: {1000 * seconds:.1f} ms per update, "
              f"{a.batch / seconds:.1f} samples/s")


main()
