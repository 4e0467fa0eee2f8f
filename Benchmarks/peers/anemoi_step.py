"""Training steps of a graph model of anemoi-models, with sizes, graph and data of `graph-speed`.

Usage: anemoi_step.py [--family graphtransformer|gnn|transformer] [--threads N] [--steps N] [--checkpoint]
         [--ranks N [--strategy heads|edges]]
Prints one line of JSON: seconds of each step (forward, loss, backward, AdamW), their median without the first, processor
seconds of these steps and most resident memory, both of the rank that has most. --checkpoint: with gradient checkpointing,
the default of the shipped configurations. --ranks: one model over so many processes with gloo, batch and graph sharded,
gradients reduced by DistributedDataParallel as anemoi-training's strategy does; `graph-speed --domain N` is ours.
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
import torch.distributed as dist
import torch.multiprocessing
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
        if options.family == "graphtransformer":
            overrides += [f"{part}.shard_strategy={options.strategy}"]
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


def train(rank, options, results):
    """`options.steps` steps of one rank; puts seconds, processor seconds, losses and most resident memory into `results`."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    indices = IndexCollection(
        OmegaConf.create({"forcing": [], "diagnostic": []}), {f"v{i}": i for i in range(VARIABLES)})
    model = AnemoiModelEncProcDec(
        model_config=configuration(options), data_indices={"data": indices}, statistics={"data": {}}, n_step_input=2,
        n_step_output=1, graph_data=graph(options.family))
    parameters = sum(p.numel() for p in model.parameters())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95))
    # [batch, time, member, point, variable]
    x = torch.randn(1, 2, 1, POINTS, VARIABLES)
    target = x[:, -1:] + 0.1 * torch.randn(1, 1, 1, POINTS, VARIABLES)
    sharding = {}
    if options.ranks > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(options.port)}
        dist.init_process_group("gloo", rank=rank, world_size=options.ranks)
        # DistributedDataParallel takes means; anemoi-training undoes that for all but trainable tensors of nodes and edges.
        for name, parameter in model.named_parameters():
            if "trainable" not in name:
                parameter.register_hook(lambda gradient: gradient * float(options.ranks))
        sizes = [len(part) for part in np.array_split(np.arange(POINTS), options.ranks)]
        x, target = (torch.split(t, sizes, dim=3)[rank].contiguous() for t in (x, target))
        sharding = {"model_comm_group": dist.group.WORLD, "grid_shard_sizes": {"data": sizes}}
        model = torch.nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)
    seconds, losses, processor = [], [], []
    for _ in range(options.steps):
        start, cpu = time.perf_counter(), time.process_time()
        loss = (model({"data": x}, **sharding)["data"] - target).square().sum() / (POINTS * VARIABLES)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if options.ranks > 1:
            dist.all_reduce(loss.detach())
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - cpu)
        losses.append(loss.item())
    results.put({
        "rank": rank, "parameters": parameters, "seconds": seconds, "losses": losses,
        "processor_seconds": statistics.median(processor[1:]),
        "peak_resident_GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    })


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", default="graphtransformer")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--checkpoint", action="store_true")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--strategy", choices=["heads", "edges"], default="edges")
    parser.add_argument("--port", type=int, default=29512)
    options = parser.parse_args()
    results = torch.multiprocessing.get_context("spawn").SimpleQueue()
    if options.ranks == 1:
        train(0, options, results)
    else:
        torch.multiprocessing.spawn(train, args=(options, results), nprocs=options.ranks)
    ranks = sorted((results.get() for _ in range(options.ranks)), key=lambda found: found["rank"])
    print(json.dumps({
        "program": "anemoi-models", "family": options.family, "threads": options.threads,
        "checkpoint": options.checkpoint, "ranks": options.ranks,
        "strategy": options.strategy if options.ranks > 1 else None, "parameters": ranks[0]["parameters"],
        "median_seconds": statistics.median(ranks[0]["seconds"][1:]), "seconds": ranks[0]["seconds"],
        "losses": ranks[0]["losses"],
        "processor_seconds_of_a_rank": max(found["processor_seconds"] for found in ranks),
        "peak_resident_GB": max(found["peak_resident_GB"] for found in ranks),
    }))


if __name__ == "__main__":
    main()
