#include "instructions.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "KernelEmulation.h"

#pragma STDC FP_CONTRACT OFF

#define TILES 8
#define ROWS 16
#define ROW_BYTES 64

/// What a thread's tile registers hold; all of it is lost when they are configured anew or released.
static _Thread_local struct {
  int configured;
  uint8_t rows[TILES];
  uint16_t row_bytes[TILES];
  uint8_t data[TILES][ROWS][ROW_BYTES];
  size_t faults;
} state;

size_t emulated_faults(void) { return state.faults; }

static int fault(int condition) {
  if (condition) state.faults++;
  return condition;
}

/// Numbers below the normal ones count as zero, of operands and of results.
static float flushed(float x) { return fabsf(x) < FLT_MIN ? copysignf(0, x) : x; }

/// The upper half of an FP32 number.
static float widened(uint16_t x) {
  const uint32_t bits = (uint32_t)x << 16;
  float y;
  memcpy(&y, &bits, sizeof y);
  return flushed(y);
}

static uint16_t rounded(float x) {
  uint32_t bits;
  x = flushed(x);
  memcpy(&bits, &x, sizeof bits);
  if (isnan(x)) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float add_product(float sum, float a, float b) { return flushed(fmaf(a, b, flushed(sum))); }

void emulate_configure(const void *configuration) {
  const uint8_t *bytes = configuration;
  int wrong = bytes[0] != 1 || bytes[1] != 0;  // palette, row to start at
  for (int i = 2; i < 16; i++) wrong |= bytes[i] != 0;
  memset(state.data, 0, sizeof state.data);
  for (int i = 0; i < 16; i++) {
    uint16_t row_bytes;
    memcpy(&row_bytes, bytes + 16 + 2 * i, sizeof row_bytes);
    const uint8_t rows = bytes[48 + i];
    wrong |= i < TILES ? row_bytes > ROW_BYTES || rows > ROWS || (row_bytes == 0) != (rows == 0) : row_bytes || rows;
    if (i < TILES) {
      state.rows[i] = rows;
      state.row_bytes[i] = row_bytes;
    }
  }
  state.configured = !fault(wrong);
}

void emulate_release(void) {
  memset(state.data, 0, sizeof state.data);
  state.configured = 0;
}

static int unusable(int tile) { return fault(!state.configured || tile < 0 || tile >= TILES || !state.rows[tile]); }

void emulate_zero(int tile) {
  if (unusable(tile)) return;
  memset(state.data[tile], 0, sizeof state.data[tile]);
}

void emulate_load(int tile, const void *from, size_t stride) {
  if (unusable(tile)) return;
  memset(state.data[tile], 0, sizeof state.data[tile]);
  for (int i = 0; i < state.rows[tile]; i++) {
    memcpy(state.data[tile][i], (const uint8_t *)from + (size_t)i * stride, state.row_bytes[tile]);
  }
}

void emulate_store(int tile, void *to, size_t stride) {
  if (unusable(tile)) return;
  for (int i = 0; i < state.rows[tile]; i++) {
    memcpy((uint8_t *)to + (size_t)i * stride, state.data[tile][i], state.row_bytes[tile]);
  }
}

static float number(int tile, int row, int index) {
  uint16_t x;
  memcpy(&x, &state.data[tile][row][2 * index], sizeof x);
  return widened(x);
}

void emulate_tile_products(int sum, int a, int b) {
  if (unusable(sum) | unusable(a) | unusable(b)) return;
  if (fault(sum == a || sum == b || a == b || state.rows[sum] != state.rows[a] ||
            state.row_bytes[a] / 4 != state.rows[b] || state.row_bytes[sum] != state.row_bytes[b] ||
            state.row_bytes[sum] % 4 || state.row_bytes[a] % 4)) {
    return;
  }
  const int columns = state.row_bytes[sum] / 4, pairs = state.row_bytes[a] / 4;
  float right[ROWS][2 * ROWS];
  for (int k = 0; k < pairs; k++) {
    for (int i = 0; i < 2 * columns; i++) right[k][i] = number(b, k, i);
  }
  for (int m = 0; m < state.rows[sum]; m++) {
    // First and second numbers of the pairs are summed apart from zero, then added, then to what was there.
    float sums[ROWS][2] = {{0}};
    for (int k = 0; k < pairs; k++) {
      for (int i = 0; i < 2; i++) {
        const float left = number(a, m, 2 * k + i);
        for (int n = 0; n < columns; n++) sums[n][i] = add_product(sums[n][i], left, right[k][2 * n + i]);
      }
    }
    for (int n = 0; n < columns; n++) {
      float before;
      memcpy(&before, &state.data[sum][m][4 * n], sizeof before);
      const float after = flushed(flushed(before) + flushed(sums[n][0] + sums[n][1]));
      memcpy(&state.data[sum][m][4 * n], &after, sizeof after);
    }
  }
}

void emulate_add_pairs(float *sum, const uint32_t *a, const uint32_t *b) {
  for (int i = 0; i < 16; i++) {
    sum[i] = add_product(sum[i], widened((uint16_t)(a[i] >> 16)), widened((uint16_t)(b[i] >> 16)));
    sum[i] = add_product(sum[i], widened((uint16_t)a[i]), widened((uint16_t)b[i]));
  }
}

void emulate_round(const float *first, const float *second, uint16_t *out) {
  for (int i = 0; i < 16; i++) {
    out[i] = rounded(first[i]);
    out[16 + i] = rounded(second[i]);
  }
}

extern const jk_bf16_unit emulated_amx, emulated_avx512bf16;

const jk_bf16_unit *emulated_unit(const char *name) {
  if (strcmp(name, "amx") == 0) return &emulated_amx;
  return strcmp(name, "avx512bf16") == 0 ? &emulated_avx512bf16 : NULL;
}
