#if defined(__x86_64__) || defined(JK_EMULATED)
#include <string.h>

#include "CKernelsBF16.h"
#include "bf16_instructions.inc.h"

#if !defined(JK_EMULATED)
#define JK_BF16_NAME "amx"
#define JK_BF16_TABLE jk_bf16_amx
#pragma clang attribute push(__attribute__((target("amx-tile,amx-bf16,avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2"))), apply_to = function)
#endif

#include "bf16_pack.inc.h"

#define JK_BF16_NATIVE true
// Long sums keep C in tile registers: with sums in halves C would be read and written twice, which costs more bandwidth
// than a panel of B that lies in the second cache instead of the first.
#define BLOCK_INNER 1024
#define BLOCK_ROWS 512
#define PAUSE_COLUMNS 256

/// Eight tiles of 16 rows of 64 bytes (palette 1): 0 to 3 sums [2, 2], 4 and 5 rows of A, 6 and 7 columns of B.
static void begin_panels(void) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } configuration __attribute__((aligned(64))) = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    configuration.row_bytes[i] = 64;
    configuration.rows[i] = 16;
  }
  TILE_CONFIGURE(&configuration);
}

static void end_panels(void) { TILE_RELEASE(); }

#define ADD_FOUR             \
  do {                       \
    TILE_ADD_PAIRS(0, 4, 6); \
    TILE_ADD_PAIRS(1, 4, 7); \
    TILE_ADD_PAIRS(2, 5, 6); \
    TILE_ADD_PAIRS(3, 5, 7); \
  } while (0)

#define LOAD_TWO(first, second, from)     \
  do {                                    \
    TILE_LOAD(first, from, 64);           \
    TILE_LOAD(second, (from) + TILE, 64); \
  } while (0)

static void sum_block(size_t steps, int parts, const uint16_t *a, const uint16_t *b, float *c, size_t c_stride, bool add) {
  const size_t row = c_stride * sizeof(float);
  float *const below = c + LANES * c_stride;
  if (add) {
    TILE_LOAD(0, c, row);
    TILE_LOAD(1, c + LANES, row);
    TILE_LOAD(2, below, row);
    TILE_LOAD(3, below + LANES, row);
  } else {
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
  }
  if (parts == 1) {
    for (size_t s = 0; s < steps; s++) {
      LOAD_TWO(4, 5, a);
      LOAD_TWO(6, 7, b);
      ADD_FOUR;
      a += 2 * TILE;
      b += 2 * TILE;
    }
  } else {  // high·low, high·high, low·high: one pair of tiles is loaded for each four products after the first
    for (size_t s = 0; s < steps; s++) {
      LOAD_TWO(4, 5, a);
      LOAD_TWO(6, 7, b + 2 * TILE);
      ADD_FOUR;
      LOAD_TWO(6, 7, b);
      ADD_FOUR;
      LOAD_TWO(4, 5, a + 2 * TILE);
      ADD_FOUR;
      a += 4 * TILE;
      b += 4 * TILE;
    }
  }
  TILE_STORE(0, c, row);
  TILE_STORE(1, c + LANES, row);
  TILE_STORE(2, below, row);
  TILE_STORE(3, below + LANES, row);
}

#include "bf16_product.inc.h"

#if !defined(JK_EMULATED)
#pragma clang attribute pop
#endif
#endif
