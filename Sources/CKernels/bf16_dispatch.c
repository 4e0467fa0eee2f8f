#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <stdatomic.h>
#include <string.h>

#include "CKernelsBF16.h"

extern const jk_bf16_unit jk_bf16_baseline;

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

extern const jk_bf16_unit jk_bf16_avx2, jk_bf16_avx512, jk_bf16_avx512bf16, jk_bf16_amx;

/// Whether the CPU has AMX for bf16 (CPUID 7.0 EDX 22 and 24) and the system keeps its state (XCR0 17 and 18).
static bool has_tiles(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d >> 22 & 5) != 5) return false;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low >> 17 & 3) == 3;
}

/// Linux lets a process use the tile registers when it has asked once.
static bool may_use_tiles(void) {
  static _Atomic int answer = 0;  // 1: yes, 2: no
  int known = atomic_load(&answer);
  if (known == 0) {
    known = 2;
#if defined(__linux__)
    const long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    if (has_tiles() && syscall(SYS_arch_prctl, request_permission, tile_data) == 0) known = 1;
#endif
    atomic_store(&answer, known);
  }
  return known == 1;
}
#endif

const jk_bf16_unit *jk_bf16_named(const char *name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool pairs = avx512 && __builtin_cpu_supports("avx512bf16");
  if (pairs && strcmp(name, "amx") == 0 && may_use_tiles()) return &jk_bf16_amx;
  if (pairs && strcmp(name, "avx512bf16") == 0) return &jk_bf16_avx512bf16;
  if (avx512 && strcmp(name, "avx512") == 0) return &jk_bf16_avx512;
  if (avx2 && strcmp(name, "avx2") == 0) return &jk_bf16_avx2;
#endif
  return strcmp(name, "baseline") == 0 ? &jk_bf16_baseline : NULL;
}
