"""How many rows ranks of the domain axis send each other when the nodes of a graph keep their order, and when they were cut
by recursive coordinate bisection instead: partition.py JIGSAW [OCTAHEDRAL LEVEL …].

Makes the graph of docs/graphs.md (octahedral reduced Gaussian data points, multi-scale icosahedral hidden points) with
`jigsaw graph build`, needs numpy and safetensors. For P ranks and each set of edges: the received rows of the rank that
receives most, in per cent of the rows of a rank, and edges of the rank with most, over the mean.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file

RANKS = [2, 4, 8, 16, 32]
SETS = ["data_to_hidden", "hidden_to_hidden", "hidden_to_data"]


def make(jigsaw, octahedral, level):
    with tempfile.TemporaryDirectory() as folder:
        recipe = pathlib.Path(folder) / "graph.yaml"
        recipe.write_text(f"""
nodes:
  data: {{node_builder: {{_target_: ReducedGaussianGridNodes, grid: o{octahedral}}}}}
  hidden: {{node_builder: {{_target_: TriNodes, resolution: {level}}}}}
edges:
  - {{source_name: data, target_name: hidden, edge_builders: [{{_target_: CutOffEdges, cutoff_factor: 0.6}}]}}
  - {{source_name: hidden, target_name: hidden, edge_builders: [{{_target_: MultiScaleEdges, x_hops: 1}}]}}
  - {{source_name: hidden, target_name: data, edge_builders: [{{_target_: KNNEdges, num_nearest_neighbours: 3}}]}}
""")
        graph = f"{folder}/graph.safetensors"
        subprocess.run([jigsaw, "graph", "build", recipe, graph], check=True, stdout=subprocess.DEVNULL)
        return load_file(graph)


def places(graph, nodes):
    latitude, longitude = graph[f"nodes/{nodes}/latlon_rad"].T
    return np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1)


def ranges(count, ranks):
    """The owner of each node where ranks have equal ranges of the order."""
    return np.arange(count) * ranks // count


def bisected(points, ranks):
    """The owner of each node by halving along z, x, y in turn; the same axes for all sets of nodes."""
    owners = np.zeros(len(points), int)
    parts, depth = [np.arange(len(points))], 0
    while len(parts) < ranks:
        axis = [2, 0, 1][depth % 3]
        parts = [half for part in parts for half in np.array_split(part[np.argsort(points[part, axis])], 2)]
        depth += 1
    for rank, part in enumerate(parts):
        owners[part] = rank
    return owners


def received(edges, source, destination, ranks):
    """The most rows that a rank receives, in per cent of the mean rows of a rank's sources."""
    remote = source[edges[0]] != destination[edges[1]]
    pairs = np.unique(np.stack([destination[edges[1][remote]], edges[0][remote]], axis=1), axis=0)
    return 100 * np.bincount(pairs[:, 0], minlength=ranks).max() / (len(source) / ranks)


def main():
    jigsaw, sizes = sys.argv[1], [int(text) for text in sys.argv[2:]] or [48, 5, 96, 5, 96, 6]
    print("| data | hidden | ranks | order: " + " | ".join(SETS) + " | edges, most / mean | bisection: "
          + " | ".join(SETS) + " | edges, most / mean |")
    print("|---|---|---:|" + "---:|" * 8)
    for octahedral, level in zip(sizes[::2], sizes[1::2]):
        graph = make(jigsaw, octahedral, level)
        points = {nodes: places(graph, nodes) for nodes in ["data", "hidden"]}
        for ranks in RANKS:
            row = [f"O{octahedral}", f"level {level}", str(ranks)]
            for cut in [lambda nodes: ranges(len(points[nodes]), ranks), lambda nodes: bisected(points[nodes], ranks)]:
                owners = {nodes: cut(nodes) for nodes in points}
                for name in SETS:
                    ends = name.split("_to_")
                    edges = graph[f"edges/{name}/edge_index"]
                    row.append(f"{received(edges, owners[ends[0]], owners[ends[1]], ranks):.1f} %")
                own = np.bincount(owners["hidden"][graph["edges/hidden_to_hidden/edge_index"][1]], minlength=ranks)
                row.append(f"{own.max() / own.mean():.3f}")
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
