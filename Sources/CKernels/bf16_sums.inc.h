// Sums of a block in vector registers, for units that multiply pairs of numbers lane by lane:
//   JK_ADD_PAIRS(sum, word, pairs): sum[l] += the pair `word` of a line of A times the pair of line l of B.
// SUM_ROWS x SUM_TILES vectors of sums fill the registers.

/// Which parts of A and B are multiplied, in this order.
static const struct {
  int count;
  struct {
    size_t a, b;
  } of[3];
} passes[] = {{1, {{0, 0}}}, {3, {{0, 1}, {0, 0}, {1, 0}}}};

INLINE void begin_panels(void) {}
INLINE void end_panels(void) {}

static void sum_rows(size_t steps, int parts, const uint16_t *a, const uint16_t *b, float *c, size_t c_stride, bool add) {
  const size_t step = jk_bf16_panel_size(1, parts);
  v16 sum[SUM_ROWS][SUM_TILES];
#pragma clang loop unroll(full)
  for (int i = 0; i < SUM_ROWS; i++) {
#pragma clang loop unroll(full)
    for (int j = 0; j < SUM_TILES; j++) sum[i][j] = add ? *(const v16 *)(c + (size_t)i * c_stride + j * LANES) : (v16){0};
  }
  for (size_t s = 0; s < steps; s++) {
    for (int pass = 0; pass < passes[parts - 1].count; pass++) {
      const uint16_t *x = a + s * step + passes[parts - 1].of[pass].a * 2 * TILE;
      const uint16_t *y = b + s * step + passes[parts - 1].of[pass].b * 2 * TILE;
      for (size_t pair = 0; pair < LANES; pair++) {
        const w16 *pairs = (const w16 *)y + pair;
#pragma clang loop unroll(full)
        for (int i = 0; i < SUM_ROWS; i++) {
          uint32_t word;
          memcpy(&word, x + 2 * ((size_t)i * LANES + pair), sizeof word);
#pragma clang loop unroll(full)
          for (int j = 0; j < SUM_TILES; j++) JK_ADD_PAIRS(&sum[i][j], word, pairs + j * LANES);
        }
      }
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < SUM_ROWS; i++) {
#pragma clang loop unroll(full)
    for (int j = 0; j < SUM_TILES; j++) *(v16 *)(c + (size_t)i * c_stride + j * LANES) = sum[i][j];
  }
}

static void sum_block(size_t steps, int parts, const uint16_t *a, const uint16_t *b, float *c, size_t c_stride, bool add) {
  for (size_t j = 0; j < JK_BF16_LINES; j += SUM_TILES * LANES) {
    for (size_t i = 0; i < JK_BF16_LINES; i += SUM_ROWS) {
      // A row of a tile holds 32 numbers, so rows of both tiles of a part follow each other.
      sum_rows(steps, parts, a + i * JK_BF16_STEP, b + j * JK_BF16_STEP, c + i * c_stride + j, c_stride, add);
    }
  }
}
