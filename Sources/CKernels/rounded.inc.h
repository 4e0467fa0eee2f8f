// Values stored in bf16, included by kernels.inc.h. They are widened and rounded in registers: what is computed from them, and
// sums of them, are FP32.

typedef uint16_t vh __attribute__((vector_size(JK_VECTOR_BYTES / 2)));

INLINE vf widen(vh h) { return (vf)(__builtin_convertvector(h, vu) << 16); }

/// To nearest, ties to even; NaN stays one.
INLINE vh rounded(vf x) {
  const vu u = (vu)x;
  const vu nan = (vu)((u & 0x7fffffff) > 0x7f800000);
  const vu up = u + 0x7fff + (u >> 16 & 1);
  return __builtin_convertvector(((nan & (u | 0x400000)) | (~nan & up)) >> 16, vh);
}

INLINE vf load_rounded(const uint16_t *p, size_t n) {
  vh h = {0};
  memcpy(&h, p, n * sizeof *p);
  return widen(h);
}

INLINE void store_rounded(uint16_t *p, vf v, size_t n) {
  const vh h = rounded(v);
  memcpy(p, &h, n * sizeof *p);
}

// Runs BODY(load and store of floats, load and store of bf16) over n elements, the last part with partial ones.
#define FOR_ROUNDED(n, BODY)                                   \
  do {                                                         \
    size_t i = 0;                                              \
    for (; i + VL <= (n); i += VL) {                           \
      BODY(load, store, LOAD_ROUNDED, STORE_ROUNDED)           \
    }                                                          \
    if (i < (n)) {                                             \
      const size_t part = (n) - i;                             \
      BODY(LOAD_PART, STORE_PART, LOAD_ROUNDED_PART, STORE_ROUNDED_PART) \
    }                                                          \
  } while (0)
#define LOAD_ROUNDED(p) load_rounded(p, VL)
#define STORE_ROUNDED(p, v) store_rounded(p, v, VL)
#define LOAD_ROUNDED_PART(p) load_rounded(p, part)
#define STORE_ROUNDED_PART(p, v) store_rounded(p, v, part)

INLINE pf load_rounded_pair(const uint16_t *p) { return pair(load_rounded(p, VL), load_rounded(p + VL, VL)); }
INLINE void store_rounded_pair(uint16_t *p, pf v) {
  store_rounded(p, low(v), VL);
  store_rounded(p + VL, high(v), VL);
}
INLINE pf load_rounded_pair_part(const uint16_t *p, size_t n) {
  return n < VL ? pair(load_rounded(p, n), (vf){0}) : pair(load_rounded(p, VL), load_rounded(p + VL, n - VL));
}
INLINE void store_rounded_pair_part(uint16_t *p, pf v, size_t n) {
  if (n < VL) return store_rounded(p, low(v), n);
  store_rounded(p, low(v), VL);
  store_rounded(p + VL, high(v), n - VL);
}
#define LOAD_ROUNDED_PAIR_PART(p) load_rounded_pair_part(p, part)
#define STORE_ROUNDED_PAIR_PART(p, v) store_rounded_pair_part(p, v, part)
INLINE pf rounded_pair(pf v) { return pair(widen(rounded(low(v))), widen(rounded(high(v)))); }

/// Applies the epilogue to sums of a GEMM, from (row, column) on, on their way to C in bf16. GELU is that of the rounded number,
/// so that its derivative in backward, where only that is left, belongs to it.
static void rounded_epilogue(const jk_epilogue *f, size_t row, size_t column, const float *sums, size_t sums_stride,
                           uint16_t *c, size_t c_stride, size_t rows, size_t columns) {
  for (size_t r = row; r < row + rows; r++, sums += sums_stride, c += c_stride) {
    const float *bias = f->bias ? f->bias + (f->bias_per_row ? r : column) : NULL;
    const float *addend = f->addend ? f->addend + r * f->addend_stride + column : NULL;
    const uint16_t *u = f->gelu_input ? (const uint16_t *)f->gelu_input + r * f->gelu_input_stride + column : NULL;
    uint16_t *y = f->gelu_output ? (uint16_t *)f->gelu_output + r * f->gelu_output_stride + column : NULL;
    const pf row_bias = pair_of(bias && f->bias_per_row ? *bias : 0);
#define BODY(LOAD, STORE, LOAD_16, STORE_16)                        \
  pf v = LOAD(sums + i);                                            \
  if (bias) v += f->bias_per_row ? row_bias : LOAD(bias + i);       \
  if (addend) v += LOAD(addend + i);                                \
  if (u) {                                                          \
    pf g;                                                           \
    STORE_16(c + i, v * gelu_derivative(LOAD_16(u + i), &g));       \
    if (y) STORE_16(y + i, g);                                      \
  } else {                                                          \
    STORE_16(c + i, v);                                             \
    if (y) STORE_16(y + i, gelu(rounded_pair(v)));                  \
  }
    FOR_PAIRS(columns, BODY);
#undef BODY
  }
}

static void gelu_of_rounded(const uint16_t *u, float *y, size_t n) {
#define BODY(LOAD, STORE, LOAD_16, STORE_16) STORE(y + i, gelu(LOAD_16(u + i)));
  FOR_PAIRS(n, BODY);
#undef BODY
}

static void gelu_backward_of_rounded(const uint16_t *u, float *d, size_t n) {
#define BODY(LOAD, STORE, LOAD_16, STORE_16) \
  pf g;                                      \
  STORE(d + i, rounded_pair(LOAD(d + i) * gelu_derivative(LOAD_16(u + i), &g)));
  FOR_PAIRS(n, BODY);
#undef BODY
}

static void column_sums_of_rounded(const uint16_t *x, float *sums, size_t rows, size_t columns) {
  // Four rows at a time, so that the sums are read and written once per four rows.
  size_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * columns) {
    const uint16_t *x1 = x + columns, *x2 = x1 + columns, *x3 = x2 + columns;
#define BODY(LOAD, STORE, LOAD_16, STORE_16) \
  STORE(sums + i, LOAD(sums + i) + ((LOAD_16(x + i) + LOAD_16(x1 + i)) + (LOAD_16(x2 + i) + LOAD_16(x3 + i))));
    FOR_ROUNDED(columns, BODY);
#undef BODY
  }
  for (; r < rows; r++, x += columns) {
#define BODY(LOAD, STORE, LOAD_16, STORE_16) STORE(sums + i, LOAD(sums + i) + LOAD_16(x + i));
    FOR_ROUNDED(columns, BODY);
#undef BODY
  }
}

static void row_sums_of_rounded(const uint16_t *x, float *sums, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns) {
    double total = 0;
    for (size_t start = 0; start < columns; start += BLOCK) {
      const size_t n = columns - start < BLOCK ? columns - start : BLOCK;
      vf s = {0};
#define BODY(LOAD, STORE, LOAD_16, STORE_16) s += LOAD_16(x + start + i);
      FOR_ROUNDED(n, BODY);
#undef BODY
      total += horizontal(s);
    }
    sums[r] += (float)total;
  }
}

static void layer_norm_rounded(const float *x, const float *scale, const float *shift, float epsilon, uint16_t *y,
                               float *mean, float *rstd, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
    layer_norm_statistics(x, epsilon, mean + r, rstd + r, columns);
    const float m = mean[r], s = rstd[r];
#define BODY(LOAD, STORE, LOAD_16, STORE_16) STORE_16(y + i, (LOAD(x + i) - m) * s * LOAD(scale + i) + LOAD(shift + i));
    FOR_ROUNDED(columns, BODY);
#undef BODY
  }
}
