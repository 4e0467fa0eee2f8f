// Products of matrices, included by kernels.inc.h: operands are packed block by block into panels that the caches hold, and
// tiles of C are summed in registers (Goto and van de Geijn 2008; Van Zee and van de Geijn 2015, BLIS).
//
// Every element of C is summed over k in the same order whatever its place, so that a GEMM gives the same bits however
// rows and columns are shared out over threads.

#define TILE_ROWS (JK_VECTOR_BYTES == 64 ? 12 : 6)  // with two vectors of columns: as many sums as registers hold
#define TILE_COLUMNS (2 * VL)
#define BLOCK_INNER 256     // a panel of B [BLOCK_INNER, TILE_COLUMNS] stays in the first cache,
#define BLOCK_ROWS 120      // a block of A [BLOCK_ROWS, BLOCK_INNER] in the second,
#define BLOCK_COLUMNS 1152  // the panels of B, and rows of C until their sums are complete, in the third
#define PAUSE_COLUMNS 256   // columns of a block's sums between pauses: some tenths of a millisecond
#define EPILOGUE_COLUMNS 256  // columns of a block of C, in the second cache, that are finished together: rows are long enough
                            // to be fetched ahead, which those of a tile are not
#define PACKED_ROWS 8       // rows that are packed side by side: panels are written in runs of some lines
#define LINE 16             // floats of a cache line

INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
INLINE size_t quotient(size_t n, size_t unit) { return (n + unit - 1) / unit; }
INLINE size_t rounded_up(size_t n, size_t unit) { return quotient(n, unit) * unit; }

typedef float vfu __attribute__((vector_size(JK_VECTOR_BYTES), aligned(4)));

/// C[TILE_ROWS, TILE_COLUMNS] (+)= a panel of A times a panel of B, both [k, width].
static void product_tile(size_t k, const float *a, const float *b, float *c, size_t c_stride, bool accumulate) {
  vf sum[TILE_ROWS][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < TILE_ROWS; i++) {
    sum[i][0] = (vf){0};
    sum[i][1] = (vf){0};
    __builtin_prefetch(c + (size_t)i * c_stride, 1, 3);
    __builtin_prefetch(c + (size_t)i * c_stride + TILE_COLUMNS - 1, 1, 3);
  }
#pragma clang loop unroll_count(4)
  for (size_t p = 0; p < k; p++) {
    const vf b0 = *(const vfu *)b, b1 = *(const vfu *)(b + VL);
#pragma clang loop unroll(full)
    for (int i = 0; i < TILE_ROWS; i++) {
      const vf x = a[i] - (vf){0};  // a + 0 would be an addition, for the sake of -0
      sum[i][0] += x * b0;
      sum[i][1] += x * b1;
    }
    a += TILE_ROWS;
    b += TILE_COLUMNS;
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < TILE_ROWS; i++) {
    float *row = c + (size_t)i * c_stride;
    if (accumulate) {
      sum[i][0] += *(const vfu *)row;
      sum[i][1] += *(const vfu *)(row + VL);
    }
    *(vfu *)row = sum[i][0];
    *(vfu *)(row + VL) = sum[i][1];
  }
}

/// The same for a tile that reaches over the edge of C, of which rows x columns exist.
static void product_edge(size_t k, const float *a, const float *b, float *c, size_t c_stride, bool accumulate,
                         size_t rows, size_t columns) {
  float tile[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
  product_tile(k, a, b, tile, TILE_COLUMNS, false);
  for (size_t i = 0; i < rows; i++) {
    for (size_t j = 0; j < columns; j++) {
      float *x = c + i * c_stride + j;
      *x = (accumulate ? *x : 0) + tile[i * TILE_COLUMNS + j];
    }
  }
}

/// Applies the epilogue to the part of C from (row, column) on, once its sums are complete.
static void epilogue(const jk_epilogue *f, size_t row, size_t column, float *c, size_t c_stride, size_t rows, size_t columns) {
  for (size_t r = row; r < row + rows; r++, c += c_stride) {
    const float *bias = f->bias ? f->bias + (f->bias_per_row ? r : column) : NULL;
    const float *addend = f->addend ? f->addend + r * f->addend_stride + column : NULL;
    const float *u = f->gelu_input ? (const float *)f->gelu_input + r * f->gelu_input_stride + column : NULL;
    float *y = f->gelu_output ? (float *)f->gelu_output + r * f->gelu_output_stride + column : NULL;
    const pf row_bias = pair_of(bias && f->bias_per_row ? *bias : 0);
#define BODY(LOAD, STORE, LOAD_16, STORE_16)                        \
  pf v = LOAD(c + i);                                               \
  if (bias) v += f->bias_per_row ? row_bias : LOAD(bias + i);       \
  if (addend) v += LOAD(addend + i);                                \
  if (u) {                                                          \
    pf g;                                                           \
    v *= gelu_derivative(LOAD(u + i), &g);                          \
    if (y) STORE(y + i, g);                                         \
    STORE(c + i, v);                                                \
  } else {                                                          \
    STORE(c + i, v);                                                \
    if (y) STORE(y + i, gelu(v));                                   \
  }
    FOR_PAIRS(columns, BODY);
#undef BODY
  }
}

typedef float v8 __attribute__((vector_size(32), aligned(4)));

/// Transposes 8 x 8 numbers: rows at distance 4, 2, 1 are interleaved.
INLINE void transpose_registers(v8 r[8]) {
  v8 s[8];
  for (int i = 0; i < 4; i++) {
    s[2 * i] = __builtin_shufflevector(r[i], r[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
    s[2 * i + 1] = __builtin_shufflevector(r[i], r[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
  }
  for (int i = 0; i < 4; i++) {
    r[2 * i] = __builtin_shufflevector(s[i], s[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
    r[2 * i + 1] = __builtin_shufflevector(s[i], s[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
  }
  for (int i = 0; i < 4; i++) {
    s[2 * i] = __builtin_shufflevector(r[i], r[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
    s[2 * i + 1] = __builtin_shufflevector(r[i], r[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
  }
  for (int i = 0; i < 8; i++) r[i] = s[i];
}

/// x[k, lines] into panels: element (p, l) goes to panel l / width, place [p, l % width]. The last panel is filled with
/// zeros.
INLINE void pack_rows(const float *x, size_t stride, size_t lines, size_t k, size_t width, float *out) {
  const size_t whole = lines / width, rest = lines % width;
  for (size_t p = 0; p < k; p += PACKED_ROWS) {
    const size_t end = smaller(p + PACKED_ROWS, k);
    for (size_t g = 0; g < whole; g++) {
      for (size_t q = p; q < end; q++) {
        memcpy(out + (g * k + q) * width, x + q * stride + g * width, width * sizeof(float));
      }
    }
  }
  for (size_t p = 0; rest > 0 && p < k; p++) {
    float *to = out + (whole * k + p) * width;
    memset(to, 0, width * sizeof(float));
    memcpy(to, x + p * stride + whole * width, rest * sizeof(float));
  }
}

/// Columns [p, p + 8) of up to 8 lines to places [first, first + n) of a panel.
INLINE void pack_block(const float *x, size_t stride, size_t here, size_t p, size_t n, size_t width, float *out) {
  v8 r[8] = {0};
  if (here == n) {
    for (size_t i = 0; i < n; i++) r[i] = *(const v8 *)(x + i * stride + p);
  } else {
    for (size_t i = 0; i < here; i++) r[i] = *(const v8 *)(x + i * stride + p);
  }
  transpose_registers(r);
  for (size_t i = 0; i < 8; i++) memcpy(out + (p + i) * width, &r[i], n * sizeof(float));
}

/// x[lines, k] into the same panels.
INLINE void pack_columns(const float *x, size_t stride, size_t lines, size_t k, size_t width, float *out) {
  const size_t whole = k / 8 * 8;
  for (size_t l = 0; l < lines; l += width) {
    const size_t count = lines - l < width ? lines - l : width;
    float *panel = out + l * k;
    // Eight lines side by side, sixteen numbers of each at once: lines that are a power of two apart push each other out of
    // the cache.
    for (size_t first = 0; first < width; first += 8) {
      const size_t n = width - first < 8 ? width - first : 8;
      const size_t here = count < first ? 0 : count - first < n ? count - first : n;
      const float *rows = x + (l + first) * stride;
      for (size_t p = 0; p < k; p += 16) {
        for (size_t i = 0; i < here; i++) __builtin_prefetch(rows + i * stride + p + LINE, 0, 3);
        for (size_t q = p; q < p + 16 && q < whole; q += 8) pack_block(rows, stride, here, q, n, width, panel + first);
        for (size_t q = p < whole ? whole : p; q < p + 16 && q < k; q++) {
          for (size_t i = 0; i < n; i++) panel[q * width + first + i] = i < here ? rows[i * stride + q] : 0;
        }
      }
    }
  }
}

/// The inner dimension, rows and columns in blocks of equal length.
INLINE size_t inner_block(size_t k) { return rounded_up(quotient(k, quotient(k, BLOCK_INNER)), 8); }
INLINE size_t row_block(size_t m) {
  return m ? rounded_up(quotient(m, quotient(m, BLOCK_ROWS)), TILE_ROWS) : 0;
}
INLINE size_t column_block(size_t n) {
  return n ? rounded_up(quotient(n, quotient(n, BLOCK_COLUMNS)), TILE_COLUMNS) : 0;
}

/// The part of A that will be packed next: its lines are fetched from memory while tiles are summed, so that packing need not wait.
typedef struct {
  const float *from;
  size_t stride, rows, lines;  ///< lines of each row
  size_t row, line;
} source_ahead;

INLINE source_ahead source_of(const jk_operand *a, size_t top, size_t rows, size_t p, size_t depth) {
  const float *from = a->transposed ? a->data + p * a->stride + top : a->data + top * a->stride + p;
  if (a->transposed) return (source_ahead){from, a->stride, rows > 0 ? depth : 0, quotient(rows, LINE)};
  return (source_ahead){from, a->stride, rows, quotient(depth, LINE)};
}

INLINE void fetch_some(source_ahead *x, size_t count) {
  for (; count > 0 && x->row < x->rows; count--) {
    __builtin_prefetch(x->from + x->row * x->stride + x->line * LINE, 0, 2);
    if (++x->line == x->lines) {
      x->line = 0;
      x->row++;
    }
  }
}

static size_t product_scratch(size_t m, size_t n, size_t k) {
  return (row_block(m) + column_block(n)) * inner_block(k);
}

static void product(const jk_operand *a, const jk_operand *b, size_t m, size_t n, size_t k, bool accumulate, float *c,
                    size_t c_stride, const jk_epilogue *f, float *scratch, void (*pause)(void *), void *context) {
  const size_t inner = inner_block(k), most_rows = row_block(m), most_columns = column_block(n);
  float *const a_panels = scratch, *const b_panels = scratch + most_rows * inner;
  for (size_t first = 0; first < n; first += most_columns) {
    const size_t columns = smaller(n - first, most_columns);
    for (size_t p = 0; p < k; p += inner) {
      const size_t depth = smaller(k - p, inner), after = p + depth;
      if (b->transposed) {
        pack_columns(b->data + first * b->stride + p, b->stride, columns, depth, TILE_COLUMNS, b_panels);
      } else {
        pack_rows(b->data + p * b->stride + first, b->stride, columns, depth, TILE_COLUMNS, b_panels);
      }
      for (size_t top = 0; top < m; top += most_rows) {
        const size_t rows = smaller(m - top, most_rows);
        if (a->transposed) {
          pack_rows(a->data + p * a->stride + top, a->stride, rows, depth, TILE_ROWS, a_panels);
        } else {
          pack_columns(a->data + top * a->stride + p, a->stride, rows, depth, TILE_ROWS, a_panels);
        }
        const size_t next = top + rows, tiles = quotient(rows, TILE_ROWS) * quotient(columns, TILE_COLUMNS);
        source_ahead ahead = next < m ? source_of(a, next, smaller(m - next, most_rows), p, depth)
                                      : source_of(a, 0, smaller(m, most_rows), after, smaller(k - after, inner));
        const size_t lines_per_tile = quotient(ahead.rows * ahead.lines, tiles);
        const bool add = accumulate || p > 0, is_last = f && after == k;
        for (size_t j = 0; j < columns; j += TILE_COLUMNS) {
          if (pause && j % PAUSE_COLUMNS == 0) pause(context);
          for (size_t i = 0; i < rows; i += TILE_ROWS) {
            float *tile = c + (top + i) * c_stride + first + j;
            const float *x = a_panels + i * depth, *y = b_panels + j * depth;
            const size_t height = smaller(rows - i, TILE_ROWS), width = smaller(columns - j, TILE_COLUMNS);
            fetch_some(&ahead, lines_per_tile);
            if (height == TILE_ROWS && width == TILE_COLUMNS) {
              product_tile(depth, x, y, tile, c_stride, add);
            } else {
              product_edge(depth, x, y, tile, c_stride, add, height, width);
            }
          }
          const size_t end = smaller(j + TILE_COLUMNS, columns);
          if (is_last && (end % EPILOGUE_COLUMNS == 0 || end == columns)) {
            const size_t start = (end - 1) / EPILOGUE_COLUMNS * EPILOGUE_COLUMNS;
            epilogue(f, top, first + start, c + top * c_stride + first + start, c_stride, rows, end - start);
          }
        }
      }
    }
  }
}
