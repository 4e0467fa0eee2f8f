"""Training or forecast steps of WeatherMixer in PyTorch on one CPU process: seconds, memory, losses.

The model is Tests/Goldens/weathermixer.py. A training step is forward, weighted loss, backward, clipping of the gradient norm and
AdamW (fused); a forecast step is forward alone, without gradients. training_step.sh and grid.sh run it in turn with jigsaw.
Usage: python3 pytorch_step.py --channels 256 --token-width 256 --channel-width 512 --blocks 3 --batch 4 --threads 2
       [--compile] [--precision bf16] [--forecast] [--output blend] [--json]
Needs torch==2.13.0, NumPy and Linux.
"""
import sys
from contextlib import nullcontext
from pathlib import Path

import torch

import peer_step

sys.path.append(str(Path(__file__).parents[2] / "Tests/Goldens"))
from weathermixer import WeatherMixer, weighted_loss  # noqa: E402


def set_weights(model):
    """Matrices by formula, biases zero, norms as they start."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2:
                parameter.copy_(torch.from_numpy(peer_step.weight(name, tuple(parameter.shape))))
            elif name.endswith("bias"):
                parameter.zero_()


def main():
    parser = peer_step.options()
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    model = WeatherMixer((a.rows, a.columns), (a.patch_rows, a.patch_columns), a.variables, a.auxiliaries, a.channels,
                         a.token_width, a.channel_width, a.blocks,
                         residual_scale=torch.full((a.variables,), 0.1) if a.output == "residual" else None)
    set_weights(model)
    state, auxiliary, target = map(torch.from_numpy, peer_step.fields(a))
    rows, columns = torch.ones(a.rows), torch.ones(a.variables)

    def autocast():
        return torch.autocast("cpu", torch.bfloat16) if a.precision == "bf16" else nullcontext()

    def loss_of(state, auxiliary, target):
        return weighted_loss(model(state, auxiliary).float(), target, rows, columns)

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
            return loss.item()

    peer_step.measure(a, "compiled" if a.compile else "eager", torch.__version__, update,
                      sum(p.numel() for p in model.parameters()))


main()
