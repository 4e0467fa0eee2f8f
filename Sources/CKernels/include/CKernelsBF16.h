/// Products of matrices whose operands are rounded to bf16, with FP32 sums.
///
/// bf16 is FP32 without the lower 16 bits: 8 significant bits, the same range. An operand is taken in one part, x ≈ rn(x)
/// (relative error up to 2⁻⁸), or in two, x ≈ h + l with h = rn(x), l = rn(x - h) (2⁻¹⁷). Of products of two parts
/// h·l + h·h + l·h are summed, which misses the exact sum by at most 2⁻¹⁵ Σ|a||b| before rounding of the sums.
///
/// All units share one packed form: panels of 32 lines (rows of A, columns of B), within a panel steps of 32 numbers along the
/// sum, within a step the parts, each of two tiles of 16 lines. A tile is 16 x 16 pairs of numbers that follow each other along
/// the sum: [line][pair] for A, [pair][line] for B. What is missing at the edges is zero.
#ifndef JIGSAW_CKERNELS_BF16_H
#define JIGSAW_CKERNELS_BF16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CKernels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { jk_stored_float32, jk_stored_bfloat16, jk_stored_packed } jk_storage;

/// A row-major operand of numbers, taken as it is or transposed; or a packed one: then `stride` counts bf16 numbers between
/// panels, and `transposed` says nothing.
typedef struct {
  const void *data;
  size_t stride;
  bool transposed;
  jk_storage storage;
} jk_bf16_operand;

/// C[m, n] = A·B, or C += A·B when accumulate; A is m x k, k > 0. Packed operands have been packed with the same k and parts.
typedef struct {
  jk_bf16_operand a, b;
  size_t m, n, k;
  int parts;  ///< of each operand: 1 or 2
  bool accumulate;
} jk_bf16_task;

/// The kernels for one kind of CPU. Not-finite operands give not-finite results; numbers below 2⁻¹²⁶ may be taken as zero.
/// Every element is summed in the same order whatever its place.
typedef struct {
  const char *name;
  /// Whether the CPU multiplies bf16 numbers; else they are widened and multiplied as FP32.
  bool native;

  /// y = rn(x), ties to even, NaN kept as a quiet one.
  void (*round)(const float *x, uint16_t *y, size_t n);
  /// y = x, exactly.
  void (*widen)(const uint16_t *x, float *y, size_t n);

  /// An operand (left: [lines, k], else [k, lines]) into jk_bf16_packed_size(lines, k, parts) numbers, aligned to 64 bytes.
  void (*pack)(const jk_bf16_operand *x, bool left, size_t lines, size_t k, int parts, uint16_t *out);

  /// scratch holds product_scratch(task) bytes, aligned to 64. epilogue may be null. pause, if not null, is called with context
  /// every some tenths of a millisecond.
  void (*product)(const jk_bf16_task *task, float *c, size_t c_stride, const jk_epilogue *epilogue, void *scratch,
                  void (*pause)(void *), void *context);
  size_t (*product_scratch)(const jk_bf16_task *task);
  /// The same with C in bf16: its elements are rounded when their sums are complete and finished. No accumulation.
  void (*rounded_product)(const jk_bf16_task *task, uint16_t *c, size_t c_stride, const jk_epilogue *epilogue, void *scratch,
                          void (*pause)(void *), void *context);
  size_t (*rounded_product_scratch)(const jk_bf16_task *task);
} jk_bf16_unit;

/// The unit called `name` ("amx", "avx512bf16", "avx512", "avx2", "baseline"); null if unknown or not on this CPU. The first
/// call for "amx" asks the system for the use of tile registers.
const jk_bf16_unit *jk_bf16_named(const char *name);

#define JK_BF16_LINES 32  // of a panel
#define JK_BF16_STEP 32   // numbers of a line in one step

/// bf16 numbers between panels, and in all panels of an operand.
static inline size_t jk_bf16_panel_size(size_t k, int parts) {
  return (k + JK_BF16_STEP - 1) / JK_BF16_STEP * JK_BF16_STEP * JK_BF16_LINES * (size_t)parts;
}
static inline size_t jk_bf16_packed_size(size_t lines, size_t k, int parts) {
  return (lines + JK_BF16_LINES - 1) / JK_BF16_LINES * jk_bf16_panel_size(k, parts);
}

#ifdef __cplusplus
}
#endif
#endif
