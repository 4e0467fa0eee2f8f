// The one source of all kernels. Each kernels_*.c defines JK_NAME, JK_TABLE and JK_VECTOR_BYTES, sets the target
// instruction set and includes this file. Vector extensions keep it free of intrinsics, hence portable.

#pragma clang fp contract(fast)

#define VL (JK_VECTOR_BYTES / 4)
#define BLOCK 1024  // floats summed in single precision before the sum goes to a double

typedef float vf __attribute__((vector_size(JK_VECTOR_BYTES)));
typedef int32_t vi __attribute__((vector_size(JK_VECTOR_BYTES)));
typedef uint32_t vu __attribute__((vector_size(JK_VECTOR_BYTES)));
typedef uint64_t vu2 __attribute__((vector_size(2 * JK_VECTOR_BYTES)));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *p) {
  vf v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE void store(float *p, vf v) { memcpy(p, &v, sizeof v); }
#if JK_VECTOR_BYTES == 32 && defined(__x86_64__)
// Masked: a copy of unknown size is a call, and rows as short as a point's variables end in one.
INLINE vi first_lanes(size_t n) { return (vi){0, 1, 2, 3, 4, 5, 6, 7} < (vi){0} + (int)n; }
INLINE vf load_part(const float *p, size_t n) { return (vf)__builtin_ia32_maskloadps256((const vf *)p, first_lanes(n)); }
INLINE void store_part(float *p, vf v, size_t n) { __builtin_ia32_maskstoreps256((vf *)p, first_lanes(n), v); }
#else
INLINE vf load_part(const float *p, size_t n) {
  vf v = {0};
  memcpy(&v, p, n * sizeof(float));
  return v;
}
INLINE void store_part(float *p, vf v, size_t n) { memcpy(p, &v, n * sizeof(float)); }
#endif
INLINE vf splat(float a) { return (vf){0} + a; }
INLINE vf choose(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }

INLINE float horizontal(vf v) {
  float s = 0;
  for (int i = 0; i < VL; i++) s += v[i];
  return s;
}

// Runs STEP(load function, store function, index) over n elements, the last part with partial loads and stores.
#define FOR_VECTORS(n, BODY)                   \
  do {                                         \
    size_t i = 0;                              \
    for (; i + VL <= (n); i += VL) {           \
      BODY(load, store, )                      \
    }                                          \
    if (i < (n)) {                             \
      const size_t part = (n) - i;             \
      BODY(LOAD_PART, STORE_PART, )            \
    }                                          \
  } while (0)
#define LOAD_PART(p) load_part(p, part)
#define STORE_PART(p, v) store_part(p, v, part)

// Two vectors side by side: while a chain of operations on one waits for results, the other's proceeds. No instruction set
// passes them to functions, and none is: all that takes them is inlined.
#pragma clang diagnostic ignored "-Wpsabi"
typedef float pf __attribute__((vector_size(2 * JK_VECTOR_BYTES)));
typedef int32_t pi __attribute__((vector_size(2 * JK_VECTOR_BYTES)));
typedef uint32_t pu __attribute__((vector_size(2 * JK_VECTOR_BYTES)));

INLINE pf pair(vf low, vf high) {
  const vf halves[2] = {low, high};
  pf v;
  memcpy(&v, halves, sizeof v);
  return v;
}
INLINE vf low(pf v) { return load((const float *)&v); }
INLINE vf high(pf v) { return load((const float *)&v + VL); }
INLINE pf pair_of(float a) { return (pf){0} + a; }
INLINE pf choose_pairs(pi mask, pf yes, pf no) { return (pf)((mask & (pi)yes) | (~mask & (pi)no)); }

INLINE pf load_pair(const float *p) { return pair(load(p), load(p + VL)); }
INLINE void store_pair(float *p, pf v) {
  store(p, low(v));
  store(p + VL, high(v));
}
INLINE pf load_pair_part(const float *p, size_t n) {
  return n < VL ? pair(load_part(p, n), (vf){0}) : pair(load(p), load_part(p + VL, n - VL));
}
INLINE void store_pair_part(float *p, pf v, size_t n) {
  if (n < VL) return store_part(p, low(v), n);
  store(p, low(v));
  store_part(p + VL, high(v), n - VL);
}

// The same as FOR_VECTORS by pairs. BODY can load and store bf16 too, in rounded.inc.h.
#define FOR_PAIRS(n, BODY)                                                             \
  do {                                                                                 \
    size_t i = 0;                                                                      \
    for (; i + 2 * VL <= (n); i += 2 * VL) {                                           \
      BODY(load_pair, store_pair, load_rounded_pair, store_rounded_pair)               \
    }                                                                                  \
    if (i < (n)) {                                                                     \
      const size_t part = (n) - i;                                                     \
      BODY(LOAD_PAIR_PART, STORE_PAIR_PART, LOAD_ROUNDED_PAIR_PART, STORE_ROUNDED_PAIR_PART) \
    }                                                                                  \
  } while (0)
#define LOAD_PAIR_PART(p) load_pair_part(p, part)
#define STORE_PAIR_PART(p, v) store_pair_part(p, v, part)

// Φ(-a) and exp(-a²/2), a = |x| or 13.19 if that is less: exp(-a²/2) is then near the least of normal numbers, Φ(-a) below it.
//
// exp: coefficients of Cephes, relative error below 2 ulp. Φ(-a) = exp(-a²/2)·Q(1/(1 + 0.3 a)): polynomial of
// Tests/Goldens/fit_gelu.py (degree 8). Both polynomials in parts that don't wait for each other.
INLINE pf normal_tail(pf x, pf *a, pf *density) {
  const pf magnitude = (pf)((pi)x & 0x7fffffff), most = pair_of(13.19f);
  *a = choose_pairs((pi)(magnitude < most), magnitude, most);
  const pf y = *a * *a * -0.5f;

  const pf magic = pair_of(12582912.0f);  // rounds to the nearest integer n, which its last bits then hold
  const pf shifted = y * 1.44269504088896341f + magic, n = shifted - magic;
  pf r = y - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  const pf r2 = r * r;
  const pf p4 = r * 1.9875691500e-4f + 1.3981999507e-3f;
  const pf p2 = r * 8.3334519073e-3f + 4.1665795894e-2f;
  const pf p0 = r * 1.6666665459e-1f + 5.0000001201e-1f;
  const pf power = ((p4 * r2 + p2) * r2 + p0) * r2 + (r + 1.0f);
  *density = (pf)((pu)power + ((pu)shifted << 23));

  const pf t = 1.0f / (*a * 0.3f + 1.0f), t2 = t * t;
  const pf q6 = t * 3.608884025e-02f + -1.589337392e-01f;
  const pf q4 = t * 2.093464112e-01f + -5.645012095e-02f;
  const pf q2 = t * 1.300326348e-01f + 9.946505771e-02f;
  const pf q0 = t * 1.208263158e-01f + 1.196245408e-01f;
  return (((q6 * t2 + q4) * t2 + q2) * t2 + q0) * (t * *density);
}

// x·Φ(x) = max(x, 0) - a·Φ(-a).
INLINE pf gelu_of_tail(pf x, pf a, pf tail) { return choose_pairs((pi)(x < pair_of(0)), pair_of(0), x) - a * tail; }

INLINE pf gelu(pf x) {
  pf a, density;
  const pf tail = normal_tail(x, &a, &density);
  return gelu_of_tail(x, a, tail);
}

// Φ(x) + x·φ(x), and y = gelu(x).
INLINE pf gelu_derivative(pf x, pf *y) {
  pf a, density;
  const pf tail = normal_tail(x, &a, &density);
  *y = gelu_of_tail(x, a, tail);
  return choose_pairs((pi)(x < pair_of(0)), tail, 1.0f - tail) + x * (density * 0.398942280401432678f);
}

static void gelu_forward(const float *x, float *y, size_t n) {
#define BODY(LOAD, STORE, LOAD_16, STORE_16) STORE(y + i, gelu(LOAD(x + i)));
  FOR_PAIRS(n, BODY);
#undef BODY
}

static void gelu_backward(const float *x, const float *dy, float *dx, float *y, size_t n) {
#define BODY(LOAD, STORE, LOAD_16, STORE_16)              \
  pf g;                                                   \
  const pf derivative = gelu_derivative(LOAD(x + i), &g); \
  STORE(dx + i, LOAD(dy + i) * derivative);               \
  if (y) STORE(y + i, g);
  FOR_PAIRS(n, BODY);
#undef BODY
}

static void add_column_bias(float *x, const float *bias, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns) {
#define BODY(LOAD, STORE, _) STORE(x + i, LOAD(x + i) + LOAD(bias + i));
    FOR_VECTORS(columns, BODY);
#undef BODY
  }
}

static void add_row_bias(float *x, const float *bias, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns) {
    const vf b = splat(bias[r]);
#define BODY(LOAD, STORE, _) STORE(x + i, LOAD(x + i) + b);
    FOR_VECTORS(columns, BODY);
#undef BODY
  }
}

static void column_bias_gelu(float *u, const float *bias, float *y, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, u += columns, y += columns) {
#define BODY(LOAD, STORE, LOAD_16, STORE_16)  \
  const pf v = LOAD(u + i) + LOAD(bias + i);  \
  STORE(u + i, v);                            \
  STORE(y + i, gelu(v));
    FOR_PAIRS(columns, BODY);
#undef BODY
  }
}

static void row_bias_gelu(float *u, const float *bias, float *y, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, u += columns, y += columns) {
    const pf b = pair_of(bias[r]);
#define BODY(LOAD, STORE, LOAD_16, STORE_16) \
  const pf v = LOAD(u + i) + b;              \
  STORE(u + i, v);                           \
  STORE(y + i, gelu(v));
    FOR_PAIRS(columns, BODY);
#undef BODY
  }
}

static void column_sums(const float *x, float *sums, size_t rows, size_t columns) {
  // Four rows at a time, so that the sums are read and written once per four rows.
  size_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * columns) {
    const float *x1 = x + columns, *x2 = x1 + columns, *x3 = x2 + columns;
#define BODY(LOAD, STORE, _) \
  STORE(sums + i, LOAD(sums + i) + ((LOAD(x + i) + LOAD(x1 + i)) + (LOAD(x2 + i) + LOAD(x3 + i))));
    FOR_VECTORS(columns, BODY);
#undef BODY
  }
  for (; r < rows; r++, x += columns) {
#define BODY(LOAD, STORE, _) STORE(sums + i, LOAD(sums + i) + LOAD(x + i));
    FOR_VECTORS(columns, BODY);
#undef BODY
  }
}

// The sum of n elements: four vectors of partial sums per block, blocks added in double.
static double sum(const float *x, size_t n) {
  double total = 0;
  for (size_t start = 0; start < n; start += BLOCK) {
    const size_t end = start + BLOCK < n ? start + BLOCK : n;
    vf s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    size_t i = start;
    for (; i + 4 * VL <= end; i += 4 * VL) {
      s0 += load(x + i);
      s1 += load(x + i + VL);
      s2 += load(x + i + 2 * VL);
      s3 += load(x + i + 3 * VL);
    }
    for (; i + VL <= end; i += VL) s0 += load(x + i);
    if (i < end) s1 += load_part(x + i, end - i);
    total += horizontal((s0 + s1) + (s2 + s3));
  }
  return total;
}

static void row_sums(const float *x, float *sums, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns) sums[r] += (float)sum(x, columns);
}

static double sum_of_squares(const float *x, size_t n) {
  double total = 0;
  for (size_t start = 0; start < n; start += BLOCK) {
    const size_t end = start + BLOCK < n ? start + BLOCK : n;
    vf s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    size_t i = start;
    for (; i + 4 * VL <= end; i += 4 * VL) {
      const vf a = load(x + i), b = load(x + i + VL), c = load(x + i + 2 * VL), d = load(x + i + 3 * VL);
      s0 += a * a;
      s1 += b * b;
      s2 += c * c;
      s3 += d * d;
    }
    for (; i < end; i += VL) {
      const vf a = load_part(x + i, end - i < VL ? end - i : VL);
      s0 += a * a;
    }
    total += horizontal((s0 + s1) + (s2 + s3));
  }
  return total;
}

// Sum of (x - mean)², in the manner of `sum`.
static double centred_squares(const float *x, float mean, size_t n) {
  double total = 0;
  for (size_t start = 0; start < n; start += BLOCK) {
    const size_t end = start + BLOCK < n ? start + BLOCK : n;
    vf s0 = {0}, s1 = {0};
    size_t i = start;
    for (; i + 2 * VL <= end; i += 2 * VL) {
      const vf a = load(x + i) - mean, b = load(x + i + VL) - mean;
      s0 += a * a;
      s1 += b * b;
    }
    float rest = 0;
    for (; i < end; i++) rest += (x[i] - mean) * (x[i] - mean);
    total += horizontal(s0 + s1) + rest;
  }
  return total;
}

// LayerNorm in steps, for rows whose columns lie in several places; over whole rows below.

static void row_moments(const float *x, float *moments, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, moments += 2) {
    const float m = columns ? (float)(sum(x, columns) / (double)columns) : 0;
    moments[0] = m;
    moments[1] = (float)centred_squares(x, m, columns);
  }
}

static void normalize(const float *x, const float *scale, const float *shift, const float *mean, const float *rstd,
                      float *y, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
    const float m = mean[r], s = rstd[r];
#define BODY(LOAD, STORE, _) STORE(y + i, (LOAD(x + i) - m) * s * LOAD(scale + i) + LOAD(shift + i));
    FOR_VECTORS(columns, BODY);
#undef BODY
  }
}

static void normalize_sums(const float *x, const float *scale, const float *mean, const float *rstd, const float *dy,
                           float *sums, float *dscale, float *dshift, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, dy += columns, sums += 2) {
    const float m = mean[r], s = rstd[r];
    vf sum_g = {0}, sum_gn = {0};
#define BODY(LOAD, STORE, _)                        \
  const vf d = LOAD(dy + i), n = (LOAD(x + i) - m) * s; \
  const vf g = d * LOAD(scale + i);                 \
  sum_g += g;                                       \
  sum_gn += g * n;                                  \
  STORE(dscale + i, LOAD(dscale + i) + d * n);      \
  STORE(dshift + i, LOAD(dshift + i) + d);
    FOR_VECTORS(columns, BODY);
#undef BODY
    sums[0] = horizontal(sum_g);
    sums[1] = horizontal(sum_gn);
  }
}

static void normalize_backward(const float *x, const float *scale, const float *mean, const float *rstd,
                               const float *dy, const float *sums, float count, float *dx, bool accumulate,
                               size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns, sums += 2) {
    const float m = mean[r], s = rstd[r], mean_g = sums[0] / count, mean_gn = sums[1] / count;
#define BODY(LOAD, STORE, _)                                                    \
  const vf n = (LOAD(x + i) - m) * s;                                           \
  vf g = s * (LOAD(dy + i) * LOAD(scale + i) - mean_g - n * mean_gn);           \
  if (accumulate) g += LOAD(dx + i);                                            \
  STORE(dx + i, g);
    FOR_VECTORS(columns, BODY);
#undef BODY
  }
}

static void layer_norm_statistics(const float *x, float epsilon, float *mean, float *rstd, size_t columns) {
  float moments[2];
  row_moments(x, moments, 1, columns);
  *mean = moments[0];
  *rstd = (float)(1.0 / sqrt((double)moments[1] / (double)columns + epsilon));
}

static void layer_norm_forward(const float *x, size_t x_stride, const float *scale, const float *shift, float epsilon,
                               float *y, size_t y_stride, float *mean, float *rstd, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
    layer_norm_statistics(x, epsilon, mean + r, rstd + r, columns);
    normalize(x, scale, shift, mean + r, rstd + r, y, 1, columns);
  }
}

// With g = dy·scale and n = (x - mean)·rstd: dx = rstd·(g - mean(g) - n·mean(g·n)).
static void layer_norm_backward(const float *x, size_t x_stride, const float *scale, const float *mean,
                                const float *rstd, const float *dy, size_t dy_stride, float *dx, size_t dx_stride,
                                bool accumulate, float *dscale, float *dshift, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += x_stride, dy += dy_stride, dx += dx_stride) {
    float sums[2];
    normalize_sums(x, scale, mean + r, rstd + r, dy, sums, dscale, dshift, 1, columns);
    normalize_backward(x, scale, mean + r, rstd + r, dy, sums, (float)columns, dx, accumulate, 1, columns);
  }
}

static void add(float *y, const float *x, size_t n) {
#define BODY(LOAD, STORE, _) STORE(y + i, LOAD(y + i) + LOAD(x + i));
  FOR_VECTORS(n, BODY);
#undef BODY
}

static void scale(float *y, const float *x, float a, size_t n) {
#define BODY(LOAD, STORE, _) STORE(y + i, LOAD(x + i) * a);
  FOR_VECTORS(n, BODY);
#undef BODY
}

static void add_scaled_columns(const float *x, const float *factor, const float *d, float *y, size_t rows,
                               size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, d += columns, y += columns) {
#define BODY(LOAD, STORE, _) STORE(y + i, LOAD(x + i) + LOAD(factor + i) * LOAD(d + i));
    FOR_VECTORS(columns, BODY);
#undef BODY
  }
}

static void scale_columns(const float *x, const float *factor, float *y, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
#define BODY(LOAD, STORE, _) STORE(y + i, LOAD(factor + i) * LOAD(x + i));
    FOR_VECTORS(columns, BODY);
#undef BODY
  }
}

static double weighted_squares(const float *prediction, const float *target, const float *row_weights,
                               const float *column_weights, float *gradient, float gradient_scale, bool accumulate,
                               size_t rows, size_t columns) {
  double total = 0;
  for (size_t r = 0; r < rows; r++) {
    const float w = row_weights[r], factor = 2 * gradient_scale * w;
    vf s = {0};
#define BODY(LOAD, STORE, _)                                              \
  const vf weight = LOAD(column_weights + i) * w;                         \
  const vf e = weight * (LOAD(prediction + i) - LOAD(target + i));        \
  s += e * e;                                                             \
  if (gradient) {                                                         \
    vf g = e * LOAD(column_weights + i) * factor;                         \
    if (accumulate) g += LOAD(gradient + i);                              \
    STORE(gradient + i, g);                                               \
  }
    FOR_VECTORS(columns, BODY);
#undef BODY
    total += horizontal(s);
    prediction += columns;
    target += columns;
    if (gradient) gradient += columns;
  }
  return total;
}

static void adam_step(const jk_adam *c, float *parameter, float *gradient, float *moment1, float *moment2,
                      float *average, size_t n) {
  const float keep = 1 - c->learning_rate * c->decoupled_decay, step = c->learning_rate / c->bias_correction1;
  const float root = 1 / sqrtf(c->bias_correction2), b1 = c->beta1, b2 = c->beta2;
#define BODY(LOAD, STORE, _)                                                          \
  vf p = LOAD(parameter + i);                                                         \
  const vf g = LOAD(gradient + i) * c->gradient_scale + p * c->coupled_decay;         \
  const vf m = LOAD(moment1 + i) * b1 + g * (1 - b1);                                 \
  const vf v = LOAD(moment2 + i) * b2 + g * g * (1 - b2);                             \
  p = p * keep - m * step / (__builtin_elementwise_sqrt(v) * root + c->epsilon);      \
  STORE(gradient + i, (vf){0});                                                       \
  STORE(moment1 + i, m);                                                              \
  STORE(moment2 + i, v);                                                              \
  STORE(parameter + i, p);                                                            \
  if (average) STORE(average + i, LOAD(average + i) * c->average_decay + p * (1 - c->average_decay));
  FOR_VECTORS(n, BODY);
#undef BODY
}

// Philox-4x32-10 for VL consecutive blocks at once; out[word][lane].
INLINE void philox_blocks(const jk_stream *stream, uint64_t row, uint64_t block, vu out[4]) {
  vu c0, c1 = (vu){0} + (uint32_t)row, c2 = (vu){0} + (uint32_t)(row >> 32), c3 = (vu){0} + (uint32_t)stream->step;
  for (int lane = 0; lane < VL; lane++) {
    c0[lane] = (uint32_t)(block + lane);
    c2[lane] ^= (uint32_t)((block + lane) >> 32) << 16;
  }
  uint32_t k0 = stream->key[0], k1 = stream->key[1] ^ (uint32_t)(stream->step >> 32);
  for (int round = 0; round < 10; round++) {
    const vu2 p0 = __builtin_convertvector(c0, vu2) * (uint64_t)0xD2511F53u;
    const vu2 p1 = __builtin_convertvector(c2, vu2) * (uint64_t)0xCD9E8D57u;
    const vu n0 = __builtin_convertvector(p1 >> 32, vu) ^ c1 ^ k0, n2 = __builtin_convertvector(p0 >> 32, vu) ^ c3 ^ k1;
    c1 = __builtin_convertvector(p1, vu);
    c3 = __builtin_convertvector(p0, vu);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

static void dropout(const jk_stream *stream, uint64_t row, uint64_t column, float probability, const float *x, float *y,
                    size_t n) {
  const double limit = (double)probability * 4294967296.0;
  const uint32_t threshold = limit >= 4294967295.0 ? 4294967295u : (uint32_t)limit;
  const float factor = 1 / (1 - probability);
  size_t i = 0;
  while (i < n) {
    const uint64_t block = (column + i) / 4;
    vu words[4];
    philox_blocks(stream, row, block, words);
    const uint64_t first = block * 4;  // the column of the block's first random number
    for (size_t k = (size_t)(column + i - first); k < 4 * VL && i < n; k++, i++)
      y[i] = words[k % 4][k / 4] >= threshold ? x[i] * factor : 0.0f;
  }
}

// Eight floats whatever the instruction set: what is transposed in registers.
typedef float v8 __attribute__((vector_size(32)));
typedef int32_t i8 __attribute__((vector_size(32)));

INLINE void load8(v8 *v, const float *p) { memcpy(v, p, sizeof *v); }
INLINE void store8(float *p, const v8 *v) { memcpy(p, v, sizeof *v); }

INLINE void transpose8(v8 r[8]) {
  v8 t[8], s[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 8; i += 4) {
    s[i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    s[i + 1] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    s[i + 2] = __builtin_shufflevector(t[i + 1], t[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    s[i + 3] = __builtin_shufflevector(t[i + 1], t[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  for (int i = 0; i < 4; i++) {
    r[i] = __builtin_shufflevector(s[i], s[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    r[i + 4] = __builtin_shufflevector(s[i], s[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// All bits of an exponent are set in infinities and NaN alone.
#define EXPONENT 0x7f800000

typedef uint16_t unaligned16 __attribute__((aligned(1), may_alias));
typedef uint32_t unaligned32 __attribute__((aligned(1), may_alias));
typedef uint64_t unaligned64 __attribute__((aligned(1), may_alias));

static void unshuffle(const uint8_t *const *streams, size_t width, size_t first, size_t last, uint8_t *out) {
  const size_t count = last - first;
  const uint8_t *a = streams[0] + first, *b = streams[1] + first;
  if (width == 2) {
    unaligned16 *to = (unaligned16 *)out;
    for (size_t i = 0; i < count; i++) to[i] = (uint16_t)(a[i] | b[i] << 8);
    return;
  }
  const uint8_t *c = streams[2] + first, *d = streams[3] + first;
  if (width == 4) {
    unaligned32 *to = (unaligned32 *)out;
    for (size_t i = 0; i < count; i++) {
      to[i] = (uint32_t)a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
    }
    return;
  }
  const uint8_t *e = streams[4] + first, *f = streams[5] + first, *g = streams[6] + first, *h = streams[7] + first;
  unaligned64 *to = (unaligned64 *)out;
  for (size_t i = 0; i < count; i++) {
    const uint32_t low = (uint32_t)a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
    const uint32_t high = (uint32_t)e[i] | (uint32_t)f[i] << 8 | (uint32_t)g[i] << 16 | (uint32_t)h[i] << 24;
    to[i] = (uint64_t)high << 32 | low;
  }
}

static bool copy_plane(const float *in, ptrdiff_t in_row, ptrdiff_t in_column, float *out, ptrdiff_t out_row,
                       ptrdiff_t out_column, size_t rows, size_t columns) {
  i8 bad = {0};
  bool bad_one = false;
  if (in_column == 1 && out_column == 1) {
    for (size_t r = 0; r < rows; r++, in += in_row, out += out_row) {
      size_t c = 0;
      for (; c + 8 <= columns; c += 8) {
        v8 v;
        load8(&v, in + c);
        bad |= ((i8)v & EXPONENT) == EXPONENT;
        store8(out + c, &v);
      }
      for (; c < columns; c++) {
        bad_one |= !isfinite(in[c]);
        out[c] = in[c];
      }
    }
  } else {
    // Sixteen columns, a line of the cache, at a time; eight rows of them where the rows lie side by side.
    for (size_t c = 0; c < columns; c += 16) {
      const size_t width = columns - c < 16 ? columns - c : 16;
      size_t r = 0;
      if (in_row == 1 && out_column == 1 && width == 16) {
        for (; r + 8 <= rows; r += 8) {
          for (size_t half = c; half < c + 16; half += 8) {
            v8 v[8];
            for (int i = 0; i < 8; i++) {
              load8(&v[i], in + r + (ptrdiff_t)(half + i) * in_column);
              bad |= ((i8)v[i] & EXPONENT) == EXPONENT;
            }
            transpose8(v);
            for (int i = 0; i < 8; i++) store8(out + (ptrdiff_t)(r + i) * out_row + half, &v[i]);
          }
        }
      }
      for (; r < rows; r++) {
        for (size_t x = c; x < c + width; x++) {
          const float value = in[(ptrdiff_t)r * in_row + (ptrdiff_t)x * in_column];
          bad_one |= !isfinite(value);
          out[(ptrdiff_t)r * out_row + (ptrdiff_t)x * out_column] = value;
        }
      }
    }
  }
  for (int i = 0; i < 8; i++) bad_one |= bad[i] != 0;
  return !bad_one;
}

static void tile(const float *planes, size_t plane_stride, size_t fields, const float *mean, const float *factor,
                 const jk_tiling *tiling, size_t first, size_t last, size_t column_shift, float *out,
                 size_t token_stride, size_t point_stride) {
  const size_t height = tiling->tile_rows, width = tiling->tile_columns, columns = tiling->columns;
  const size_t across = columns / width;
  for (size_t t = first; t < last; t++, out += token_stride) {
    const float *top = planes + (t / across) * height * columns;
    const size_t start = ((t % across) * width + column_shift) % columns;
    // Columns before the planes' edge; the rest of the tile begins again at column 0.
    const size_t before = start + width <= columns ? width : columns - start;
    size_t f = 0;
    // Eight fields at eight points: transposed in registers, so that lines of both sides are read and written whole.
    for (; width % 8 == 0 && before == width && f + 8 <= fields; f += 8) {
      v8 m, a;
      load8(&m, mean + f);
      load8(&a, factor + f);
      for (size_t y = 0; y < height; y++) {
        const float *line = top + f * plane_stride + y * columns + start;
        for (size_t x = 0; x < width; x += 8) {
          v8 v[8];
          for (int i = 0; i < 8; i++) load8(&v[i], line + i * plane_stride + x);
          transpose8(v);
          float *o = out + (y * width + x) * point_stride + f;
          for (int i = 0; i < 8; i++) {
            v[i] = (v[i] - m) * a;
            store8(o + i * point_stride, &v[i]);
          }
        }
      }
    }
    for (; f < fields; f++) {
      const float m = mean[f], a = factor[f];
      float *o = out + f;
      for (size_t y = 0; y < height; y++) {
        const float *line = top + f * plane_stride + y * columns;
        for (size_t x = 0; x < before; x++, o += point_stride) *o = (line[start + x] - m) * a;
        for (size_t x = before; x < width; x++, o += point_stride) *o = (line[start + x - columns] - m) * a;
      }
    }
  }
}

static void untile(const float *values, size_t token_stride, size_t point_stride, size_t fields, const float *mean,
                   const float *factor, const jk_tiling *tiling, size_t first, size_t last, float *planes,
                   size_t plane_stride) {
  const size_t height = tiling->tile_rows, width = tiling->tile_columns, across = tiling->columns / width;
  for (size_t t = first; t < last; t++, values += token_stride) {
    float *corner = planes + (t / across) * height * tiling->columns + (t % across) * width;
    for (size_t f = 0; f < fields; f++) {
      const float m = mean[f], a = factor[f];
      const float *v = values + f;
      for (size_t y = 0; y < height; y++) {
        float *line = corner + f * plane_stride + y * tiling->columns;
        for (size_t x = 0; x < width; x++, v += point_stride) line[x] = *v * a + m;
      }
    }
  }
}

static double multiply_add_rate(double seconds) {
  // Twelve chains hide the latency of the unit; values stay near 1 whatever the count. The compiler must not know where they
  // start: it finds that one which starts at 1 stays there, and leaves its operations out.
  volatile float hidden = 1;
  const float s = hidden;
  vf a0 = splat(1.00f * s), a1 = splat(1.01f * s), a2 = splat(1.02f * s), a3 = splat(1.03f * s),
     a4 = splat(1.04f * s), a5 = splat(1.05f * s), a6 = splat(1.06f * s), a7 = splat(1.07f * s),
     a8 = splat(1.08f * s), a9 = splat(1.09f * s), a10 = splat(1.10f * s), a11 = splat(1.11f * s);
  const vf b = splat(0.999f), c = splat(0.001f);
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  double count = 0, elapsed, best = 0;
  do {
    struct timespec from;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int k = 0; k < 20000; k++) {
      a0 = a0 * b + c, a1 = a1 * b + c, a2 = a2 * b + c, a3 = a3 * b + c, a4 = a4 * b + c, a5 = a5 * b + c;
      a6 = a6 * b + c, a7 = a7 * b + c, a8 = a8 * b + c, a9 = a9 * b + c, a10 = a10 * b + c, a11 = a11 * b + c;
      __asm__ volatile("" ::: "memory");
    }
    count = 20000.0 * 12 * VL * 2;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double rate = count / ((double)(now.tv_sec - from.tv_sec) + 1e-9 * (double)(now.tv_nsec - from.tv_nsec));
    if (rate > best) best = rate;
    elapsed = (double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec);
  } while (elapsed < seconds);
  volatile float sink = horizontal(a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11);
  (void)sink;
  return best;
}

#include "products.inc.h"
#include "rounded.inc.h"
#include "graph.inc.h"
#include "window.inc.h"

const jk_kernels JK_TABLE = {
    .name = JK_NAME,
    .gelu_forward = gelu_forward,
    .gelu_backward = gelu_backward,
    .add_column_bias = add_column_bias,
    .add_row_bias = add_row_bias,
    .column_bias_gelu = column_bias_gelu,
    .row_bias_gelu = row_bias_gelu,
    .column_sums = column_sums,
    .row_sums = row_sums,
    .layer_norm_forward = layer_norm_forward,
    .layer_norm_backward = layer_norm_backward,
    .row_moments = row_moments,
    .normalize = normalize,
    .normalize_sums = normalize_sums,
    .normalize_backward = normalize_backward,
    .add = add,
    .scale = scale,
    .add_scaled_columns = add_scaled_columns,
    .scale_columns = scale_columns,
    .sum_of_squares = sum_of_squares,
    .weighted_squares = weighted_squares,
    .adam_step = adam_step,
    .dropout = dropout,
    .copy_plane = copy_plane,
    .unshuffle = unshuffle,
    .tile = tile,
    .untile = untile,
    .product = product,
    .product_scratch = product_scratch,
    .epilogue = epilogue,
    .rounded_epilogue = rounded_epilogue,
    .gelu_of_rounded = gelu_of_rounded,
    .gelu_backward_of_rounded = gelu_backward_of_rounded,
    .column_sums_of_rounded = column_sums_of_rounded,
    .row_sums_of_rounded = row_sums_of_rounded,
    .layer_norm_rounded = layer_norm_rounded,
    .edge_attention_forward = edge_attention_forward,
    .edge_attention_backward = edge_attention_backward,
    .edge_attention_backward_sources = edge_attention_backward_sources,
    .window_forward = window_forward,
    .window_backward = window_backward,
    .activation_forward = activation_forward,
    .activation_backward = activation_backward,
    .gated_forward = gated_forward,
    .gated_backward = gated_backward,
    .multiply_add_rate = multiply_add_rate,
};
