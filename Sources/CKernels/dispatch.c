#include <stdatomic.h>
#include <string.h>

#include "CKernels.h"

extern const jk_kernels jk_kernels_baseline;
#if defined(__x86_64__)
extern const jk_kernels jk_kernels_avx2;
extern const jk_kernels jk_kernels_avx512;
#endif

const jk_kernels *jk_named(const char *name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && strcmp(name, "avx512") == 0) return &jk_kernels_avx512;
  if (avx2 && strcmp(name, "avx2") == 0) return &jk_kernels_avx2;
#endif
  return strcmp(name, "baseline") == 0 ? &jk_kernels_baseline : NULL;
}

const jk_kernels *jk_current(void) {
  static _Atomic(const jk_kernels *) chosen = NULL;
  const jk_kernels *kernels = atomic_load_explicit(&chosen, memory_order_acquire);
  if (!kernels) {
    static const char *const names[] = {"avx512", "avx2", "baseline"};
    for (int i = 0; !kernels; i++) kernels = jk_named(names[i]);
    atomic_store_explicit(&chosen, kernels, memory_order_release);
  }
  return kernels;
}

void jk_philox(const jk_stream *stream, uint64_t row, uint64_t block, uint32_t out[4]) {
  // The counter words: block (columns / 4), row (low, high), step. 2^32 blocks, 2^32 steps are ample.
  uint32_t c0 = (uint32_t)block, c1 = (uint32_t)row, c2 = (uint32_t)(row >> 32) ^ ((uint32_t)(block >> 32) << 16),
           c3 = (uint32_t)stream->step;
  uint32_t k0 = stream->key[0], k1 = stream->key[1] ^ (uint32_t)(stream->step >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
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
