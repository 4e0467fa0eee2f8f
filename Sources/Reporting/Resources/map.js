// Fields on an equirectangular map: decoding, interpolation to pixels, colours, contour lines, coastlines.

/** Bytes of a base64 text. */
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** Edges of the map in degrees and its shape. Maps of the globe go from 180° W to 180° E. `cells`: of points that are no raster. */
function mapFrame(latitudes, longitudes, isPeriodic, cells) {
  const rows = latitudes.length;
  const columns = longitudes.length;
  const north = Math.min(90, latitudes[0] + (latitudes[0] - (latitudes[1] ?? latitudes[0] - 1)) / 2);
  const south = Math.max(-90, latitudes[rows - 1] - ((latitudes[rows - 2] ?? latitudes[rows - 1] + 1) - latitudes[rows - 1]) / 2);
  const half = ((longitudes[1] ?? longitudes[0] + 1) - longitudes[0]) / 2;
  const west = isPeriodic ? -180 : longitudes[0] - half;
  const east = isPeriodic ? 180 : longitudes[columns - 1] + half;
  // Distances come out right at the middle latitude.
  const aspect = ((east - west) / (north - south)) * Math.cos(((north + south) / 2) * (Math.PI / 180));
  return { north, south, west, east, aspect, latitudes, longitudes, isPeriodic, cells };
}

/** Row of a latitude, with a fraction between rows; 0 is the northernmost. */
function rowAt(frame, latitude) {
  const { latitudes } = frame;
  const last = latitudes.length - 1;
  if (latitude >= latitudes[0]) return 0;
  if (latitude <= latitudes[last]) return last;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (latitudes[middle] >= latitude) low = middle;
    else high = middle;
  }
  return low + (latitudes[low] - latitude) / (latitudes[low] - latitudes[high]);
}

/** Column of a longitude, with a fraction; on the globe up to the number of columns, which is column 0 again. */
function columnAt(frame, longitude) {
  const { longitudes, isPeriodic } = frame;
  const last = longitudes.length - 1;
  const x = isPeriodic ? ((((longitude - longitudes[0]) % 360) + 360) % 360) + longitudes[0] : longitude;
  if (x <= longitudes[0]) return 0;
  if (x >= longitudes[last]) {
    return isPeriodic ? last + (x - longitudes[last]) / (longitudes[0] + 360 - longitudes[last]) : last;
  }
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (longitudes[middle] <= x) low = middle;
    else high = middle;
  }
  return low + (x - longitudes[low]) / (longitudes[high] - longitudes[low]);
}

/** Where points are that are no raster, what they weigh, and which of them each pixel [row, column] shows (−1: none). */
function decodeCells(cells) {
  return {
    ...cells,
    weights: new Float32Array(bytesOf(cells.weights).buffer),
    pixels: new Int32Array(bytesOf(cells.pixels).buffer),
  };
}

/** A longitude as so many degrees eastwards from the west edge of a map. */
const eastOf = (west, longitude) => west + ((((longitude - west) % 360) + 360) % 360);

/** The grid point nearest to a place: its index among the values of a field, and where it is. */
function nearestPoint(frame, latitude, longitude) {
  if (frame.cells) return nearestCell(frame.cells, latitude, longitude);
  const row = Math.round(rowAt(frame, latitude));
  const column = Math.round(columnAt(frame, longitude)) % frame.longitudes.length;
  return {
    index: row * frame.longitudes.length + column, latitude: frame.latitudes[row], longitude: frame.longitudes[column],
  };
}

/** The nearest of points that are no raster, by the cosine of the angle between them. */
function nearestCell({ latitudes, longitudes }, latitude, longitude) {
  const radians = Math.PI / 180;
  const [sine, cosine] = [Math.sin(latitude * radians), Math.cos(latitude * radians)];
  let [index, best] = [0, -2];
  for (let i = 0; i < latitudes.length; i += 1) {
    const near = sine * Math.sin(latitudes[i] * radians) +
      cosine * Math.cos(latitudes[i] * radians) * Math.cos((longitudes[i] - longitude) * radians);
    if (near > best) [index, best] = [i, near];
  }
  return { index, latitude: latitudes[index], longitude: longitudes[index] };
}

/** For each pixel the four neighbours along one dimension and their weights (Catmull-Rom), or the nearest alone. */
function taps(positions, count, wraps, isSmooth) {
  const index = new Int32Array(positions.length * 4);
  const weight = new Float32Array(positions.length * 4);
  positions.forEach((position, p) => {
    const base = isSmooth ? Math.floor(position) : Math.round(position);
    const t = isSmooth ? position - base : 0;
    for (let k = 0; k < 4; k += 1) {
      const i = base - 1 + k;
      index[4 * p + k] = wraps ? ((i % count) + count) % count : Math.min(count - 1, Math.max(0, i));
    }
    weight[4 * p] = ((2 - t) * t - 1) * t / 2;
    weight[4 * p + 1] = (t * t * (3 * t - 5) + 2) / 2;
    weight[4 * p + 2] = ((4 - 3 * t) * t + 1) * t / 2;
    weight[4 * p + 3] = (t - 1) * t * t / 2;
  });
  return { index, weight };
}

/** What drawing needs that only depends on size and mode: taps, coastlines. */
function mapCanvas(frame, width, height, isSmooth, coastlines, scale) {
  const latitudes = Array.from({ length: height }, (_, y) => frame.north - ((y + 0.5) / height) * (frame.north - frame.south));
  const longitudes = Array.from({ length: width }, (_, x) => frame.west + ((x + 0.5) / width) * (frame.east - frame.west));
  const rows = frame.latitudes.length;
  const columns = frame.longitudes.length;
  const [across, down] = [longitudes.map((v) => columnAt(frame, v)), latitudes.map((v) => rowAt(frame, v))];
  return {
    frame, width, height, scale, rows, columns,
    nearestColumns: across.map((v) => Math.round(v) % columns), nearestRows: down.map(Math.round),
    across: taps(across, columns, frame.isPeriodic, isSmooth),
    down: taps(down, rows, false, isSmooth),
    lines: new Float32Array(rows * width),
    values: new Float32Array(width * height),
    image: new ImageData(width, height),
    coast: coastPath(frame, width, height, coastlines),
  };
}

/** Coastlines in pixels; once more to the west and east, for areas beyond ±180°. */
function coastPath(frame, width, height, coastlines) {
  const path = new Path2D();
  for (const shift of frame.isPeriodic ? [0] : [-360, 0, 360]) {
    for (const line of coastlines) {
      let [x, y] = [line[0], line[1]];
      for (let i = 0; i < line.length; i += 2) {
        if (i > 0) [x, y] = [x + line[i], y + line[i + 1]];
        const px = ((x / 100 + shift - frame.west) / (frame.east - frame.west)) * width;
        const py = ((frame.north - y / 100) / (frame.north - frame.south)) * height;
        if (i === 0) path.moveTo(px, py);
        else path.lineTo(px, py);
      }
    }
  }
  return path;
}

/** Gives each pixel of `map` the value of the nearest point; NaN where none is near. */
function paint(map, field) {
  const { values, width, height, columns, nearestColumns, nearestRows, frame } = map;
  for (let y = 0; y < height; y += 1) {
    const start = nearestRows[y] * columns;
    for (let x = 0; x < width; x += 1) {
      const point = frame.cells.pixels[start + nearestColumns[x]];
      values[y * width + x] = point < 0 ? NaN : field[point];
    }
  }
}

/** Interpolates a field [row, column] to the pixels of `map`, first along rows, then along columns. */
function interpolate(map, field) {
  const { across, down, lines, values, width, height, rows, columns } = map;
  for (let row = 0; row < rows; row += 1) {
    const start = row * columns;
    for (let x = 0; x < width; x += 1) {
      const k = 4 * x;
      lines[row * width + x] =
        across.weight[k] * field[start + across.index[k]] + across.weight[k + 1] * field[start + across.index[k + 1]] +
        across.weight[k + 2] * field[start + across.index[k + 2]] + across.weight[k + 3] * field[start + across.index[k + 3]];
    }
  }
  for (let y = 0; y < height; y += 1) {
    const k = 4 * y;
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => down.index[k + i] * width);
    const [wa, wb, wc, wd] = [0, 1, 2, 3].map((i) => down.weight[k + i]);
    for (let x = 0; x < width; x += 1) {
      values[y * width + x] = wa * lines[a + x] + wb * lines[b + x] + wc * lines[c + x] + wd * lines[d + x];
    }
  }
}

/** Darkens pixels that a multiple of `interval` passes through; the distance is taken from the slope. */
function contour(map, pixels, interval) {
  const { values, width, height, scale } = map;
  const half = 0.45 * scale;
  for (let y = 0; y < height - 1; y += 1) {
    for (let x = 0; x < width - 1; x += 1) {
      const p = y * width + x;
      const v = values[p];
      const away = Math.abs(v - Math.round(v / interval) * interval);
      const dx = values[p + 1] - v;
      const dy = values[p + width] - v;
      const slope = Math.abs(dx) + Math.abs(dy);
      if (away > slope * (half + 1) || slope < interval * 2e-3) continue;
      const strength = Math.min(1, half + 0.5 - away / Math.hypot(dx, dy)) * 0.42;
      if (strength <= 0) continue;
      const keep = 1 - strength;
      const c = pixels[p];
      pixels[p] = (255 << 24) | ((((c >> 16) & 255) * keep) << 16) | ((((c >> 8) & 255) * keep) << 8) | ((c & 255) * keep);
    }
  }
}

/** Draws a field on a canvas: colours from `low` to `high`, contour lines, graticule, coastlines. */
function drawMap(canvas, map, field, { colors, low, high, interval }) {
  const { width, height, values, image, scale } = map;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  if (map.frame.cells) paint(map, field);
  else interpolate(map, field);
  const pixels = new Uint32Array(image.data.buffer);
  const factor = 255 / (high - low || 1);
  for (let p = 0; p < values.length; p += 1) {
    const i = (values[p] - low) * factor;
    pixels[p] = Number.isNaN(i) ? 0 : colors[i <= 0 ? 0 : i >= 255 ? 255 : (i + 0.5) | 0];
  }
  // Between cells of one value each there are no lines.
  if (interval && !map.frame.cells) contour(map, pixels, interval);
  const context = canvas.getContext("2d");
  context.putImageData(image, 0, 0);
  graticule(context, map);
  context.lineJoin = "round";
  context.strokeStyle = "rgb(255 255 255 / 45%)";
  const line = Math.max(0.7 * scale, Math.min(scale, width / 560));
  context.lineWidth = 2.6 * line;
  context.stroke(map.coast);
  context.strokeStyle = "rgb(16 24 34 / 90%)";
  context.lineWidth = line;
  context.stroke(map.coast);
  graticuleLabels(context, map);
}

/** Multiples of a step within a range. */
function multiples(low, high, step) {
  const list = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) list.push(v);
  return list;
}

function graticuleSteps({ frame }) {
  const steps = [1, 2, 5, 10, 15, 30, 60];
  const fit = (span, count) => steps.find((s) => span / s <= count) ?? 60;
  return { latitude: fit(frame.north - frame.south, 6), longitude: fit(frame.east - frame.west, 7) };
}

function eachGraticule(map, visit) {
  const { frame, width, height } = map;
  const step = graticuleSteps(map);
  for (const v of multiples(frame.south + 1e-6, frame.north - 1e-6, step.latitude)) {
    visit(null, ((frame.north - v) / (frame.north - frame.south)) * height, latitudeText(v));
  }
  for (const v of multiples(frame.west + 1e-6, frame.east - 1e-6, step.longitude)) {
    visit(((v - frame.west) / (frame.east - frame.west)) * width, null, longitudeText(v));
  }
}

function graticule(context, map) {
  context.strokeStyle = "rgb(20 30 40 / 14%)";
  context.lineWidth = Math.max(1, 0.8 * map.scale);
  context.beginPath();
  eachGraticule(map, (x, y) => {
    if (x === null) {
      context.moveTo(0, y);
      context.lineTo(map.width, y);
    } else {
      context.moveTo(x, 0);
      context.lineTo(x, map.height);
    }
  });
  context.stroke();
}

function graticuleLabels(context, map) {
  const size = (map.width > 420 * map.scale ? 10.5 : 9) * map.scale;
  context.font = `600 ${size}px Arial, "Liberation Sans", sans-serif`;
  context.lineWidth = 3 * map.scale;
  context.strokeStyle = "rgb(255 255 255 / 72%)";
  context.fillStyle = "#1c2733";
  eachGraticule(map, (x, y, text) => {
    const label = text.replace("° ", "°");
    const [px, py] = x === null ? [4 * map.scale, y + 0.35 * size] : [x, map.height - 5 * map.scale];
    if (x === null && (y < size || y > map.height - 2.2 * size)) return;
    context.textAlign = x === null ? "left" : "center";
    if (x !== null) {
      const room = context.measureText(label).width / 2 + 2 * map.scale;
      if (px < room || px > map.width - room) return;
    }
    context.strokeText(label, px, py);
    context.fillText(label, px, py);
  });
}
