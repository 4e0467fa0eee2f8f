"""Training or forecast steps of WeatherMixer in JAX on one CPU process, compiled by XLA: seconds, memory, losses.

Equations, names and shapes of parameters: docs/model.md, as in Tests/Goldens/weathermixer.py. A training step is forward, weighted
loss, backward, clipping of the gradient norm and AdamW in one compiled function that writes over its arguments; a forecast step is forward
alone. grid.sh runs it in turn with jigsaw and PyTorch; the number of threads is that of the cores the process is bound to.
Usage: python3 jax_step.py --channels 256 --token-width 256 --channel-width 512 --blocks 3 --batch 4 --threads 2
       [--precision bf16] [--forecast] [--output blend] [--json]
Needs jax==0.10.2 and Linux.
"""
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import peer_step


def linear(x, p, name):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def norm(x, p, name):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def mlp(x, p, name):
    return linear(jax.nn.gelu(linear(x, p, f"{name}.first"), approximate=False), p, f"{name}.second")


def shapes(a):
    """Of all parameters by name."""
    points = a.patch_rows * a.patch_columns
    tokens = a.rows * a.columns // points
    found = {}

    def add_linear(name, inputs, outputs):
        found[f"{name}.weight"], found[f"{name}.bias"] = (outputs, inputs), (outputs,)

    def add_norm(name, size):
        found[f"{name}.weight"] = found[f"{name}.bias"] = (size,)

    add_linear("encoder", points * (a.variables + a.auxiliaries), a.channels)
    for block in range(a.blocks):
        for kind, inputs, width in [("tokens", tokens, a.token_width), ("channels", a.channels, a.channel_width)]:
            name = f"blocks.{block}.{kind}"
            add_norm(f"{name}.norm", a.channels)
            add_linear(f"{name}.first", inputs, width)
            add_linear(f"{name}.second", width, inputs)
    add_norm("decoder.norm", a.channels)
    add_linear("decoder", 2 * a.channels, points * a.variables)
    if a.output == "blend":
        add_norm("blend.inner", a.variables)
        add_norm("blend.outer", 2 * a.variables)
        add_linear("blend", 2 * a.variables, a.variables)
    return found


def initial(name, shape):
    """Matrices by formula, biases zero, norms as they start."""
    if len(shape) == 2:
        return peer_step.weight(name, shape)
    is_scale = name.endswith("weight")
    return (np.ones if is_scale else np.zeros)(shape, np.float32)


def forward(p, state, auxiliary, a):
    b, h, w = a.batch, a.rows // a.patch_rows, a.columns // a.patch_columns

    def patches(x):
        x = x.reshape(b, -1, h, a.patch_rows, w, a.patch_columns)
        return x.transpose(0, 2, 4, 3, 5, 1).reshape(b, h * w, -1)

    def unpatch(y):
        y = y.reshape(b, h, w, a.patch_rows, a.patch_columns, -1)
        return y.transpose(0, 5, 1, 3, 2, 4).reshape(b, -1, a.rows, a.columns)

    type_ = jnp.bfloat16 if a.precision == "bf16" else jnp.float32
    p = {name: value.astype(type_) for name, value in p.items()}
    x0, aux = patches(state).astype(type_), patches(auxiliary).astype(type_)
    encoded = x = linear(jnp.concatenate([x0, aux], -1), p, "encoder")
    for block in range(a.blocks):
        name = f"blocks.{block}"
        x = x + mlp(norm(x, p, f"{name}.tokens.norm").swapaxes(1, 2), p, f"{name}.tokens").swapaxes(1, 2)
        x = x + mlp(norm(x, p, f"{name}.channels.norm"), p, f"{name}.channels")
    y = linear(jnp.concatenate([norm(x, p, "decoder.norm"), encoded], -1), p, "decoder").astype(jnp.float32)
    if a.output == "residual":
        return state + np.float32(0.1) * unpatch(y)
    y, s = jnp.moveaxis(unpatch(y), 1, -1), jnp.moveaxis(state, 1, -1)
    both = jnp.concatenate([norm(y, p, "blend.inner"), s], -1)
    return jnp.moveaxis(linear(norm(both, p, "blend.outer"), p, "blend"), -1, 1)


def train_step(parameters, first, second, count, state, auxiliary, target, a):
    """Parameters, moments, count of updates and loss after AdamW (0.9, 0.999, 1e-8, no decay) with the gradient norm clipped to 1."""
    loss, gradients = jax.value_and_grad(
        lambda p: ((forward(p, state, auxiliary, a) - target) ** 2).mean())(parameters)
    length = jnp.sqrt(sum((g**2).sum() for g in gradients.values()))
    scale = jnp.minimum(1, 1 / (length + 1e-6))
    count = count + 1
    first = {n: 0.9 * m + 0.1 * scale * gradients[n] for n, m in first.items()}
    second = {n: 0.999 * v + 0.001 * (scale * gradients[n]) ** 2 for n, v in second.items()}
    parameters = {
        n: p - 1e-4 * (first[n] / (1 - 0.9**count)) / (jnp.sqrt(second[n] / (1 - 0.999**count)) + 1e-8)
        for n, p in parameters.items()}
    return parameters, first, second, count, loss


def main():
    a = peer_step.options().parse_args()
    parameters = {name: jnp.asarray(initial(name, shape)) for name, shape in shapes(a).items()}
    size = sum(p.size for p in parameters.values())
    state, auxiliary, target = map(jnp.asarray, peer_step.fields(a))
    if a.forecast:
        step = jax.jit(partial(forward, a=a))

        def update():
            step(parameters, state, auxiliary).block_until_ready()
    else:
        step = jax.jit(partial(train_step, a=a), donate_argnums=(0, 1, 2, 3))
        kept = [parameters, jax.tree.map(jnp.zeros_like, parameters), jax.tree.map(jnp.zeros_like, parameters), jnp.float32(0)]
        del parameters

        def update():
            *kept[:], loss = step(*kept, state, auxiliary, target)
            jax.block_until_ready(kept)
            return loss

    peer_step.measure(a, "jax", jax.__version__, update, size)


main()
