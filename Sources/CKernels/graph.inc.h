// Attention along the edges of a graph, and gated activations. Included by kernels.inc.h.

// The sum of all lanes, by halves.
INLINE float lanes_sum(vf v) {
#if VL == 16
  v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
#elif VL == 8
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
#else
  v += __builtin_shufflevector(v, v, 2, 3, 0, 1);
#endif
  return v[0] + v[1];
}

INLINE vf maximum(vf a, vf b) { return choose((vi)(a > b), a, b); }

// exp(x) for x <= 88; below -87 it stays at exp(-87). Coefficients of Cephes, relative error below 2 ulp.
INLINE vf exponential(vf x) {
  const vf y = maximum(x, splat(-87.0f));
  const vf magic = splat(12582912.0f);  // rounds to the nearest integer n, which its last bits then hold
  const vf shifted = y * 1.44269504088896341f + magic, n = shifted - magic;
  vf r = y - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  const vf r2 = r * r;
  const vf p4 = r * 1.9875691500e-4f + 1.3981999507e-3f;
  const vf p2 = r * 8.3334519073e-3f + 4.1665795894e-2f;
  const vf p0 = r * 1.6666665459e-1f + 5.0000001201e-1f;
  const vf power = ((p4 * r2 + p2) * r2 + p0) * r2 + (r + 1.0f);
  return (vf)((vu)power + ((vu)shifted << 23));
}

// MARK: Edges

// The edges' own numbers as one head sees them: out[h, a] = sum over the head's channels of x[channel]·weight[channel, a].
INLINE void edge_view(const jk_attention *g, const float *x, float *out) {
  const size_t c = g->channels, width = g->width;
  for (size_t h = 0; h < g->heads; h++, x += c, out += width) {
    const float *weight = g->weight + h * c * width;
    for (size_t a = 0; a < width; a += VL) {
      vf s0 = {0}, s1 = {0};
      size_t i = 0;
      for (; i + 2 <= c; i += 2) {
        s0 += load(weight + i * width + a) * x[i];
        s1 += load(weight + (i + 1) * width + a) * x[i + 1];
      }
      if (i < c) s0 += load(weight + i * width + a) * x[i];
      store(out + a, s0 + s1);
    }
  }
}

// out[h] = x_h·row_h + view_h·attributes for all heads.
INLINE void edge_dots(const jk_attention *g, const float *x, const float *row, const float *view,
                      const float *attributes, float factor, float *out) {
  const size_t c = g->channels, width = g->width;
  for (size_t h = 0; h < g->heads; h++, x += c, row += c, view += width) {
    vf s = {0};
#define BODY(LOAD, STORE, _) s += LOAD(x + i) * LOAD(row + i);
    FOR_VECTORS(c, BODY);
#undef BODY
    for (size_t a = 0; a < width; a += VL) s += load(view + a) * load(attributes + a);
    out[h] = lanes_sum(s) * factor;
  }
}

static void edge_attention_forward(const jk_attention *g, const float *q, const float *k, const float *v,
                                   const float *bias, float *out, float *alpha, size_t first, size_t last,
                                   float *scratch) {
  const size_t heads = g->heads, c = g->channels, row = heads * c, width = g->width, batch = g->batch;
  float *view = scratch, *sums = scratch + heads * width;
  for (size_t i = first; i < last; i++) {
    const size_t begin = (size_t)g->starts[i], end = (size_t)g->starts[i + 1];
    for (size_t b = 0; b < batch; b++) {
      float *o = out + (i * batch + b) * row;
      if (begin == end) {
        memset(o, 0, row * sizeof(float));
        continue;
      }
      const float *x = q + (i * batch + b) * row;
      edge_view(g, x, view);
      for (size_t e = begin; e < end; e++)
        edge_dots(g, x, k + ((size_t)g->sources[e] * batch + b) * row, view, g->attributes + e * width, g->scale,
                  alpha + (e * batch + b) * heads);
      // The softmax over the edges, for several heads at once.
      float *first_alpha = alpha + (begin * batch + b) * heads;
      const size_t step = batch * heads, count = end - begin;
#define BODY(LOAD, STORE, _)                                         \
  vf most = LOAD(first_alpha + i);                                   \
  for (size_t e = 1; e < count; e++) most = maximum(most, LOAD(first_alpha + e * step + i)); \
  vf total = {0};                                                    \
  for (size_t e = 0; e < count; e++) {                               \
    const vf p = exponential(LOAD(first_alpha + e * step + i) - most); \
    total += p;                                                      \
    STORE(first_alpha + e * step + i, p);                            \
  }                                                                  \
  const vf inverse = 1.0f / (total + 1e-16f);                        \
  for (size_t e = 0; e < count; e++)                                 \
    STORE(first_alpha + e * step + i, LOAD(first_alpha + e * step + i) * inverse);
      FOR_VECTORS(heads, BODY);
#undef BODY
      for (size_t h = 0; h < heads; h++) {
        for (size_t a = 0; a < width; a += VL) {
          vf s = {0};
          for (size_t e = begin; e < end; e++)
            s += load(g->attributes + e * width + a) * alpha[(e * batch + b) * heads + h];
          store(sums + a, s);
        }
        const float *values = v + b * row + h * c, *transposed = g->transposed + h * c;
        float *result = o + h * c;
#define BODY(LOAD, STORE, _)                                                                              \
  vf s = LOAD(bias + h * c + i);                                                                          \
  for (size_t e = begin; e < end; e++)                                                                    \
    s += LOAD(values + (size_t)g->sources[e] * batch * row + i) * alpha[(e * batch + b) * heads + h];     \
  for (size_t a = 0; a < g->attribute_count; a++) s += LOAD(transposed + a * row + i) * sums[a];          \
  STORE(result + i, s);
        FOR_VECTORS(c, BODY);
#undef BODY
      }
    }
  }
}

// The part of the destinations: dq, the gradients of the logits, and those of the edges' own numbers and their projection.
static void edge_attention_backward(const jk_attention *g, const float *q, const float *k, const float *v,
                                    const float *dout, const float *alpha, float *dlogits, float *dq,
                                    float *dattributes, float *dweight, float *dbias, size_t first, size_t last,
                                    float *scratch) {
  const size_t heads = g->heads, c = g->channels, row = heads * c, width = g->width, batch = g->batch;
  float *q_view = scratch, *d_view = scratch + heads * width, *alpha_sums = scratch + 2 * heads * width;
  float *logit_sums = scratch + 3 * heads * width;
  for (size_t i = first; i < last; i++) {
    const size_t begin = (size_t)g->starts[i], end = (size_t)g->starts[i + 1];
    for (size_t b = 0; b < batch; b++) {
      const float *x = q + (i * batch + b) * row, *d = dout + (i * batch + b) * row;
      float *dx = dq + (i * batch + b) * row;
      if (begin == end) {
        memset(dx, 0, row * sizeof(float));
        continue;
      }
      edge_view(g, x, q_view);
      edge_view(g, d, d_view);
      // The bias adds the same to all edges of a destination, which the softmax takes away again.
      for (size_t e = begin; e < end; e++)
        edge_dots(g, d, v + ((size_t)g->sources[e] * batch + b) * row, d_view, g->attributes + e * width, 1,
                  dlogits + (e * batch + b) * heads);
      const float *alphas = alpha + (begin * batch + b) * heads;
      float *logits = dlogits + (begin * batch + b) * heads;
      const size_t step = batch * heads, count = end - begin;
#define BODY(LOAD, STORE, _)                                                                          \
  vf mean = {0};                                                                                      \
  for (size_t e = 0; e < count; e++) mean += LOAD(alphas + e * step + i) * LOAD(logits + e * step + i); \
  for (size_t e = 0; e < count; e++)                                                                  \
    STORE(logits + e * step + i, LOAD(alphas + e * step + i) * (LOAD(logits + e * step + i) - mean));
      FOR_VECTORS(heads, BODY);
#undef BODY
      for (size_t h = 0; h < heads; h++) {
        for (size_t a = 0; a < width; a += VL) {
          vf s = {0}, t = {0};
          for (size_t e = begin; e < end; e++) {
            const vf own = load(g->attributes + e * width + a);
            s += own * alpha[(e * batch + b) * heads + h];
            t += own * dlogits[(e * batch + b) * heads + h];
          }
          store(alpha_sums + h * width + a, s);
          store(logit_sums + h * width + a, t * g->scale);
        }
        const float *keys = k + b * row + h * c, *transposed = g->transposed + h * c;
        float *result = dx + h * c;
        const float *sums = logit_sums + h * width;
#define BODY(LOAD, STORE, _)                                                                              \
  vf s = {0};                                                                                             \
  for (size_t e = begin; e < end; e++)                                                                    \
    s += LOAD(keys + (size_t)g->sources[e] * batch * row + i) * dlogits[(e * batch + b) * heads + h];     \
  s *= g->scale;                                                                                          \
  for (size_t a = 0; a < g->attribute_count; a++) s += LOAD(transposed + a * row + i) * sums[a];          \
  STORE(result + i, s);
        FOR_VECTORS(c, BODY);
#undef BODY
        float *dw = dweight + h * c * width;
        for (size_t channel = 0; channel < c; channel++, dw += width) {
          const vf dv = splat(d[h * c + channel]), qv = splat(x[h * c + channel]);
          for (size_t a = 0; a < width; a += VL)
            store(dw + a, load(dw + a) + dv * load(alpha_sums + h * width + a) + qv * load(logit_sums + h * width + a));
        }
      }
#define BODY(LOAD, STORE, _) STORE(dbias + i, LOAD(dbias + i) + LOAD(d + i));
      FOR_VECTORS(row, BODY);
#undef BODY
      if (!dattributes) continue;
      for (size_t e = begin; e < end; e++) {
        const float *al = alpha + (e * batch + b) * heads, *dl = dlogits + (e * batch + b) * heads;
        float *da = dattributes + e * width;
        for (size_t a = 0; a < width; a += VL) {
          vf s = load(da + a);
          for (size_t h = 0; h < heads; h++)
            s += load(d_view + h * width + a) * al[h] + load(q_view + h * width + a) * (dl[h] * g->scale);
          store(da + a, s);
        }
      }
    }
  }
}

// The part of the sources: dk and dv.
static void edge_attention_backward_sources(const jk_attention *g, const int32_t *source_starts,
                                            const int32_t *source_edges, const int32_t *destinations, const float *q,
                                            const float *dout, const float *alpha, const float *dlogits, float *dk,
                                            float *dv, size_t first, size_t last) {
  const size_t heads = g->heads, c = g->channels, row = heads * c, batch = g->batch;
  for (size_t j = first; j < last; j++) {
    const size_t begin = (size_t)source_starts[j], end = (size_t)source_starts[j + 1];
    for (size_t b = 0; b < batch; b++) {
      float *key = dk + (j * batch + b) * row, *value = dv + (j * batch + b) * row;
      for (size_t h = 0; h < heads; h++) {
        const float *queries = q + b * row + h * c, *outputs = dout + b * row + h * c;
#define BODY(LOAD, STORE, _)                                              \
  vf s = {0}, t = {0};                                                    \
  for (size_t n = begin; n < end; n++) {                                  \
    const size_t e = (size_t)source_edges[n], at = (size_t)destinations[e] * batch * row; \
    s += LOAD(queries + at + i) * dlogits[(e * batch + b) * heads + h];   \
    t += LOAD(outputs + at + i) * alpha[(e * batch + b) * heads + h];     \
  }                                                                       \
  STORE(key + h * c + i, s * g->scale);                                   \
  STORE(value + h * c + i, t);
        FOR_VECTORS(c, BODY);
#undef BODY
      }
    }
  }
}

// MARK: Activations

INLINE vf sigmoid(vf x) {
  const vf e = exponential((vf)((vi)x | (int32_t)0x80000000));  // of -|x|
  const vf s = e / (1.0f + e);
  return choose((vi)(x < (vf){0}), s, 1.0f - s);
}

// The activation of x and its derivative. The switch has no default, so that an activation without a case does not compile.
INLINE vf activated(jk_activation kind, vf x, vf *derivative) {
  switch (kind) {
    case jk_sigmoid: {
      const vf s = sigmoid(x);
      *derivative = s * (1.0f - s);
      return s;
    }
    case jk_silu: {
      const vf s = sigmoid(x);
      *derivative = s * (1.0f + x * (1.0f - s));
      return x * s;
    }
    case jk_relu: {
      const vi positive = (vi)(x > (vf){0});
      *derivative = choose(positive, splat(1), (vf){0});
      return choose(positive, x, (vf){0});
    }
    case jk_gelu: {
      pf y;
      const pf d = gelu_derivative(pair(x, x), &y);
      *derivative = low(d);
      return low(y);
    }
  }
  __builtin_unreachable();
}

static void activation_forward(jk_activation kind, const float *x, float *y, size_t n) {
  if (kind == jk_gelu) return gelu_forward(x, y, n);
#define BODY(LOAD, STORE, _) \
  vf derivative;             \
  STORE(y + i, activated(kind, LOAD(x + i), &derivative));
  FOR_VECTORS(n, BODY);
#undef BODY
}

static void activation_backward(jk_activation kind, const float *x, const float *dy, float *dx, size_t n) {
  if (kind == jk_gelu) return gelu_backward(x, dy, dx, NULL, n);
#define BODY(LOAD, STORE, _)                 \
  vf derivative;                             \
  (void)activated(kind, LOAD(x + i), &derivative); \
  STORE(dx + i, LOAD(dy + i) * derivative);
  FOR_VECTORS(n, BODY);
#undef BODY
}

static void gated_forward(jk_activation kind, const float *gate, const float *value, float *y, size_t n) {
#define BODY(LOAD, STORE, _) \
  vf derivative;             \
  STORE(y + i, activated(kind, LOAD(gate + i), &derivative) * LOAD(value + i));
  FOR_VECTORS(n, BODY);
#undef BODY
}

static void gated_backward(jk_activation kind, const float *gate, const float *value, const float *dy, float *dgate,
                           float *dvalue, size_t n) {
#define BODY(LOAD, STORE, _)                                    \
  vf derivative;                                                \
  const vf y = activated(kind, LOAD(gate + i), &derivative);    \
  const vf d = LOAD(dy + i);                                    \
  STORE(dgate + i, d * LOAD(value + i) * derivative);           \
  STORE(dvalue + i, d * y);
  FOR_VECTORS(n, BODY);
#undef BODY
}
