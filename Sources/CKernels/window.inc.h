// Self-attention within a window, of one head of one sample. Blocks of keys and panels of queries are copied to where they lie side by
// side; scores are [key, query], queries side by side in vectors, so that softmaxes need no sums across lanes. Included by kernels.inc.h.

#define PANEL (2 * VL)  // queries
#define WINDOW_SUMS (JK_VECTOR_BYTES == 64 ? 16 : 8)  // vectors of sums that registers hold beside their operands
#define WINDOW_UNIT 16  // keys of a block are computed in multiples of this many

/// C[rows, vectors·VL] += A·B over `depth`: element (i, p) of A is a[i·a_row + p·a_column], row p of B is b + p·b_row.
INLINE void window_tile(const int rows, const int vectors, size_t depth, const float *a, size_t a_row, size_t a_column, const float *b,
                        size_t b_row, float *c, size_t c_row, bool accumulate) {
  vf sum[WINDOW_SUMS / 2][2] = {0}, one[WINDOW_SUMS] = {0};
#define SUM(i, v) (vectors == 2 ? &sum[i][v] : &one[i])
#pragma clang loop unroll(full)
  for (int i = 0; accumulate && i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) *SUM(i, v) = load(c + (size_t)i * c_row + v * VL);
  }
  for (size_t p = 0; p < depth; p++, a += a_column, b += b_row) {
    vf x[2];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) x[v] = load(b + v * VL);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      const vf factor = a[(size_t)i * a_row] - (vf){0};  // a + 0 would be an addition, for the sake of -0
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) *SUM(i, v) += factor * x[v];
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) store(c + (size_t)i * c_row + v * VL, *SUM(i, v));
  }
#undef SUM
}

/// The same with any number of rows.
INLINE void window_rows(const int vectors, size_t rows, size_t depth, const float *a, size_t a_row, size_t a_column, const float *b,
                        size_t b_row, float *c, size_t c_row, bool accumulate) {
  const int tile = WINDOW_SUMS / vectors;
  size_t i = 0;
  for (; i + tile <= rows; i += tile)
    window_tile(tile, vectors, depth, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row, accumulate);
  for (; i < rows; i++) window_tile(1, vectors, depth, a + i * a_row, a_row, a_column, b, b_row, c + i * c_row, c_row, accumulate);
}

/// scores[keys, PANEL] = keys or values times a panel of queries or gradients [channels, PANEL].
static void window_scores(const float *keys, size_t n, size_t channels, size_t line, const float *panel, float *scores) {
  window_rows(2, n, channels, keys, line, 1, panel, PANEL, scores, PANEL, false);
}

/// out[PANEL, line] += the transposed of weights[n, PANEL], times keys or values [n, line].
static void window_outputs(const float *weights, size_t n, const float *keys, size_t line, float *out) {
  size_t j = 0;
  for (; j + PANEL <= line; j += PANEL) window_rows(2, PANEL, n, weights, 1, PANEL, keys + j, line, out + j, line, true);
  if (j < line) window_rows(1, PANEL, n, weights, 1, PANEL, keys + j, line, out + j, line, true);
}

/// out[n, line] += weights[n, PANEL] times queries or gradients [PANEL, line].
static void window_gradients(const float *weights, size_t n, const float *queries, size_t line, float *out) {
  size_t j = 0;
  for (; j + PANEL <= line; j += PANEL) window_rows(2, n, PANEL, weights, PANEL, 1, queries + j, line, out + j, line, true);
  if (j < line) window_rows(1, n, PANEL, weights, PANEL, 1, queries + j, line, out + j, line, true);
}

/// Rows of one head side by side, [n, line], with zeros behind its channels.
static void window_copy(const jk_window *w, const float *rows, size_t n, size_t line, float *copy) {
  for (size_t i = 0; i < n; i++, rows += w->row, copy += line) {
    size_t x = 0;
    for (; x + VL <= w->channels; x += VL) store(copy + x, load(rows + x));
    if (x < w->channels) store(copy + x, load_part(rows + x, w->channels - x));
  }
}

/// The channels of a line to where the head's row is.
INLINE void window_store(const jk_window *w, const float *line, float *out) {
#define BODY(LOAD, STORE, _) STORE(out + i, LOAD(line + i));
  FOR_VECTORS(w->channels, BODY);
#undef BODY
}

/// n rows of a panel of queries, factor·[PANEL, line], transposed: [channels, PANEL], with zeros for queries that are not there.
static void window_panel(const jk_window *w, const float *rows, size_t n, size_t line, float factor, float *panel) {
  pack_columns(rows, line, n, w->channels, PANEL, panel);
  for (size_t i = 0; i < w->channels * PANEL; i += VL) store(panel + i, load(panel + i) * factor);
}

/// Which of the n keys from `key` on some query of a panel attends to, as far as whole units allow.
INLINE void window_keys(const jk_window *w, size_t query, size_t queries, size_t key, size_t n, size_t *from, size_t *to) {
  const size_t first = w->first_query + query, low = first > w->reach ? first - w->reach : 0;
  const size_t high = first + queries + smaller(w->reach, w->keys);
  *from = low <= key ? 0 : smaller(n, low - key) / WINDOW_UNIT * WINDOW_UNIT;
  *to = high <= key ? 0 : smaller(n, rounded_up(high - key, WINDOW_UNIT));
}

/// Which queries of a panel attend to a key, `ahead` positions behind the first of them.
INLINE void window_mask(ptrdiff_t ahead, ptrdiff_t reach, vi mask[2]) {
  for (int v = 0; v < 2; v++) {
    vi lane;
    for (int i = 0; i < VL; i++) lane[i] = v * VL + i;
    const vi distance = lane - (int32_t)ahead;
    mask[v] = (distance <= (vi){0} + (int32_t)reach) & (-distance <= (vi){0} + (int32_t)reach);
  }
}

/// Runs BODY for each of n keys from `key` on, with x, its scores, and a mask of the queries that attend to it.
#define FOR_KEYS(BODY)                                                                  \
  for (size_t j = 0; j < n; j++) {                                                      \
    const ptrdiff_t ahead = (ptrdiff_t)(key + j) - (ptrdiff_t)(w->first_query + query); \
    vi mask[2] = {~(vi){0}, ~(vi){0}};                                                  \
    if (ahead > reach || PANEL - 1 - ahead > reach) window_mask(ahead, reach, mask);    \
    for (int v = 0; v < 2; v++) {                                                       \
      const size_t at = j * PANEL + (size_t)v * VL;                                     \
      BODY                                                                              \
    }                                                                                   \
  }

/// The window's reach as far as it matters.
INLINE ptrdiff_t window_reach(const jk_window *w) { return (ptrdiff_t)smaller(w->reach, w->keys + JK_WINDOW_QUERIES); }

/// One block of an online softmax (Milakov and Gimelshein 2018): scores become exp(score - most), 0 outside the window; most and sums
/// [PANEL] are brought up to date. factors [PANEL]: what earlier outputs are to be multiplied with.
static void window_softmax(const jk_window *w, size_t query, size_t key, size_t n, float *scores, float *most, float *sums,
                           float *factors) {
  const ptrdiff_t reach = window_reach(w);
  vf top[2] = {load(most), load(most + VL)}, total[2] = {{0}, {0}};
  FOR_KEYS(top[v] = maximum(top[v], choose(mask[v], load(scores + at), top[v]));)
  FOR_KEYS(const vf p = choose(mask[v], exponential(load(scores + at) - top[v]), (vf){0}); total[v] += p; store(scores + at, p);)
  for (int v = 0; v < 2; v++) {
    const vf factor = exponential(load(most + v * VL) - top[v]);
    store(factors + v * VL, factor);
    store(sums + v * VL, load(sums + v * VL) * factor + total[v]);
    store(most + v * VL, top[v]);
  }
}

/// Scores become weights p = exp(score - most)/sum; slopes, the gradients of p, become those of q·k, scale·p·(slope - mean).
static void window_softmax_backward(const jk_window *w, size_t query, size_t key, size_t n, float *scores, float *slopes,
                                    const float *most, const float *inverse, const float *means) {
  const ptrdiff_t reach = window_reach(w);
  const vf top[2] = {load(most), load(most + VL)}, mean[2] = {load(means), load(means + VL)};
  const vf factor[2] = {load(inverse), load(inverse + VL)};
  FOR_KEYS(const vf p = choose(mask[v], exponential(load(scores + at) - top[v]) * factor[v], (vf){0});
           store(slopes + at, p * (load(slopes + at) - mean[v]) * w->scale); store(scores + at, p);)
}
#undef FOR_KEYS

static void window_forward(const jk_window *w, const float *q, const float *k, const float *v, float *out, float *most, float *sums,
                           float *scratch) {
  const size_t row = w->row, line = rounded_up(w->channels, VL), block = JK_WINDOW_KEYS * line, tile = JK_WINDOW_QUERIES * line;
  float *keys = scratch, *values = keys + block, *panels = values + block, *outputs = panels + tile, *scores = outputs + tile;
  for (size_t first = 0; first < w->queries; first += JK_WINDOW_QUERIES) {
    const size_t count = smaller(w->queries - first, JK_WINDOW_QUERIES);
    float top[JK_WINDOW_QUERIES], total[JK_WINDOW_QUERIES] = {0}, factors[PANEL];
    for (size_t i = 0; i < JK_WINDOW_QUERIES; i++) top[i] = -FLT_MAX;
    window_copy(w, q + first * row, count, line, outputs);
    for (size_t i = 0; i < count; i += PANEL)
      window_panel(w, outputs + i * line, smaller(count - i, PANEL), line, w->scale, panels + i * line);
    memset(outputs, 0, tile * sizeof(float));
    size_t start, end, from, to;
    window_keys(w, first, count, 0, w->keys, &start, &end);
    for (size_t key = start; key < end; key += JK_WINDOW_KEYS) {
      const size_t n = smaller(end - key, JK_WINDOW_KEYS);
      window_copy(w, k + key * row, n, line, keys);
      window_copy(w, v + key * row, n, line, values);
      for (size_t i = 0; i < count; i += PANEL) {
        window_keys(w, first + i, PANEL, key, n, &from, &to);
        if (from >= to) continue;
        window_scores(keys + from * line, to - from, w->channels, line, panels + i * line, scores);
        window_softmax(w, first + i, key + from, to - from, scores, top + i, total + i, factors);
        float *o = outputs + i * line;
        for (size_t r = 0; r < PANEL; r++, o += line)
          for (size_t x = 0; x < line; x += VL) store(o + x, load(o + x) * factors[r]);
        window_outputs(scores, to - from, values + from * line, line, outputs + i * line);
      }
    }
    for (size_t i = 0; i < count; i++) {
      float *o = outputs + i * line;
      for (size_t x = 0; x < line; x += VL) store(o + x, load(o + x) / total[i]);
      window_store(w, o, out + (first + i) * row);
    }
    memcpy(most + first, top, count * sizeof(float));
    memcpy(sums + first, total, count * sizeof(float));
  }
}

/// The scalar products of each query's output and the gradient of it.
static void window_means(const jk_window *w, const float *out, const float *dout, float *means) {
  for (size_t q = 0; q < w->queries; q++, out += w->row, dout += w->row) {
    vf sum = {0};
#define BODY(LOAD, STORE, _) sum += LOAD(out + i) * LOAD(dout + i);
    FOR_VECTORS(w->channels, BODY);
#undef BODY
    means[q] = lanes_sum(sum);
  }
}

static void window_backward(const jk_window *w, const float *q, const float *k, const float *v, const float *out, const float *dout,
                            const float *most, const float *sums, float *dq, float *dk, float *dv, float *scratch) {
  const size_t row = w->row, line = rounded_up(w->channels, VL), block = JK_WINDOW_KEYS * line, panel = PANEL * line;
  float *keys = scratch, *values = keys + block, *dkeys = values + block, *dvalues = dkeys + block, *queries = dvalues + block;
  float *gradients = queries + panel, *q_panel = gradients + panel, *d_panel = q_panel + panel, *results = d_panel + panel;
  float *scores = results + panel, *slopes = scores + JK_WINDOW_KEYS * PANEL, *means = slopes + JK_WINDOW_KEYS * PANEL;
  window_means(w, out, dout, means);
  for (size_t key = 0; key < w->keys; key += JK_WINDOW_KEYS) {
    const size_t n = smaller(w->keys - key, JK_WINDOW_KEYS);
    window_copy(w, k + key * row, n, line, keys);
    window_copy(w, v + key * row, n, line, values);
    memset(dkeys, 0, 2 * block * sizeof(float));
    for (size_t i = 0; i < w->queries; i += PANEL) {
      const size_t count = smaller(w->queries - i, PANEL);
      size_t from, to;
      window_keys(w, i, count, key, n, &from, &to);
      if (from >= to) continue;
      float top[PANEL] = {0}, inverse[PANEL] = {0}, mean[PANEL] = {0};
      for (size_t x = 0; x < count; x++) inverse[x] = 1 / sums[i + x];
      memcpy(top, most + i, count * sizeof(float));
      memcpy(mean, means + i, count * sizeof(float));
      memset(queries, 0, 2 * panel * sizeof(float));
      window_copy(w, q + i * row, count, line, queries);
      window_copy(w, dout + i * row, count, line, gradients);
      window_panel(w, queries, count, line, w->scale, q_panel);
      window_panel(w, gradients, count, line, 1, d_panel);
      const float *seen = keys + from * line;
      window_scores(seen, to - from, w->channels, line, q_panel, scores);
      window_scores(values + from * line, to - from, w->channels, line, d_panel, slopes);
      window_softmax_backward(w, i, key + from, to - from, scores, slopes, top, inverse, mean);
      memset(results, 0, panel * sizeof(float));
      window_outputs(slopes, to - from, seen, line, results);
      window_gradients(slopes, to - from, queries, line, dkeys + from * line);
      window_gradients(scores, to - from, gradients, line, dvalues + from * line);
      for (size_t x = 0; x < count; x++) add(dq + (i + x) * row, results + x * line, w->channels);
    }
    for (size_t j = 0; j < n; j++) {
      window_store(w, dkeys + j * line, dk + (key + j) * row);
      window_store(w, dvalues + j * line, dv + (key + j) * row);
    }
  }
}
