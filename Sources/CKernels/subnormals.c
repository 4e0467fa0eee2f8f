#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

// Results that are subnormal become zero, and subnormal operands are read as zero.
uint64_t jk_subnormals_to_zero(void) {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);
  return before;
}
void jk_subnormals_back(uint64_t before) { _mm_setcsr((unsigned)before); }
#elif defined(__aarch64__)
uint64_t jk_subnormals_to_zero(void) {
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(before | (UINT64_C(1) << 24)));
  return before;
}
void jk_subnormals_back(uint64_t before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
uint64_t jk_subnormals_to_zero(void) { return 0; }
void jk_subnormals_back(uint64_t before) { (void)before; }
#endif
