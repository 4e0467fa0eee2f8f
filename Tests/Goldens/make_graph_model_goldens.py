"""Small golden cases of graph models: Tests/Goldens/graph-models/NAME/{config.json, graph, weights, case (.safetensors), losses.json}.

Usage: python make_graph_model_goldens.py [NAME …]     (jax, numpy, safetensors)

An independent implementation in JAX, in double precision and with automatic derivatives; every edge's projected vector is formed,
whole matrices of scores are masked, samples are copies of the graph. Equations, names of parameters and layout of the files are
those of anemoi-models 0.19. The cases combine options that shipped configurations leave at their defaults.
"""
import json, math, os, pathlib, sys

# Fused, the repeated subexpressions of message passing take minutes to compile.
os.environ.setdefault("XLA_FLAGS", "--xla_disable_hlo_passes=fusion --xla_backend_optimization_level=0")
import jax, numpy as np
import jax.numpy as jnp
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)
N, M = 14, 6  # data and hidden nodes
FOLDER = pathlib.Path(__file__).parent / "graph-models"
VARIABLES = ["a", "b", "c", "d", "f", "g"]  # a diagnostic, b c d prognostic, f g forcing
OUTPUT, INPUT = [0, 1, 2, 3], [1, 2, 3, 4, 5]
GATES = {"glu": jax.nn.sigmoid, "swiglu": jax.nn.silu, "geglu": lambda x: jax.nn.gelu(x, approximate=False), "reglu": jax.nn.relu}
ACTIVATIONS = {"GELU": GATES["geglu"], "SiLU": jax.nn.silu, "ReLU": jax.nn.relu}


def mapper(kind, **options):
    return {"_target_": f"anemoi.models.layers.mapper.{kind}", "num_channels": 8, "num_heads": 2, "mlp_hidden_ratio": 2,
            "mlp_implementation": "mlp", "qk_norm": False, "edge_pre_mlp": False, "mlp_extra_layers": 0, **options}


def kernels(activation="GELU", norm="torch.nn.LayerNorm"):
    return {"Activation": {"_target_": f"torch.nn.{activation}"}, "LayerNorm": {"_target_": norm}, "Linear": {"_target_": "torch.nn.Linear"}}


def case(encoder, processor, decoder, features=("encoded_data",), t_in=2, t_out=1, batch=1, members=1, loss="MSELoss", seed=1,
         bounding=(), mask=False, skip=True, noise=None, trainable=(2, 3, 1, 2, 2), residual=-1, **loss_options):
    processor = {"num_channels": 8, "num_heads": 2, "mlp_hidden_ratio": 2, "mlp_implementation": "mlp", "qk_norm": False, "edge_pre_mlp": False,
                 "mlp_extra_layers": 0, "num_layers": 2, "layer_kernels": kernels(), **processor}
    for part in (encoder, decoder):
        part.setdefault("layer_kernels", kernels())
    model = {
        "num_channels": 8, "layer_kernels": kernels(), "model": {"latent_skip": skip}, "processor": processor,
        "encoders": {"0": {"mapper": encoder}}, "decoders": {"0": {"mapper": decoder, "target_node_features": list(features)}},
        "node_trainable_parameters": {"data": trainable[0], "hidden": trainable[1]},
        "edge_trainable_parameters": dict(zip(("data2hidden", "hidden2hidden", "hidden2data"), trainable[2:])),
        "residual": {"datasets": {"data": {"_target_": "anemoi.models.layers.residual.SkipConnection", "step": residual}}},
        "output_mask": {"datasets": {"data": {"_target_": f"anemoi.training.utils.masks.{'Boolean1DMask' if mask else 'NoOutputMask'}",
                                              **({"attribute_name": "cutout_mask"} if mask else {})}}},
        "bounding": {"datasets": {"data": [{"_target_": f"anemoi.models.layers.bounding.{kind}", **options} for kind, options in bounding]}},
    }
    if noise:
        model["noise_injector"] = {"_target_": "anemoi.models.layers.ensemble.NoiseConditioning", "noise_std": 0.7, "noise_channels_dim": noise,
                                   "noise_mlp_hidden_dim": 5, "noise_matrix": None, "layer_kernels": {"Activation": {"_target_": "torch.nn.GELU"}}}
    losses = {"_target_": f"anemoi.training.losses.{loss}", "ignore_nans": False, **loss_options}
    if loss == "CRPS":
        losses = {"_target_": "anemoi.training.losses.MultiscaleLossWrapper", "multiscale_config": None, "weights": [1.0], "per_scale_loss": losses}
    return dict(model=model, t_in=t_in, t_out=t_out, batch=batch, members=members, loss=losses, seed=seed)


CASES = {
    "graph-transformer": case(
        mapper("GraphTransformerForwardMapper", edge_pre_mlp=True, qk_norm=True, attn_channels=12),
        {"_target_": "x.GraphTransformerProcessor", "edge_pre_mlp": True, "mlp_implementation": "swiglu", "layer_kernels": kernels("SiLU")},
        mapper("GraphTransformerBackwardMapper", num_channels=6, num_heads=3, layer_kernels=kernels("ReLU")),
        features=("coordinates", "encoded_data", "forcings", "prognostics", "trainable_parameters"), t_in=3, t_out=2, batch=2, loss="HuberLoss",
        delta=0.4, residual=-2,
        bounding=[("NormalizedReluBounding", {"variables": ["b"], "min_val": [0.3], "normalizer": ["mean-std"]}),
                  ("FractionBounding", {"variables": ["a"], "min_val": -0.5, "max_val": 1.0, "total_var": "c"})]),
    "edge-network": case(
        mapper("GNNForwardMapper", mlp_extra_layers=1, mlp_hidden_ratio=1.3), {"_target_": "x.GNNProcessor", "mlp_implementation": "geglu"},
        mapper("GNNBackwardMapper", mlp_implementation="reglu"), t_in=1, batch=2, mask=True, seed=2, skip=False, loss="LogCoshLoss",
        bounding=[("LeakyReluBounding", {"variables": ["a", "b"]})]),
    "transformer": case(
        mapper("GraphTransformerForwardMapper"), {"_target_": "x.TransformerProcessor", "window_size": 2, "qk_norm": True, "mlp_implementation": "glu"},
        mapper("GraphTransformerBackwardMapper", mlp_implementation="geglu"), t_out=2, seed=3, trainable=(0, 0, 0, 0, 0), batch=2, loss="MAELoss",
        bounding=[("LeakyHardtanhBounding", {"variables": ["c"], "min_val": -0.2, "max_val": 0.6})]),
    "ensemble": case(
        mapper("GraphTransformerForwardMapper"),
        {"_target_": "x.TransformerProcessor", "window_size": None, "layer_kernels": kernels(norm="anemoi.models.layers.normalization.ConditionalLayerNorm")},
        mapper("GraphTransformerBackwardMapper"), members=3, batch=2, noise=3, seed=4, loss="CRPS", alpha=0.9),
}


class Model:
    """With `w` empty, `get` makes parameters as they are asked for."""

    def __init__(self, c, graph, generator):
        self.c, self.g, self.rng, self.w, self.inter = c, graph, generator, {}, {}
        self.m = c["model"]

    def get(self, name, *shape):
        if name not in self.w:
            is_matrix = len(shape) == 2 and ".weight" in name
            value = self.rng.normal(size=shape) * (1 / math.sqrt(shape[-1]) if is_matrix else 0.3)
            if "norm" in name and name.endswith(".weight") and not is_matrix or "extractor.0.weight" in name:
                value = value + 1
            self.w[name] = value.astype("f4").astype("f8")
        return self.w[name]

    def lin(self, p, x, out, bias=True):
        y = x @ self.get(p + ".weight", out, x.shape[-1]).T
        return y + self.get(p + ".bias", out) if bias else y

    def ln(self, p, x, cond=None):
        d = x - x.mean(-1, keepdims=True)
        n = d / jnp.sqrt((d * d).mean(-1, keepdims=True) + 1e-5)
        if cond is not None:
            return n * (self.lin(p + ".scale", cond, x.shape[-1]) + 1) + self.lin(p + ".bias", cond, x.shape[-1])
        return n * self.get(p + ".weight", x.shape[-1]) + self.get(p + ".bias", x.shape[-1])

    def head_norm(self, p, x):
        d = x - x.mean(-1, keepdims=True)
        return d / jnp.sqrt((d * d).mean(-1, keepdims=True) + 1e-5) * self.get(p + ".weight", x.shape[-1])

    def act(self, s):
        return ACTIVATIONS[s["layer_kernels"]["Activation"]["_target_"].split(".")[-1]]

    def mlp(self, p, x, width, out, s, hidden=1, norm=True):
        impl = s.get("mlp_implementation", "mlp")
        for i in range(hidden):
            if impl == "mlp":
                x = self.act(s)(self.lin(f"{p}.mlp.{2 * i}", x, width))
            else:
                x = GATES[impl](self.lin(f"{p}.mlp.{i}.gate_proj", x, width)) * self.lin(f"{p}.mlp.{i}.value_proj", x, width)
        x = self.lin(f"{p}.mlp.{2 * hidden if impl == 'mlp' else hidden}", x, out)
        return self.ln(p + ".layer_norm", x) if norm else x

    def width(self, s):
        return math.floor(s["num_channels"] * s["mlp_hidden_ratio"] + 0.5)

    def edges(self, name, provider, copies, sources, destinations, trainable):
        index, attributes = self.g[f"edges/{name}/sorted_edge_index"], self.g[f"edges/{name}/sorted_edge_attr"].astype("f8")
        if trainable:
            attributes = jnp.concatenate([attributes, self.get(f"model.{provider}.trainable.trainable", len(attributes), trainable)], 1)
        return np.concatenate([index + i * np.array([[sources], [destinations]]) for i in range(copies)], 1), jnp.tile(attributes, (copies, 1))

    def attention(self, p, xs, xd, a, index, s):
        heads, channels = s["num_heads"], s.get("attn_channels", s["num_channels"])
        q, k, v = self.lin(p + ".lin_query", xd, channels), self.lin(p + ".lin_key", xs, channels), self.lin(p + ".lin_value", xs, channels)
        if s["edge_pre_mlp"]:
            a = self.act(s)(self.lin(p + ".edge_pre_mlp.0", a, a.shape[1]))
        e = self.lin(p + ".lin_edge", a, channels)
        q, k, v, e = (t.reshape(len(t), heads, -1) for t in (q, k, v, e))
        if s["qk_norm"]:
            q, k = self.head_norm(p + ".q_norm", q), self.head_norm(p + ".k_norm", k)
        j, i = index
        logits = (q[i] * (k[j] + e)).sum(-1) / math.sqrt(q.shape[-1])
        most = jax.lax.stop_gradient(jax.ops.segment_max(logits, i, len(xd)))
        p_e = jnp.exp(logits - most[i])
        total = jax.ops.segment_sum(p_e, i, len(xd)) + 1e-16
        return jax.ops.segment_sum((v[j] + e) * (p_e / total[i])[..., None], i, len(xd)).reshape(len(xd), -1)

    def transformer_block(self, p, xs, xd, a, index, s, cond=None):
        d = self.ln(p + ".layer_norm_attention", xd, cond)
        source = d if xs is None else self.ln(p + ".layer_norm_attention_src", xs)
        o = self.attention(p, source, d, a, index, s)
        y = self.lin(p + ".projection", o + self.lin(p + ".lin_self", d, o.shape[1]), xd.shape[1]) + xd
        return self.mlp(p + ".node_dst_mlp", self.ln(p + ".layer_norm_mlp_dst", y, cond), self.width(s), xd.shape[1], s, norm=False) + y

    def conv(self, p, xs, xd, e, index, s):
        j, i = index
        new = self.mlp(p + ".conv.edge_mlp", jnp.concatenate([xd[i], xs[j], e], 1), xd.shape[1], xd.shape[1], s, s["mlp_extra_layers"] + 2) + e
        total = jax.ops.segment_sum(new, i, len(xd))
        return self.node_mlp(p, xd, total, s) + xd, new

    def node_mlp(self, p, a, b, s):
        return self.mlp(p + ".node_mlp", jnp.concatenate([a, b], 1), self.width(s), a.shape[1], s, s["mlp_extra_layers"] + 2)

    def embedding(self, p, x, s):
        return self.mlp(p, x, self.width(s), s["num_channels"], s, s["mlp_extra_layers"] + 2)

    def forward(self, x, noise=None, step=0):
        m, c = self.m, self.c
        b, t, e, n, v = x.shape
        r = b * e
        flat = lambda y: y.transpose(0, 2, 3, 1, 4).reshape(r * n, -1)
        nodes = m["node_trainable_parameters"]

        def attributes(name, count):
            parts = [self.g[f"features/{name}"]]
            if nodes[name]:
                parts.append(self.get(f"model.node_attributes.trainable_tensors.{name}.trainable", count, nodes[name]))
            return jnp.tile(jnp.concatenate(parts, 1), (r, 1))

        xd = jnp.concatenate([flat(x), attributes("data", n)] + ([jnp.full((r * n, 1), float(min(1, step)))] if noise is not None else []), 1)
        xh = attributes("hidden", M)
        enc, dec, pro = m["encoders"]["0"]["mapper"], m["decoders"]["0"]["mapper"], m["processor"]
        trainable = m["edge_trainable_parameters"]
        index, a = self.edges("data_to_hidden", "encoder_graph_provider.data", r, n, M, trainable["data2hidden"])
        p, encoded = "model.encoder.0", xd
        if "GraphTransformer" in enc["_target_"]:
            h = self.transformer_block(p + ".proc", self.lin(p + ".emb_nodes_src", xd, 8), self.lin(p + ".emb_nodes_dst", xh, 8), a, index, enc)
        else:
            s = self.embedding(p + ".emb_nodes_src", xd, enc)
            h, _ = self.conv(p + ".proc", s, self.embedding(p + ".emb_nodes_dst", xh, enc), self.embedding(p + ".emb_edges", a, enc), index, enc)
            encoded = self.node_mlp(p + ".proc", s, s, enc) + s
        self.inter["encoder_hidden"] = h
        cond = None
        if noise is not None:
            ni = m["noise_injector"]
            k = ni["noise_channels_dim"]
            cond = self.mlp("model.noise_injector.noise_mlp", (noise * ni["noise_std"]).reshape(r * M, k), ni["noise_mlp_hidden_dim"], k, ni)
            self.inter["noise_embedded"] = cond
        z, kind = h, pro["_target_"].split(".")[-1]
        if kind != "TransformerProcessor":
            index, a = self.edges("hidden_to_hidden", "processor_graph_provider", r, M, M, trainable["hidden2hidden"])
        for l in range(pro["num_layers"]):
            p = f"model.processor.proc.{l}"
            if kind == "GraphTransformerProcessor":
                z = self.transformer_block(p, None, z, a, index, pro, cond)
            elif kind == "GNNProcessor":
                if l == 0:
                    a = self.embedding(p + ".emb_edges", a, pro)
                z, a = self.conv(p, z, z, a, index, pro)
            else:
                y = self.ln(p + ".layer_norm_attention", z, cond)
                q, k, w = (self.lin(f"{p}.attention.lin_{i}", y, 8, bias=False).reshape(r, M, pro["num_heads"], -1).transpose(0, 2, 1, 3) for i in "qkv")
                if pro["qk_norm"]:
                    q, k = self.head_norm(p + ".attention.q_norm", q), self.head_norm(p + ".attention.k_norm", k)
                i = np.arange(M)
                seen = abs(i[:, None] - i) <= (M if pro["window_size"] is None else pro["window_size"])
                scores = jax.nn.softmax(jnp.where(seen, q @ k.transpose(0, 1, 3, 2) / math.sqrt(q.shape[-1]), -jnp.inf), -1)
                z = z + self.lin(p + ".attention.projection", (scores @ w).transpose(0, 2, 1, 3).reshape(r * M, -1), 8)
                z = z + self.mlp(p + ".mlp", self.ln(p + ".layer_norm_mlp", z, cond), self.width(pro), 8, pro, norm=False)
            self.inter[f"processor_layer_{l}"] = z
        if m["model"]["latent_skip"]:
            z = z + h
        parts = {"encoded_data": lambda: encoded, "coordinates": lambda: jnp.tile(self.g["features/data"], (r, 1)), "forcings": lambda: flat(x[..., 3:]),
                 "prognostics": lambda: flat(x[..., :3]),
                 "trainable_parameters": lambda: jnp.tile(self.w["model.node_attributes.trainable_tensors.data.trainable"], (r, 1))}
        target = jnp.concatenate([parts[f]() for f in m["decoders"]["0"]["target_node_features"]], 1)
        index, a = self.edges("hidden_to_data", "decoder_graph_provider.data", r, M, n, trainable["hidden2data"])
        p, outputs = "model.decoder.0", c["t_out"] * len(OUTPUT)
        if "GraphTransformer" in dec["_target_"]:
            width = dec["num_channels"]
            source = z if width == 8 else self.lin(p + ".emb_nodes_src", z, width)
            o = self.transformer_block(p + ".proc", source, self.lin(p + ".emb_nodes_dst", target, width), a, index, dec)
            o = self.lin(p + ".node_data_extractor.1", self.ln(p + ".node_data_extractor.0", o), outputs)
        else:
            o, _ = self.conv(p + ".proc", z, target, self.embedding(p + ".emb_edges", a, dec), index, dec)
            o = self.mlp(p + ".node_data_extractor", o, self.width(dec), outputs, dec, dec["mlp_extra_layers"] + 2, norm=False)
        self.inter["decoder_out"] = o
        o = o.reshape(b, e, n, c["t_out"], -1).transpose(0, 3, 1, 2, 4)
        state = x[:, m["residual"]["datasets"]["data"]["step"]]
        o = o.at[..., 1:4].add(state[:, None, ..., :3])
        for bound in m["bounding"]["datasets"]["data"]:
            columns = [VARIABLES.index(i) for i in bound["variables"]]
            y, kind = o[..., jnp.array(columns)], bound["_target_"].split(".")[-1]
            if "Relu" in kind:
                low = 0.0
                if "Normalized" in kind:
                    low = np.float32((bound["min_val"][0] - self.c["statistics"]["mean"][columns[0]]) / self.c["statistics"]["stdev"][columns[0]])
                y = jnp.where(y > low, y - low, (0.01 if "Leaky" in kind else 0.0) * (y - low)) + low
            else:
                slope = 0.01 if "Leaky" in kind else 0.0
                low, high = bound["min_val"], bound["max_val"]
                y = jnp.where(y <= low, low + slope * (y - low), jnp.where(y >= high, high + slope * (y - high), y))
                if "Fraction" in kind:
                    y = y * o[..., [VARIABLES.index(bound["total_var"])]]
            o = o.at[..., jnp.array(columns)].set(y)
        return o


def loss_of(c, scalers, y, target):
    """Mean over samples of the sum over steps and points of the mean over variables."""
    section = c["loss"].get("per_scale_loss", c["loss"])
    kind, d = section["_target_"].split(".")[-1], y - target
    if kind == "CRPS":
        k = y.shape[2]
        spread = abs(y[:, :, :, None] - y[:, :, None]).sum((2, 3))
        l = (abs(d).mean(2) - (1 - (1 - section["alpha"]) / k) / (2 * k * (k - 1)) * spread)[:, :, None]
    else:
        delta = section.get("delta", 1)
        l = {"MSELoss": lambda: d * d, "MAELoss": lambda: abs(d), "LogCoshLoss": lambda: jnp.logaddexp(d, -d) - math.log(2),
             "HuberLoss": lambda: jnp.where(abs(d) < delta, d * d / 2, delta * (abs(d) - delta / 2))}[kind]()
    for dims, s in scalers.values():
        shape = [1] * 5
        for i, n in zip(dims, s.shape):
            shape[i] = n
        l = l * s.astype("f8").reshape(shape)
    return l.mean(-1).sum((1, 3)).mean()


def random_graph(rng):
    g, counts = {}, {"data": N, "hidden": M}
    for name, n in counts.items():
        place = np.stack([rng.uniform(-1.5, 1.5, n), rng.uniform(-3, 3, n)], 1).astype("f4")
        g[f"nodes/{name}/latlon_rad"] = place
        p = place.astype("f8")
        g[f"features/{name}"] = np.stack([np.sin(p[:, 0]), np.sin(p[:, 1]), np.cos(p[:, 0]), np.cos(p[:, 1])], 1)
    g["nodes/data/cutout_mask"] = np.arange(N)[:, None] % 3 != 0
    for a, b in (("data", "hidden"), ("hidden", "hidden"), ("hidden", "data")):
        # From none to five edges into a node.
        pairs = [(j, i) for i in range(counts[b]) for j in rng.choice(counts[a], (i * 2) % 6, replace=False)]
        g[f"edges/{a}_to_{b}/sorted_edge_index"] = np.array(pairs).T.astype("i4").copy()
        g[f"edges/{a}_to_{b}/sorted_edge_attr"] = rng.normal(size=(len(pairs), 3)).astype("f4")
    return g


def next_input(c, g, x, y, data, step):
    """The window after a step: predictions where they are made, truth elsewhere."""
    moved, end = min(c["t_in"], c["t_out"]), c["t_in"] + (step + 1) * c["t_out"]
    masked = "Boolean1DMask" in c["model"]["output_mask"]["datasets"]["data"]["_target_"]
    states = []
    for i in range(moved):
        true = jnp.broadcast_to(data[:, end - moved + i][..., INPUT], x.shape[:1] + x.shape[2:])
        predicted = y[:, c["t_out"] - moved + i][..., 1:4]
        if masked:
            predicted = jnp.where(g["nodes/data/cutout_mask"], predicted, true[..., :3])
        states.append(jnp.concatenate([predicted, true[..., 3:]], -1))
    return jnp.concatenate([x[:, moved:], jnp.stack(states, 1)], 1)


def make(name, c):
    rng = np.random.default_rng(c["seed"])
    c["statistics"] = {k: list(rng.uniform(0.5, 1.5, 6)) for k in ("mean", "stdev", "minimum", "maximum")}
    g = random_graph(rng)
    times = c["t_in"] + 2 * c["t_out"]
    raw = rng.normal(size=(c["batch"], times, 1, N, 6)).astype("f4")
    mul, add = rng.uniform(0.5, 1.5, 6).astype("f4"), rng.normal(size=6).astype("f4")
    normal = raw * mul + add
    data = normal.astype("f8")
    x = jnp.array(np.broadcast_to(data[:, :c["t_in"]][..., INPUT], (c["batch"], c["t_in"], c["members"], N, 5)))
    noise = rng.normal(size=(c["batch"], c["members"], M, 3)).astype("f4") if "noise_injector" in c["model"] else None
    model = Model(c, g, rng)
    model.forward(x, noise)
    w, inter = dict(model.w), {k: np.array(v) for k, v in model.inter.items()}
    scalers = {"node_weights": ([3], rng.uniform(0.1, 1, N).astype("f4")), "general_variable": ([4], rng.uniform(0.5, 2, 4).astype("f4")),
               "time_steps": ([1], np.full(c["t_out"], 1 / c["t_out"], "f4")), "nan_mask_weights": ([0, 3, 4], rng.integers(0, 2, (c["batch"], N, 4)).astype("f4"))}

    def rollout(w, x, steps):
        model.w, total, outputs = w, 0, []
        for step in range(steps):
            y = model.forward(x, noise, step)
            start = c["t_in"] + step * c["t_out"]
            total, outputs = total + loss_of(c, scalers, y, data[:, start:start + c["t_out"]][..., OUTPUT]), outputs + [y]
            if step + 1 < steps:
                x = next_input(c, g, x, y, data, step)
        return total / steps, outputs

    run = jax.jit(jax.value_and_grad(rollout, (0, 1), has_aux=True), static_argnums=2)
    (loss, (y,)), (gradient, dx) = run(w, x, 1)
    (loss2, ys), (gradient2, _) = run(w, x, 2)
    f = lambda a: np.ascontiguousarray(np.asarray(a), "f4")
    values = {"batch_raw": raw, "batch_normalised": normal, "x": f(x), "y_pred": f(y), "loss": f([loss]), "grad_x": f(dx),
              "y_pred_physical": f((np.asarray(y) - add[OUTPUT]) / mul[OUTPUT]), "rollout2/loss": f([loss2])}
    values |= {f"inter/{k}": f(v) for k, v in inter.items()} | {f"scaler/{k}": v for k, (_, v) in scalers.items()}
    values |= {f"grad/{k}": f(v) for k, v in gradient.items()} | {f"rollout2/grad/{k}": f(v) for k, v in gradient2.items()}
    values |= {f"rollout2/y_pred_{i}": f(v) for i, v in enumerate(ys)}
    if noise is not None:
        values["noise"] = noise
    # Ten updates by AdamW.
    lr, b1, b2, eps, decay = 1e-3, 0.9, 0.95, 1e-8, 0.01
    m1, m2, p, losses = {k: 0.0 for k in w}, {k: 0.0 for k in w}, dict(w), []
    for t in range(1, 11):
        (l, _), (d, _) = run(p, x, 1)
        losses.append(float(l))
        for k in p:
            m1[k], m2[k] = b1 * m1[k] + (1 - b1) * d[k], b2 * m2[k] + (1 - b2) * d[k] ** 2
            p[k] = p[k] * (1 - lr * decay) - lr * (m1[k] / (1 - b1**t)) / (jnp.sqrt(m2[k] / (1 - b2**t)) + eps)
    norm = math.sqrt(sum(float((v**2).sum()) for v in gradient.values()))
    zero = [k for k, v in gradient.items() if float(jnp.linalg.norm(v)) < 1e-9 * norm]
    out = FOLDER / name
    out.mkdir(parents=True, exist_ok=True)
    save_file({k: v for k, v in g.items() if not k.startswith("features/")}, out / "graph.safetensors")
    buffers = {f"{a}_processors.data.processors.normalizer._norm_{b}": v for a in ("pre", "post") for b, v in (("mul", mul), ("add", add))}
    buffers |= {f"model.node_attributes.latlons_{k}": f(g[f"features/{k}"]) for k in ("data", "hidden")}
    save_file({k: f(v) for k, v in w.items()} | buffers, out / "weights.safetensors")
    save_file(values, out / "case.safetensors")
    json.dump({"lr": lr, "betas": [b1, b2], "eps": eps, "weight_decay": decay, "clip_grad_value": 32.0, "losses": losses,
               "loss_after": float(run(p, x, 1)[0][0]), "param_l2_after": {k: float(jnp.linalg.norm(v)) for k, v in p.items()}},
              open(out / "losses.json", "w"), indent=1)
    names = lambda columns: {VARIABLES[i]: n for n, i in enumerate(columns)}
    config = {
        "case": name, "variables": VARIABLES, "statistics_used_by_model": c["statistics"],
        "sample": {"batch": c["batch"], "times": times, "n_step_input": c["t_in"], "n_step_output": c["t_out"], "members": c["members"]},
        "indices": {"data": {"input": {"full": INPUT}, "output": {"full": OUTPUT}},
                    "model": {"input": {"full": list(range(5)), "prognostic": [0, 1, 2], "forcing": [3, 4], "name_to_index": names(INPUT)},
                              "output": {"full": list(range(4)), "prognostic": [1, 2, 3], "name_to_index": names(OUTPUT)}}},
        "scaler_dims": {k: d for k, (d, _) in scalers.items()}, "parameters_with_analytically_zero_gradient": zero, "parameters_without_gradient": [],
        "anemoi_config": {"model": c["model"], "training": {"training_loss": {"datasets": {"data": c["loss"]}}}},
    }
    json.dump(config, open(out / "config.json", "w"), indent=1)
    print(name, float(loss), losses[-1], sum(v.size for v in w.values()), "parameters", sum(os.path.getsize(i) for i in out.iterdir()) // 1000, "kB")


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        make(name, CASES[name])
