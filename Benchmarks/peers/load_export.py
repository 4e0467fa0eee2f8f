"""Loads what `jigsaw export anemoi` wrote into anemoi-models and computes one step with it, beside jigsaw's forecast.

Usage: load_export.py EXPORTED FORECAST.nc SOURCE.nc STATIC.nc
EXPORTED: of a graph transformer with one input state and static fields as its only forcings; FORECAST.nc: `jigsaw forecast` of the
same checkpoint, one initial time, one step; the other two: its sources. Prints one line of JSON: tensors loaded (strictly, all of the
model's), the largest difference of a field after the step, in its deviations, and how much fields change in the step.
"""
import json
import logging
import os
import sys
import warnings

os.environ.setdefault("ANEMOI_BASE_SEED", "1")
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import numpy as np
import torch
import xarray
from anemoi.models.data_indices.collection import IndexCollection
from anemoi.models.models import AnemoiModelEncProcDec
from anemoi.utils.config import DotDict
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch_geometric.data import HeteroData


def graph(file):
    result = HeteroData()
    for nodes in ("data", "hidden"):
        result[nodes].x = file[f"nodes/{nodes}/latlon_rad"]
        result[nodes].num_nodes = len(result[nodes].x)
    for source, destination in (("data", "hidden"), ("hidden", "hidden"), ("hidden", "data")):
        part = result[(source, "to", destination)]
        for name in ("edge_index", "edge_length", "edge_dirs"):
            tensor = file[f"edges/{source}_to_{destination}/{name}"]
            part[name] = tensor.long() if name == "edge_index" else tensor
    return result


def configuration(settings):
    overrides = [
        "model=graphtransformer", f"model.num_channels={settings['channels']}",
        f"model.processor.num_layers={settings['processor.layers']}", "model.processor.num_chunks=1",
        "config_validation=False",
    ]
    for ours, theirs in (
        ("encoder", "model.encoders.0.mapper"), ("processor", "model.processor"), ("decoder", "model.decoders.0.mapper"),
    ):
        overrides += [
            f"{theirs}.num_heads={settings[ours + '.heads']}", f"{theirs}.mlp_hidden_ratio={settings[ours + '.mlpRatio']}",
            f"{theirs}.graph_attention_backend=pyg",
        ]
    with initialize_config_module("anemoi.training.config", version_base=None):
        whole = compose("config", overrides=overrides)
    OmegaConf.set_struct(whole, False)
    whole.model.bounding = []
    return DotDict({"model": OmegaConf.to_container(whole.model, resolve=True)})


def field(sources, name, time):
    """[points] of a variable, north to south."""
    ours = {"2t": "t2m", "10u": "u10", "10v": "v10"}.get(name, name)
    stem, _, level = ours.partition("_")
    for source in sources:
        for variable, levels in ((ours, False), (stem, True)):
            if variable not in source or levels != bool(level and variable == stem):
                continue
            values = source[variable]
            if levels:
                values = values.sel(level=float(level))
            if "time" in values.dims:
                values = values.sel(time=time)
            return values.sortby("latitude", ascending=False).values.ravel().astype("f4")
    raise SystemExit(f"no field {name}")


def main():
    folder, forecast, *sources = sys.argv[1:]
    about = json.load(open(f"{folder}/variables.json"))
    names = [entry["name"] for entry in about["variables"]]
    forcings = [entry["name"] for entry in about["variables"] if entry["role"] == "forcing"]
    indices = IndexCollection(
        OmegaConf.create({"forcing": forcings, "diagnostic": []}), {name: i for i, name in enumerate(names)})
    model = AnemoiModelEncProcDec(
        model_config=configuration(about["settings"]), data_indices={"data": indices}, statistics={"data": {}},
        n_step_input=1, n_step_output=1, graph_data=graph(load_file(f"{folder}/graph.safetensors")))
    state = load_file(f"{folder}/state_dict.safetensors")
    weights = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
    model.load_state_dict(weights, strict=True)
    model.eval()
    prefix = "pre_processors.data.processors.normalizer."
    mul, add = state[prefix + "_norm_mul"].numpy(), state[prefix + "_norm_add"].numpy()

    made = xarray.open_dataset(forecast)
    time = made["forecast_reference_time"].values
    sources = [xarray.open_dataset(source) for source in sources]
    x = np.stack([field(sources, name, time) for name in names], -1) * mul + add
    with torch.no_grad():
        y = model({"data": torch.from_numpy(x)[None, None, None]})["data"][0, 0, 0].numpy()
    predicted = [name for name in names if name not in forcings]
    first = made.isel(time=0).drop_vars("time")
    worst, change = 0.0, 0.0
    for column, name in enumerate(predicted):
        index = names.index(name)
        ours = field([first], name, None) * mul[index] + add[index]
        worst = max(worst, float(np.abs(ours - y[:, column]).max()))
        change = max(change, float(np.abs(x[:, index] - y[:, column]).max()))
    print(json.dumps({
        "tensors": len(weights), "fields": len(predicted), "points": len(x), "largest_difference": worst,
        "largest_change_in_the_step": change,
    }))


main()
