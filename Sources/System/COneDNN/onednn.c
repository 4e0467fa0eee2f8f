#include "COneDNN.h"

#include <oneapi/dnnl/dnnl.h>

// Present when oneDNN is built on OpenMP (Debian's is). Threads of ours call oneDNN side by side, each for its own part
// of a product, so OpenMP must not start a team of its own below them. The setting belongs to the calling thread.
extern void omp_set_num_threads(int) __attribute__((weak));

static _Thread_local bool alone = false;

int jk_onednn_product(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                      const float *b, size_t b_stride, bool accumulate, float *c, size_t c_stride) {
  if (!alone) {
    if (omp_set_num_threads) omp_set_num_threads(1);
    alone = true;
  }
  return (int)dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k,
                         1.0f, a, (dnnl_dim_t)a_stride, b, (dnnl_dim_t)b_stride, accumulate ? 1.0f : 0.0f, c,
                         (dnnl_dim_t)c_stride);
}

void jk_onednn_version(int *major, int *minor, int *patch) {
  const dnnl_version_t *version = dnnl_version();
  *major = version->major;
  *minor = version->minor;
  *patch = version->patch;
}

const char *jk_onednn_instruction_set(void) {
  // dnnl_cpu_isa_t holds cumulative bit flags whose low ones are alike in versions 2 and 3.
  const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
  if (isa & 0x200) return "AMX";
  if (isa & 0x80) return "AVX-512 BF16";
  if (isa & 0x40) return "AVX-512 VNNI";
  if (isa & 0x20) return "AVX-512";
  if (isa & 0x4) return "AVX2";
  if (isa & 0x2) return "AVX";
  return isa & 0x1 ? "SSE 4.1" : "generic";
}
