// Colour scales, made of a few colours each and mixed in Oklab, where equal steps look equal.

const anchors = {
  thermal: ["#1d1147", "#4b2991", "#8c3aa0", "#c94a83", "#ee7a5e", "#fbb761", "#fdf3b6"],
  height: ["#14285a", "#1f5c8f", "#2c8f9f", "#62b892", "#b9d98b", "#fbf5c4"],
  moisture: ["#faf5e6", "#d5e6c3", "#8fcaad", "#46a0a0", "#2a7096", "#1d4079"],
  wind: ["#4d1f7a", "#8a62b3", "#c4add6", "#f5f3f4", "#a9d0a6", "#4f9a5d", "#12582d"],
  error: ["#123c78", "#3a78bb", "#9cc4e4", "#f7f7f5", "#f3b498", "#cf5b49", "#84122a"],
};

const toLinear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const toGamma = (c) => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);

function oklab(hex) {
  const [r, g, b] = [1, 3, 5].map((i) => toLinear(parseInt(hex.slice(i, i + 2), 16) / 255));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([L, a, b]) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((c) => Math.round(255 * Math.min(1, Math.max(0, toGamma(Math.max(0, c))))));
}

/** 256 colours [r, g, b]. */
function makePalette(name) {
  const labs = anchors[name].map(oklab);
  return Array.from({ length: 256 }, (_, i) => {
    const position = (i / 255) * (labs.length - 1);
    const k = Math.min(labs.length - 2, Math.floor(position));
    return fromOklab(labs[k].map((v, c) => v + (position - k) * (labs[k + 1][c] - v)));
  });
}

const paletteCache = new Map();
function palette(name) {
  if (!paletteCache.has(name)) paletteCache.set(name, makePalette(name));
  return paletteCache.get(name);
}

/** The same as pixels of an ImageData. */
function pixelPalette(name) {
  return Uint32Array.from(palette(name), ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
}

const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

/** The colour at a place from 0 to 1, with an ink that is readable on it. */
function colorAt(name, place) {
  const rgb = palette(name)[Math.round(255 * Math.min(1, Math.max(0, place)))];
  const luminance = rgb.map((c) => toLinear(c / 255)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  return { back: css(rgb), ink: luminance > 0.2 ? "#15202b" : "#ffffff" };
}

function gradient(name) {
  const stops = Array.from({ length: 17 }, (_, i) => css(palette(name)[Math.round((i / 16) * 255)]));
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}
