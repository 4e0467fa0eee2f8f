// A decoded sample of 0.25° on its way into the training layout [token, point, field], in two ways: fields whole in memory, then
// one pass that normalises and tiles them, as the loader does it; or every decoded chunk (a variable on 13 levels, or a field of the
// surface) normalised and written to its places in the layout at once. Seconds of processor time, the best of nine.
//   clang -O2 -ISources/CKernels/include Benchmarks/reading/layout.c Sources/CKernels/*.c -lm -o /tmp/layout && /tmp/layout
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CKernels.h"

enum { ROWS = 720, COLUMNS = 1440, LEVELS = 13, ON_LEVELS = 4, FIELDS = 70, PATCH = 8, POINTS = PATCH * PATCH };

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void) {
  const jk_kernels *kernels = jk_current();
  const size_t size = (size_t)ROWS * COLUMNS, tokens = size / POINTS;
  float *decoded = calloc(size * FIELDS, sizeof(float)), *planes = calloc(size * FIELDS, sizeof(float)),
        *layout = calloc(size * FIELDS, sizeof(float));
  if (!decoded || !planes || !layout) return 1;
  float mean[FIELDS], factor[FIELDS];
  for (int i = 0; i < FIELDS; i++) {
    mean[i] = (float)i;
    factor[i] = 1.5f;
  }
  for (size_t i = 0; i < size * FIELDS; i++) decoded[i] = (float)(i % 977);
  const jk_tiling tiling = {ROWS, COLUMNS, PATCH, PATCH};
  double whole = 1e9, pass = 1e9, pieces = 1e9;
  for (int round = 0; round < 9; round++) {
    const double start = seconds();
    memcpy(planes, decoded, size * FIELDS * sizeof(float));
    const double copied = seconds();
    kernels->tile(planes, size, FIELDS, mean, factor, &tiling, 0, tokens, 0, layout, POINTS * FIELDS, FIELDS);
    const double tiled = seconds();
    for (int first = 0, count; first < FIELDS; first += count) {
      count = first < ON_LEVELS * LEVELS ? LEVELS : 1;
      kernels->tile(decoded + first * size, size, (size_t)count, mean + first, factor + first, &tiling, 0, tokens, 0,
                    layout + first, POINTS * FIELDS, FIELDS);
    }
    const double done = seconds();
    if (tiled - start < whole) whole = tiled - start;
    if (tiled - copied < pass) pass = tiled - copied;
    if (done - tiled < pieces) pieces = done - tiled;
  }
  printf("fields whole in memory: %.3f s, of it normalising and tiling %.3f s; chunk by chunk: %.3f s\n", whole, pass, pieces);
  return 0;
}
