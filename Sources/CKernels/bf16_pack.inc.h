// Rounding to bf16 and packing (CKernelsBF16.h has the form), included by each bf16_*.c. Vectors of 16 numbers, which the
// compiler cuts to what the CPU has; they are passed by address, since how they are passed by value depends on the CPU.

#define INLINE static inline __attribute__((always_inline))
#define LANES 16
#define TILE (LANES * JK_BF16_STEP)  // bf16 numbers
#define UPPER 0xffff0000u

typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef uint32_t w16 __attribute__((vector_size(64)));
typedef uint16_t h16 __attribute__((vector_size(32)));
typedef uint16_t h32 __attribute__((vector_size(64)));

INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
INLINE size_t rounded_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

/// Rounded numbers in the upper halves of *t, anything below.
INLINE void round_upper(const v16 *x, w16 *t) {
  const w16 u = (w16)*x;
  const w16 nan = (w16)((u & 0x7fffffff) > 0x7f800000);
  *t = (nan & (u | 0x400000)) | (~nan & (u + 0x7fff + (u >> 16 & 1)));
}

/// Upper halves of two vectors: the first 16, then the second; or in pairs of one each.
INLINE void join_upper(const w16 *t0, const w16 *t1, bool in_pairs, w16 *out) {
  if (in_pairs) {
    *out = *t0 >> 16 | (*t1 & UPPER);
  } else {
    const h16 halves[2] = {__builtin_convertvector(*t0 >> 16, h16), __builtin_convertvector(*t1 >> 16, h16)};
    memcpy(out, halves, sizeof halves);
  }
}

/// Two vectors rounded, joined as above.
INLINE void round_two(const v16 *x0, const v16 *x1, bool in_pairs, w16 *out) {
#if defined(ROUND_PACKED)
  ROUND_PACKED(x0, x1, out);
  if (in_pairs) {
    const h32 h = (h32)*out;
    *out = (w16)__builtin_shufflevector(h, h, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26,
                                        11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
#else
  w16 t0, t1;
  round_upper(x0, &t0);
  round_upper(x1, &t1);
  join_upper(&t0, &t1, in_pairs, out);
#endif
}

/// In two parts: what rounding to *high takes away is rounded to *low.
INLINE void split_two(const v16 *x0, const v16 *x1, bool in_pairs, w16 *high, w16 *low) {
  w16 t0, t1;
  round_upper(x0, &t0);
  round_upper(x1, &t1);
  join_upper(&t0, &t1, in_pairs, high);
  const v16 r0 = *x0 - (v16)(t0 & UPPER), r1 = *x1 - (v16)(t1 & UPPER);
  round_upper(&r0, &t0);
  round_upper(&r1, &t1);
  join_upper(&t0, &t1, in_pairs, low);
}

static void round_numbers(const float *x, uint16_t *y, size_t n) {
  for (size_t i = 0; i < n; i += 2 * LANES) {
    v16 parts[2] = {0};
    w16 rounded;
    const size_t count = smaller(n - i, 2 * LANES);
    memcpy(parts, x + i, count * sizeof(float));
    round_two(&parts[0], &parts[1], false, &rounded);
    memcpy(y + i, &rounded, count * sizeof(uint16_t));
  }
}

static void widen_numbers(const uint16_t *x, float *y, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const uint32_t bits = (uint32_t)x[i] << 16;
    memcpy(y + i, &bits, sizeof bits);
  }
}

/// The first `count` of 16 numbers of an operand from `index` on; the others are zero.
INLINE void load_numbers(const jk_bf16_operand *x, size_t index, size_t count, v16 *out) {
  if (x->storage == jk_stored_float32) {
    const float *from = (const float *)x->data + index;
    if (count == LANES) {
      memcpy(out, from, sizeof *out);
    } else {
      *out = (v16){0};
      memcpy(out, from, count * sizeof(float));
    }
  } else {
    h16 halves = {0};
    memcpy(&halves, (const uint16_t *)x->data + index, count * sizeof(uint16_t));
    *out = (v16)(__builtin_convertvector(halves, w16) << 16);
  }
}

/// Transposes 16 x 16 pairs: rows at distance 8, interleaved four times.
static void transpose_pairs(w16 r[LANES]) {
  w16 s[LANES];
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 8; i++) {
      s[2 * i] = __builtin_shufflevector(r[i], r[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      s[2 * i + 1] =
          __builtin_shufflevector(r[i], r[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    for (int i = 0; i < 8; i++) {
      r[2 * i] = __builtin_shufflevector(s[i], s[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      r[2 * i + 1] =
          __builtin_shufflevector(s[i], s[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
  }
}

/// One step of a panel: numbers [p, p + 32) of lines [line, line + 32), of which `depth` and `lines` exist. `along`: the
/// numbers of a line are adjacent in memory.
static void pack_step(const jk_bf16_operand *x, bool left, bool along, size_t line, size_t lines, size_t p, size_t depth,
                      int parts, uint16_t *out) {
  for (size_t tile = 0; tile < 2; tile++) {
    const size_t first = tile * LANES, count = lines > first ? smaller(lines - first, LANES) : 0;
    w16 high[LANES], low[LANES];
    for (size_t q = 0; q < LANES; q++) {
      v16 x0, x1;
      if (along) {  // a line
        const size_t index = (line + first + q) * x->stride + p, here = q < count ? depth : 0;
        load_numbers(x, here ? index : 0, smaller(here, LANES), &x0);
        load_numbers(x, here > LANES ? index + LANES : 0, here > LANES ? here - LANES : 0, &x1);
      } else {  // a pair of all lines
        const size_t index = (p + 2 * q) * x->stride + line + first;
        const size_t here0 = 2 * q < depth ? count : 0, here1 = 2 * q + 1 < depth ? count : 0;
        load_numbers(x, here0 ? index : 0, here0, &x0);
        load_numbers(x, here1 ? index + x->stride : 0, here1, &x1);
      }
      if (parts == 1) {
        round_two(&x0, &x1, !along, &high[q]);
      } else {
        split_two(&x0, &x1, !along, &high[q], &low[q]);
      }
    }
    if (along != left) transpose_pairs(high);
    memcpy(out + tile * TILE, high, sizeof high);
    if (parts == 1) continue;
    if (along != left) transpose_pairs(low);
    memcpy(out + (2 + tile) * TILE, low, sizeof low);
  }
}

static void pack(const jk_bf16_operand *x, bool left, size_t lines, size_t k, int parts, uint16_t *out) {
  const bool along = left != x->transposed;
  const size_t panel = jk_bf16_panel_size(k, parts), step = jk_bf16_panel_size(1, parts);
  if (along) {
    for (size_t l = 0; l < lines; l += JK_BF16_LINES) {
      for (size_t p = 0; p < k; p += JK_BF16_STEP) {
        pack_step(x, left, true, l, smaller(lines - l, JK_BF16_LINES), p, smaller(k - p, JK_BF16_STEP), parts,
                  out + l / JK_BF16_LINES * panel + p / JK_BF16_STEP * step);
      }
    }
  } else {  // panels side by side, so that lines of memory are read whole
    for (size_t p = 0; p < k; p += JK_BF16_STEP) {
      for (size_t l = 0; l < lines; l += JK_BF16_LINES) {
        pack_step(x, left, false, l, smaller(lines - l, JK_BF16_LINES), p, smaller(k - p, JK_BF16_STEP), parts,
                  out + l / JK_BF16_LINES * panel + p / JK_BF16_STEP * step);
      }
    }
  }
}
