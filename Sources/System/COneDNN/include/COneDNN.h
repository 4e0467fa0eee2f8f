/// The one place that sees oneDNN. Compiles against versions 2 and 3.
#ifndef JIGSAW_CONEDNN_H
#define JIGSAW_CONEDNN_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// C[m, n] = op(A)·op(B) (+ C when accumulate), row-major FP32 with the given row strides, on the calling thread alone.
/// op(A) is m x k. Returns 0, or oneDNN's status.
int jk_onednn_product(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                      const float *b, size_t b_stride, bool accumulate, float *c, size_t c_stride);

/// The version of the library that is loaded.
void jk_onednn_version(int *major, int *minor, int *patch);

/// The instruction set that oneDNN's kernels use on this CPU.
const char *jk_onednn_instruction_set(void);

#ifdef __cplusplus
}
#endif
#endif
