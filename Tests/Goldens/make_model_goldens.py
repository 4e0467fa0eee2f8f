"""Makes model-*.safetensors: inputs, weights, and what PyTorch computes with them in double precision.

Usage: pip install torch==2.13.0 numpy==2.4.6 safetensors==0.8.0; python3 make_model_goldens.py
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from weathermixer import WeatherMixer, weighted_loss

torch.set_default_dtype(torch.float64)
HERE = Path(__file__).parent
TRAINING_UPDATES = 20


def cosine_weights(latitudes):
    c = torch.cos(torch.deg2rad(latitudes))
    return c * len(c) / c.sum()


def gradients(model, state, loss):
    model.zero_grad()
    state.grad = None
    loss.backward()
    return {f"gradient.{n}": p.grad.clone() for n, p in model.named_parameters()}


def make(name, seed, batch, sizes, residual):
    torch.manual_seed(seed)
    v, a, (h, w) = sizes["variables"], sizes["auxiliaries"], sizes["grid"]
    scale = torch.rand(v) + 0.2 if residual else None
    model = WeatherMixer(**sizes, residual_scale=scale)
    with torch.no_grad():  # the affine parts of the norms, too, shall matter
        for p in model.parameters():
            if p.dim() == 1:
                p += 0.1 * torch.randn_like(p)
        for p in model.parameters():
            p.copy_(p.float().double())
    def field(*shape):
        return torch.randn(*shape).float().double()
    state = field(batch, v, h, w).requires_grad_()
    auxiliary = field(1, a, h, w).expand(batch, a, h, w) if a else None  # static: alike in all samples
    targets = [field(batch, v, h, w) for _ in range(3)]
    latitudes = 90 - 180 / h * (torch.arange(h) + 0.5)
    rows, columns = cosine_weights(latitudes), torch.rand(v).float().double() + 0.5

    out = {f"parameter.{n}": p.detach().clone() for n, p in model.named_parameters()}
    out |= {"state": state, "latitudes": latitudes, "variable_weights": columns}
    out |= {f"target.{i}": t for i, t in enumerate(targets)}
    if a:
        out["auxiliary"] = auxiliary[0]
    if residual:
        out["residual_scale"] = scale

    prediction = model(state, auxiliary)
    loss = weighted_loss(prediction, targets[0], rows, columns)
    out |= {"step.prediction": prediction, "step.loss": loss[None]}
    out |= {f"step.{k}": g for k, g in gradients(model, state, loss).items()}
    out["step.gradient.state"] = state.grad.clone()

    # Two applications of the processor between encoding and decoding.
    loss = weighted_loss(model(state, auxiliary, applications=2), targets[0], rows, columns)
    out["latent.loss"] = loss[None]
    out |= {f"latent.{k}": g for k, g in gradients(model, state, loss).items()}

    # Three steps fed back, mean loss over the steps; the auxiliary fields stay.
    x, loss = state, 0
    for target in targets:
        x = model(x, auxiliary)
        loss = loss + weighted_loss(x, target, rows, columns) / len(targets)
    out["rollout.loss"] = loss[None]
    out |= {f"rollout.{k}": g for k, g in gradients(model, state, loss).items()}

    # The same with the root of each sample's loss.
    x, loss = state, 0
    for target in targets:
        x = model(x, auxiliary)
        samples = [weighted_loss(x[i], target[i], rows, columns) for i in range(batch)]
        loss = loss + torch.stack(samples).sqrt().mean() / len(targets)
    out["root.loss"] = loss[None]
    out |= {f"root.{k}": g for k, g in gradients(model, state, loss).items()}

    # Training: one fixed sample, coupled decay on matrices, clipping at 0.5, warm-up of 5 updates and cosine.
    groups = [
        {"params": [p for p in model.parameters() if p.dim() == 2], "weight_decay": 1e-2},
        {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0},
    ]
    adam = torch.optim.Adam(groups, lr=0)
    losses = []
    for update in range(TRAINING_UPDATES):
        rate = (3e-3 * (update + 1) / 5 if update < 5 else
                1e-4 + (3e-3 - 1e-4) * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * (update - 5) / 15))).item())
        for group in adam.param_groups:
            group["lr"] = rate
        adam.zero_grad()
        loss = weighted_loss(model(state.detach(), auxiliary), targets[0], rows, columns)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        adam.step()
        losses.append(loss.item())
    out["training.losses"] = torch.tensor(losses)
    out |= {f"trained.{n}": p for n, p in model.named_parameters()}

    metadata = {"sizes": json.dumps(sizes), "torch": torch.__version__, "residual": json.dumps(residual)}
    save_file({k: t.detach().float().contiguous() for k, t in out.items()}, HERE / f"model-{name}.safetensors", metadata)
    print(name, "losses", losses[0], "...", losses[-1])


make("blend", 1, 3, dict(grid=(8, 16), patch=(2, 4), variables=5, auxiliaries=2, channels=24, token_width=20,
                         channel_width=28, blocks=2), residual=False)
make("residual", 2, 1, dict(grid=(6, 9), patch=(3, 1), variables=3, auxiliaries=0, channels=17, token_width=11,
                            channel_width=13, blocks=1), residual=True)
