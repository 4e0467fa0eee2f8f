#!/usr/bin/env python3
"""Makes Sources/Reporting/Resources/coastlines.json, the coastlines on the maps of 'jigsaw report'.

Origin: Natural Earth, "Admin 0 - Countries", 1:110m (https://www.naturalearthdata.com), as shipped with the Python
package geopandas 0.14.4 (geopandas/datasets/naturalearth_lowres). Licence: public domain ("All versions of Natural Earth
raster + vector map data found on this website are in the public domain"). geopandas itself is not used.

Coastlines are the edges of countries that no other country shares, without those along the antimeridian and the South
Pole, where polygons are only cut.

Usage:
  pip download --no-deps geopandas==0.14.4
  python3 Scripts/make_coastlines.py geopandas-0.14.4-py3-none-any.whl Sources/Reporting/Resources/coastlines.json

Format: [[x, y, dx, dy, dx, dy, ...], ...], one list for each line: the first point, then differences; hundredths of
degrees east and north, longitudes -180 ... 180.
"""

import collections
import json
import struct
import sys
import zipfile

SHAPEFILE = "geopandas/datasets/naturalearth_lowres/naturalearth_lowres.shp"
SCALE = 100  # 0.01 degree, about 1 km; the source is good to some tens of kilometres


def rings(shapefile):
    """Closed rings of all polygons, as lists of (x, y) in whole SCALEths of a degree (ESRI shapefile, type 5)."""
    position = 100
    while position < len(shapefile):
        words = struct.unpack(">i", shapefile[position + 4 : position + 8])[0]
        record = shapefile[position + 8 : position + 8 + 2 * words]
        position += 8 + 2 * words
        if struct.unpack("<i", record[:4])[0] != 5:
            continue
        parts, points = struct.unpack("<2i", record[36:44])
        starts = list(struct.unpack(f"<{parts}i", record[44 : 44 + 4 * parts])) + [points]
        numbers = struct.unpack(f"<{2 * points}d", record[44 + 4 * parts : 44 + 4 * parts + 16 * points])
        for start, end in zip(starts, starts[1:]):
            ring = [(round(numbers[2 * i] * SCALE), round(numbers[2 * i + 1] * SCALE)) for i in range(start, end)]
            yield [point for i, point in enumerate(ring) if i == 0 or point != ring[i - 1]]


def is_cut(a, b):
    """Whether an edge only cuts a polygon at the edge of the map."""
    return (abs(a[0]) == abs(b[0]) == 180 * SCALE) or (a[1] == b[1] == -90 * SCALE)


def coastlines(all_rings):
    edges = collections.Counter(frozenset(edge) for ring in all_rings for edge in zip(ring, ring[1:]))
    pieces = []
    for ring in all_rings:
        piece = []
        for a, b in zip(ring, ring[1:]):
            if edges[frozenset((a, b))] > 1 or is_cut(a, b):
                piece = []
                continue
            if not piece:
                piece = [a]
                pieces.append(piece)
            piece.append(b)
    return join(pieces)


def join(pieces):
    """Joins pieces where exactly one ends and one begins, so that a coast is one line across borders."""
    ends = collections.Counter(point for piece in pieces for point in (piece[0], piece[-1]) if piece[0] != piece[-1])
    starting = {piece[0]: piece for piece in pieces if piece[0] != piece[-1]}
    joined, used = [], set()

    def follow(piece):
        line = list(piece)
        used.add(id(piece))
        while ends[line[-1]] == 2:
            following = starting.get(line[-1])
            if following is None or id(following) in used:
                break
            used.add(id(following))
            line += following[1:]
        return line

    heads = [piece for piece in pieces if ends[piece[0]] != 2]
    for piece in heads + pieces:
        if id(piece) not in used:
            joined.append(follow(piece))
    return joined


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with zipfile.ZipFile(sys.argv[1]) as package:
        lines = coastlines(list(rings(package.read(SHAPEFILE))))
    encoded = []
    for line in lines:
        flat = list(line[0])
        for a, b in zip(line, line[1:]):
            flat += [b[0] - a[0], b[1] - a[1]]
        encoded.append(flat)
    with open(sys.argv[2], "w") as out:
        json.dump(encoded, out, separators=(",", ":"))
        out.write("\n")
    print(f"{len(lines)} lines, {sum(map(len, lines))} points")


if __name__ == "__main__":
    main()
