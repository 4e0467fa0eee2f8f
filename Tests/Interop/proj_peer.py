"""Directions of a grid's y axis by pyproj: proj_peer.py given.npz found.npz. Of rows and columns, or of given places."""
import sys

import numpy as np
import pyproj

given = dict(np.load(sys.argv[1]))
projection = str(given["projection"])
is_rotated = "ob_tran" in projection
forward = pyproj.Transformer.from_pipeline(
    f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step {projection}"
    + (" +step +proj=unitconvert +xy_in=rad +xy_out=deg" if is_rotated else ""))  # fmt: skip


def inverse(x, y):
    return forward.transform(x, y, direction="INVERSE")


if "latitude" in given:
    latitude, longitude = given["latitude"], given["longitude"]
    x, y = forward.transform(longitude, latitude)
else:
    x, y = np.meshgrid(given["x"], given["y"])
    longitude, latitude = inverse(x, y)
globe = pyproj.Geod(ellps="WGS84") if "WGS84" in projection else pyproj.Geod(a=6371229, f=0)
# A short way along the axis on both sides; at either end the geodesic has nearly the direction sought.
step = 1e-3 if is_rotated else 100.0
south, north = inverse(x, y - step), inverse(x, y + step)
there = np.radians(globe.inv(longitude, latitude, *north)[0])
back = np.radians(globe.inv(longitude, latitude, *south)[0]) + np.pi
bearing = np.arctan2(np.sin(there) + np.sin(back), np.cos(there) + np.cos(back))
np.savez(sys.argv[2], latitude=latitude, longitude=longitude, bearing=bearing)
