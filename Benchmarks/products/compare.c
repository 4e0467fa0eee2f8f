// GEMMs by several variants of our kernels in turn, on one thread, over shapes that trainings have. compare.py compiles this file with
// the variants' tables.
//
// Other load on the machine spoils any time of some milliseconds. So each GEMM's time is taken piece by piece, at the pauses
// after some tenths of a millisecond; of each piece the lower fifth over the repetitions counts, and their sum is shown.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "CKernels.h"
#include "variants.h"  // variants[], names[], VARIANTS

#define PIECES 16384
#define REPETITIONS 64
#define SETS 3  // of operands, so that they come from memory as in a training

static double times[VARIANTS][REPETITIONS][PIECES];
static double *next;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void note(void *_) { *next++ = now(); }

static float *memory(size_t count) {
  const size_t page = 2 << 20, bytes = (count * sizeof(float) + page - 1) / page * page;
  float *x = aligned_alloc(page, bytes);
  if (!x) exit(1);
  madvise(x, bytes, MADV_HUGEPAGE);
  for (size_t i = 0; i < count; i++) x[i] = (float)((i * 2654435761u >> 8) & 0xffff) / 65536.f - 0.5f;
  return x;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double lower_fifth(int variant, size_t piece, int repetitions) {
  double piece_times[REPETITIONS];
  for (int r = 0; r < repetitions; r++) piece_times[r] = times[variant][r][piece + 1] - times[variant][r][piece];
  qsort(piece_times, (size_t)repetitions, sizeof(double), by_value);
  return piece_times[repetitions / 5];
}

int main(int count, char **arguments) {
  static const struct {
    size_t m, n, k;
    bool a_transposed, b_transposed;
  } shapes[] = {
      {2048, 1024, 1024, 0, 1}, {2048, 1024, 1024, 0, 0}, {1024, 1024, 2048, 1, 0},  // channel mixing, D 1024, T 2048
      {512, 1024, 2048, 0, 0},  {2048, 1024, 512, 0, 0},  {2048, 1024, 512, 1, 0},   // token mixing
      {512, 1024, 2048, 1, 0},  {512, 2048, 1024, 0, 1},  {2048, 512, 1024, 0, 1},
      {2048, 1104, 1024, 0, 1},                                                      // decoder
      {2048, 2048, 2048, 0, 1}, {2048, 2048, 2048, 1, 0},                            // channel mixing, D 2048
      {4096, 512, 512, 0, 1},   {512, 512, 4096, 1, 0},                              // D 512, T 4096
      {16384, 256, 256, 0, 1},  {256, 256, 16384, 1, 0},                             // D 256, T 16384
  };
  const size_t shape_count = sizeof shapes / sizeof *shapes;
  const int repetitions = count > 1 ? atoi(arguments[1]) : 16;
  if (repetitions < 1 || repetitions > REPETITIONS) {
    fprintf(stderr, "repetitions: %d, but at least 1 and at most %d\n", repetitions, REPETITIONS);
    return 1;
  }
  double peak = 0, total[VARIANTS] = {0};
  for (int i = 0; i < 20; i++) {
    const double rate = variants[0]->multiply_add_rate(0.01);
    if (rate > peak) peak = rate;
  }
  printf("%16s %8s", "m x n x k", names[0]);
  for (int v = 1; v < VARIANTS; v++) printf(" %12s", names[v]);
  printf("\n");
  for (size_t s = 0; s < shape_count; s++) {
    const size_t m = shapes[s].m, n = shapes[s].n, k = shapes[s].k;
    float *a[SETS], *b[SETS], *c[SETS];
    for (int i = 0; i < SETS; i++) {
      a[i] = memory(m * k);
      b[i] = memory(k * n);
      c[i] = memory(m * n);
    }
    size_t pieces[VARIANTS];
    for (int r = 0; r < repetitions; r++) {
      for (int turn = 0; turn < VARIANTS; turn++) {
        const int v = (turn + r) % VARIANTS, i = (VARIANTS * r + turn) % SETS;
        const jk_operand x = {.data = a[i], .stride = shapes[s].a_transposed ? m : k, .transposed = shapes[s].a_transposed};
        const jk_operand y = {.data = b[i], .stride = shapes[s].b_transposed ? k : n, .transposed = shapes[s].b_transposed};
        float *scratch = aligned_alloc(64, (variants[v]->product_scratch(m, n, k) * sizeof(float) + 63) / 64 * 64);
        if (!scratch) return 1;
        next = times[v][r];
        note(NULL);
        variants[v]->product(&x, &y, m, n, k, false, c[i], n, NULL, scratch, note, NULL);
        note(NULL);
        pieces[v] = (size_t)(next - times[v][r]) - 1;
        free(scratch);
      }
    }
    char shape[64];
    snprintf(shape, sizeof shape, "%zux%zux%zu", m, n, k);
    printf("%16s", shape);
    double first = 0;
    for (int v = 0; v < VARIANTS; v++) {
      double seconds = 0;
      for (size_t i = 0; i < pieces[v]; i++) seconds += lower_fifth(v, i, repetitions);
      const double share = 2.0 * (double)m * (double)n * (double)k / seconds / peak;
      total[v] += 1 / share;
      if (v == 0) {
        first = share;
        printf(" %6.1f %%", 100 * share);
      } else {
        printf(" %+10.1f %%", 100 * (share / first - 1));
      }
    }
    printf("\n");
    fflush(stdout);
    for (int i = 0; i < SETS; i++) {
      free(a[i]);
      free(b[i]);
      free(c[i]);
    }
  }
  printf("%16s %6.1f %%", "harmonic mean", 100 * (double)shape_count / total[0]);
  for (int v = 1; v < VARIANTS; v++) printf(" %+10.1f %%", 100 * (total[0] / total[v] - 1));
  printf("\n%16s %.1f GFLOP/s\n", "FMA peak", peak / 1e9);
}
