"""Training steps of a graph model of anemoi-models on one process, with sizes, graph and data of `graph-speed`.

Usage: anemoi_step.py [--family graphtransformer|gnn|transformer] [--threads N] [--steps N] [--checkpoint]
Prints one line of JSON: seconds of each step (forward, loss, backward, AdamW), their median without the first, most resident
memory. --checkpoint: with gradient checkpointing, the default of the shipped configurations.
"""
import argparse
import json
import logging
import os
import resource
import statistics
import time
import warnings

os.environ.setdefault("ANEMOI_BASE_SEED", "1")
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import numpy as np
import torch
from anemoi.models.data_indices.collection import IndexCollection
from anemoi.models.models import AnemoiModelEncProcDec
from anemoi.utils.config import DotDict
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from torch_geometric.data import HeteroData

VARIABLES, POINTS, HIDDEN, CHANNELS, LAYERS, HEADS = 78, 2048, 642, 256, 16, 16


def spiral(count):
    """[count, 2] latitude and longitude in radians, about evenly spread."""
    index = np.arange(count)
    latitude = np.arcsin(1 - (2 * index + 1) / count)
    return np.stack([latitude, np.mod(index * 2.399963, 2 * np.pi)], -1).astype("f4")


def nearest(k, sources, destinations):
    """[2, k · destinations]: edges from the k nearest sources of each destination."""
    def position(x):
        return np.stack([np.cos(x[:, 0]) * np.cos(x[:, 1]), np.cos(x[:, 0]) * np.sin(x[:, 1]), np.sin(x[:, 0])], -1)
    order = np.argsort(-position(destinations) @ position(sources).T, axis=1, kind="stable")[:, :k]
    return np.stack([order.ravel(), np.repeat(np.arange(len(destinations)), k)]).astype("i8")


def graph(family):
    data, hidden = spiral(POINTS), spiral(HIDDEN)
    result = HeteroData()
    result["data"].x, result["hidden"].x = torch.from_numpy(data), torch.from_numpy(hidden)
    result["data"].num_nodes, result["hidden"].num_nodes = POINTS, HIDDEN
    sets = [("data", "hidden", nearest(4, data, hidden)), ("hidden", "data", nearest(3, hidden, data))]
    if family != "transformer":
        sets.append(("hidden", "hidden", nearest(8, hidden, hidden)))
    for source, destination, edges in sets:
        part = result[(source, "to", destination)]
        part.edge_index = torch.from_numpy(edges)
        count = edges.shape[1]
        part.edge_length = torch.rand(count, 1)
        part.edge_dirs = torch.rand(count, 2)
    return result


def configuration(options):
    parts = ("model.processor", "model.encoders.0.mapper", "model.decoders.0.mapper")
    overrides = [f"model={options.family}", f"model.num_channels={CHANNELS}", f"model.processor.num_layers={LAYERS}"]
    for part in parts:
        overrides += [f"{part}.gradient_checkpointing={options.checkpoint}"]
        if options.family != "gnn":
            overrides += [f"{part}.num_heads={HEADS}"]
    attending = {"graphtransformer": parts, "transformer": parts[1:], "gnn": ()}[options.family]
    overrides += [f"{part}.graph_attention_backend=pyg" for part in attending]
    if options.family == "transformer":
        overrides += [
            "model.processor.window_size=64", "model.processor.attention_implementation=scaled_dot_product_attention",
            "+model.latent_aggregator._target_=anemoi.models.layers.aggregator.SumAggregator",
            "+model.decoders.0.mapper.num_channels=${model.num_channels}",
        ]
    with initialize_config_module("anemoi.training.config", version_base=None):
        whole = compose("config", overrides=overrides + ["config_validation=False"])
    OmegaConf.set_struct(whole, False)
    whole.model.bounding = []
    return DotDict({"model": OmegaConf.to_container(whole.model, resolve=True)})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", default="graphtransformer")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--checkpoint", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    indices = IndexCollection(
        OmegaConf.create({"forcing": [], "diagnostic": []}), {f"v{i}": i for i in range(VARIABLES)})
    model = AnemoiModelEncProcDec(
        model_config=configuration(options), data_indices={"data": indices}, statistics={"data": {}}, n_step_input=2,
        n_step_output=1, graph_data=graph(options.family))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95))
    # [batch, time, member, point, variable]
    x = torch.randn(1, 2, 1, POINTS, VARIABLES)
    target = x[:, -1:] + 0.1 * torch.randn(1, 1, 1, POINTS, VARIABLES)
    seconds, losses = [], []
    for _ in range(options.steps):
        start = time.perf_counter()
        loss = (model({"data": x})["data"] - target).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
        losses.append(loss.item())
    print(json.dumps({
        "program": "anemoi-models", "family": options.family, "threads": options.threads,
        "checkpoint": options.checkpoint, "parameters": sum(p.numel() for p in model.parameters()),
        "median_seconds": statistics.median(seconds[1:]), "seconds": seconds, "losses": losses,
        "peak_resident_GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }))


main()
