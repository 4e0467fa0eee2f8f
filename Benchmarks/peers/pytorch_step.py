"""Training steps of WeatherMixer in PyTorch (eager, FP32, fused Adam): samples per second.

The model is Tests/Goldens/weathermixer.py, the data are random, nothing is loaded: what a step costs. Compare with the
samples per second in jigsaw's log for the same sizes, batch and threads; training_step.sh runs both in turn.
Usage: python3 pytorch_step.py --channels 256 --token-width 256 --channel-width 512 --blocks 3 --batch 4 --threads 2
Needs torch==2.13.0.
"""
import argparse
import sys
import time
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[2] / "Tests/Goldens"))
from weathermixer import WeatherMixer, weighted_loss  # noqa: E402

parser = argparse.ArgumentParser()
for name, value in dict(channels=256, token_width=256, channel_width=512, blocks=3, batch=4, threads=2, variables=14,
                        auxiliaries=2, rows=32, columns=64, patch_rows=2, patch_columns=4, updates=60).items():
    parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
parser.add_argument("--compile", action="store_true")
a = parser.parse_args()
torch.set_num_threads(a.threads)
model = WeatherMixer((a.rows, a.columns), (a.patch_rows, a.patch_columns), a.variables, a.auxiliaries, a.channels,
                     a.token_width, a.channel_width, a.blocks, residual_scale=torch.full((a.variables,), 0.1))
adam = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
state = torch.randn(a.batch, a.variables, a.rows, a.columns)
auxiliary = torch.randn(a.batch, a.auxiliaries, a.rows, a.columns)
target = state + 0.1 * torch.randn_like(state)
rows, columns = torch.ones(a.rows), torch.ones(a.variables)
step = torch.compile(model) if a.compile else model


def update():
    adam.zero_grad()
    loss = weighted_loss(step(state, auxiliary), target, rows, columns)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()


for _ in range(8):
    update()
start = time.perf_counter()
for _ in range(a.updates):
    update()
seconds = (time.perf_counter() - start) / a.updates
print(f"torch {torch.__version__} {'compiled' if a.compile else 'eager'}: {1000 * seconds:.1f} ms per update, "
      f"{a.batch / seconds:.1f} samples/s")
