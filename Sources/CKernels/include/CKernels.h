/// Vectorised elementwise, normalisation, reduction and optimiser kernels.
///
/// Every kernel is compiled for several instruction sets from one source (`kernels.inc.h`); the best one that the CPU
/// supports is chosen at run time. All kernels are single-threaded: callers split rows over threads. Matrices are
/// row-major with contiguous rows unless a stride is given. "Backward" kernels take the gradient of the loss with
/// respect to the output of their forward partner.
#ifndef JIGSAW_CKERNELS_H
#define JIGSAW_CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CKernelsGraph.h"

#ifdef __cplusplus
extern "C" {
#endif

/// Coefficients of one Adam update (Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019).
typedef struct {
  float learning_rate;
  float beta1, beta2, epsilon;
  float bias_correction1, bias_correction2;  ///< 1 - beta^n
  float coupled_decay;                       ///< added to the gradient: g + d·p
  float decoupled_decay;                     ///< p shrinks by the factor 1 - learning_rate·d
  float gradient_scale;                      ///< from clipping
  float average_decay;                       ///< of the exponential moving average; unused when it is absent
} jk_adam;

/// One stream of the counter-based generator Philox-4x32-10 (Salmon et al. 2011).
typedef struct {
  uint32_t key[2];
  uint64_t step;
} jk_stream;

/// Geometry of the tiled training layout: a field [lat, lon] cut into tiles of height x width points.
typedef struct {
  size_t rows, columns;            ///< of the field: latitudes, longitudes
  size_t tile_rows, tile_columns;  ///< of one tile
} jk_tiling;

/// A row-major operand of a GEMM, taken as it is or transposed.
typedef struct {
  const float *data;
  size_t stride;
  bool transposed;
} jk_operand;

/// The epilogue of a matrix product, applied to each element once its sum is complete, while it is in the cache, in this order. Members that
/// are null do nothing.
typedef struct {
  const float *bias;  ///< added: of the element's column, or of its row
  bool bias_per_row;
  const float *addend;  ///< a matrix that is added
  size_t addend_stride;
  /// Matrices of C's type, float or bf16. gelu_input, u: the element is multiplied by gelu'(u), and gelu_output receives gelu(u).
  /// Without it, gelu_output receives gelu of the element; it may be C itself.
  const void *gelu_input;
  size_t gelu_input_stride;
  void *gelu_output;
  size_t gelu_output_stride;
} jk_epilogue;

typedef struct {
  const char *name;

  /// y = x·Φ(x), the exact (erf) form of GELU.
  void (*gelu_forward)(const float *x, float *y, size_t n);
  /// dx = dy·gelu'(x); dx may be dy. If y is not null it receives gelu(x), which backward passes need again.
  void (*gelu_backward)(const float *x, const float *dy, float *dx, float *y, size_t n);

  /// x[r, c] += bias[c].
  void (*add_column_bias)(float *x, const float *bias, size_t rows, size_t columns);
  /// x[r, c] += bias[r].
  void (*add_row_bias)(float *x, const float *bias, size_t rows, size_t columns);
  /// u[r, c] += bias[c], y = gelu(u). y may be u.
  void (*column_bias_gelu)(float *u, const float *bias, float *y, size_t rows, size_t columns);
  /// u[r, c] += bias[r], y = gelu(u). y may be u.
  void (*row_bias_gelu)(float *u, const float *bias, float *y, size_t rows, size_t columns);
  /// sums[c] += sum over r of x[r, c].
  void (*column_sums)(const float *x, float *sums, size_t rows, size_t columns);
  /// sums[r] += sum over c of x[r, c].
  void (*row_sums)(const float *x, float *sums, size_t rows, size_t columns);

  /// y[r, :] = (x[r, :] - mean)·rstd·scale + shift; mean and rstd [rows] are outputs. Strides in elements.
  void (*layer_norm_forward)(const float *x, size_t x_stride, const float *scale, const float *shift, float epsilon,
                             float *y, size_t y_stride, float *mean, float *rstd, size_t rows, size_t columns);
  /// dx (+)= gradient; dscale, dshift [columns] are added to.
  void (*layer_norm_backward)(const float *x, size_t x_stride, const float *scale, const float *mean, const float *rstd,
                              const float *dy, size_t dy_stride, float *dx, size_t dx_stride, bool accumulate,
                              float *dscale, float *dshift, size_t rows, size_t columns);

  /// LayerNorm in steps, for rows whose columns lie on several ranks. moments [rows, 2]: mean and sum of squared
  /// deviations of the local columns.
  void (*row_moments)(const float *x, float *moments, size_t rows, size_t columns);
  /// y = (x - mean)·rstd·scale + shift with mean and rstd [rows] of whole rows.
  void (*normalize)(const float *x, const float *scale, const float *shift, const float *mean, const float *rstd,
                    float *y, size_t rows, size_t columns);
  /// sums [rows, 2]: of g = dy·scale and g·n, n = (x - mean)·rstd, over the local columns; dscale, dshift are added to.
  void (*normalize_sums)(const float *x, const float *scale, const float *mean, const float *rstd, const float *dy,
                         float *sums, float *dscale, float *dshift, size_t rows, size_t columns);
  /// dx (+)= rstd·(g - sums[0]/count - n·sums[1]/count) with sums over all `count` columns of a row.
  void (*normalize_backward)(const float *x, const float *scale, const float *mean, const float *rstd, const float *dy,
                             const float *sums, float count, float *dx, bool accumulate, size_t rows, size_t columns);

  /// y += x.
  void (*add)(float *y, const float *x, size_t n);
  /// y = a·x (y may be x).
  void (*scale)(float *y, const float *x, float a, size_t n);
  /// y[r, c] = x[r, c] + scale[c]·d[r, c].
  void (*add_scaled_columns)(const float *x, const float *scale, const float *d, float *y, size_t rows, size_t columns);
  /// y[r, c] = scale[c]·x[r, c].
  void (*scale_columns)(const float *x, const float *scale, float *y, size_t rows, size_t columns);
  /// Sum of squares, accumulated in double. Not finite if any x is not.
  double (*sum_of_squares)(const float *x, size_t n);

  /// Sum over rows and columns of (row_weight·column_weight·(prediction - target))². If gradient is not null it receives
  /// (or, with accumulate, is increased by) gradient_scale times the derivative with respect to prediction.
  double (*weighted_squares)(const float *prediction, const float *target, const float *row_weights,
                             const float *column_weights, float *gradient, float gradient_scale, bool accumulate,
                             size_t rows, size_t columns);

  /// One Adam update in one pass over memory; the gradient becomes zero. average may be null.
  void (*adam_step)(const jk_adam *c, float *parameter, float *gradient, float *moment1, float *moment2,
                    float *average, size_t n);

  /// y[i] = keep(row, column + i) ? x[i]/(1-probability) : 0 (y may be x). The mask depends on (stream, row, column) alone.
  void (*dropout)(const jk_stream *stream, uint64_t row, uint64_t column, float probability, const float *x, float *y,
                  size_t n);

  /// out[r, c] = in[r, c]; strides of rows and columns in elements, of any order and sign.
  /// Returns whether all of it is finite.
  bool (*copy_plane)(const float *in, ptrdiff_t in_row, ptrdiff_t in_column, float *out, ptrdiff_t out_row,
                     ptrdiff_t out_column, size_t rows, size_t columns);

  /// Numbers [first, last) of `width` bytes (2, 4 or 8) from one stream of each of their bytes:
  /// out[(i - first)·width + b] = streams[b][i].
  void (*unshuffle)(const uint8_t *const *streams, size_t width, size_t first, size_t last, uint8_t *out);

  /// Tokens [first, last) of `fields` planes [fields][lat, lon] into the layout [token, batch, point, field]:
  /// out = (plane - mean[field])·factor[field]. Strides in elements: of planes, and of tokens and points in `out`. Column
  /// x of the tiled field is column x + column_shift of the planes, around the globe.
  void (*tile)(const float *planes, size_t plane_stride, size_t fields, const float *mean, const float *factor,
               const jk_tiling *tiling, size_t first, size_t last, size_t column_shift, float *out, size_t token_stride,
               size_t point_stride);
  /// The inverse: plane = value·factor[field] + mean[field].
  void (*untile)(const float *values, size_t token_stride, size_t point_stride, size_t fields, const float *mean,
                 const float *factor, const jk_tiling *tiling, size_t first, size_t last, float *planes,
                 size_t plane_stride);

  /// C[m, n] = A·B, or C += A·B when accumulate; A is m x k, k > 0. scratch holds product_scratch(m, n, k) floats, aligned
  /// to 64 bytes. epilogue may be null. pause, if not null, is called with context every some ten million operations.
  void (*product)(const jk_operand *a, const jk_operand *b, size_t m, size_t n, size_t k, bool accumulate, float *c,
                  size_t c_stride, const jk_epilogue *epilogue, float *scratch, void (*pause)(void *), void *context);
  size_t (*product_scratch)(size_t m, size_t n, size_t k);
  /// Applies the epilogue to c [rows, columns], the part from (row, column) on of a matrix product that was computed elsewhere.
  void (*epilogue)(const jk_epilogue *epilogue, size_t row, size_t column, float *c, size_t c_stride, size_t rows, size_t columns);

  /// The same on the way from sums to C in bf16, whose gelu is that of the rounded element.
  void (*rounded_epilogue)(const jk_epilogue *epilogue, size_t row, size_t column, const float *sums, size_t sums_stride,
                         uint16_t *c, size_t c_stride, size_t rows, size_t columns);
  /// y = gelu(u) of numbers in bf16.
  void (*gelu_of_rounded)(const uint16_t *u, float *y, size_t n);
  /// d = d·gelu'(u), rounded to bf16 but stored as floats.
  void (*gelu_backward_of_rounded)(const uint16_t *u, float *d, size_t n);
  /// column_sums and row_sums of numbers in bf16.
  void (*column_sums_of_rounded)(const uint16_t *x, float *sums, size_t rows, size_t columns);
  void (*row_sums_of_rounded)(const uint16_t *x, float *sums, size_t rows, size_t columns);
  /// layer_norm_forward with y in bf16; no strides.
  void (*layer_norm_rounded)(const float *x, const float *scale, const float *shift, float epsilon, uint16_t *y, float *mean,
                             float *rstd, size_t rows, size_t columns);

  /// Attention of the destinations [first, last). alpha [edges, batch, heads] receives the weights of the edges. A destination
  /// without edges gets 0. scratch: 2·heads·width floats.
  void (*edge_attention_forward)(const jk_attention *g, const float *q, const float *k, const float *v,
                                 const float *bias, float *out, float *alpha, size_t first, size_t last,
                                 float *scratch);
  /// Its backward at the destinations: dlogits [edges, batch, heads] and dq are stored; dattributes [edges, width], unless null,
  /// dweight [heads·channels, width] and dbias are added to. scratch: 4·heads·width floats.
  void (*edge_attention_backward)(const jk_attention *g, const float *q, const float *k, const float *v,
                                  const float *dout, const float *alpha, float *dlogits, float *dq, float *dattributes,
                                  float *dweight, float *dbias, size_t first, size_t last, float *scratch);
  /// Its backward at the sources [first, last), by the edges that leave each: dk and dv are stored.
  void (*edge_attention_backward_sources)(const jk_attention *g, const int32_t *source_starts,
                                          const int32_t *source_edges, const int32_t *destinations, const float *q,
                                          const float *dout, const float *alpha, const float *dlogits, float *dk,
                                          float *dv, size_t first, size_t last);

  /// out = softmax(scale·q·kᵀ)·v within the window. most and sums [queries] are stored for backward: the largest score of each query, and
  /// the sum of exp(score - most). scratch: jk_window_scratch floats.
  void (*window_forward)(const jk_window *w, const float *q, const float *k, const float *v, float *out, float *most, float *sums,
                         float *scratch);
  /// Its backward: dq is added to, dk and dv are stored.
  void (*window_backward)(const jk_window *w, const float *q, const float *k, const float *v, const float *out, const float *dout,
                          const float *most, const float *sums, float *dq, float *dk, float *dv, float *scratch);

  /// y = f(x); y may be x.
  void (*activation_forward)(jk_activation kind, const float *x, float *y, size_t n);
  /// dx = dy·f'(x); dx may be dy.
  void (*activation_backward)(jk_activation kind, const float *x, const float *dy, float *dx, size_t n);
  /// y = f(gate)·value.
  void (*gated_forward)(jk_activation kind, const float *gate, const float *value, float *y, size_t n);
  void (*gated_backward)(jk_activation kind, const float *gate, const float *value, const float *dy, float *dgate,
                         float *dvalue, size_t n);

  /// Rate of independent fused multiply-adds on one core, FLOP/s, over about `seconds`.
  double (*multiply_add_rate)(double seconds);
} jk_kernels;

/// The best kernels that this CPU supports.
const jk_kernels *jk_current(void);

/// The kernels called `name` ("baseline", "avx2", "avx512"); null if unknown or not supported by this CPU.
const jk_kernels *jk_named(const char *name);

/// CPUs that this process may run on (its affinity, not the machine's count).
int jk_available_cpus(void);
/// Sets a bit for each of them; returns 0, or -1 when the system does not say.
int jk_cpu_mask(unsigned char *mask, size_t bytes);

/// Four 32-bit random numbers of `stream` at (row, block).
void jk_philox(const jk_stream *stream, uint64_t row, uint64_t block, uint32_t out[4]);

/// The remainder of CRC-32C's polynomial that `crc` becomes with `count` more bytes; 0 at the start. With the fastest instructions
/// that the CPU has for it, if any.
uint32_t jk_crc32c(uint32_t crc, const void *bytes, size_t count);
/// The same by the CPU's instruction for CRC-32C, if it has one.
uint32_t jk_crc32c_instruction(uint32_t crc, const void *bytes, size_t count);
/// The same by tables.
uint32_t jk_crc32c_portable(uint32_t crc, const void *bytes, size_t count);
/// The product of two remainders.
uint32_t jk_crc32c_multiply(uint32_t a, uint32_t b);
/// The factor by which a remainder moves so many bytes further ahead.
uint32_t jk_crc32c_shift(uint64_t bytes);

/// From here on the calling thread takes numbers below the least normal one as zero, operands and results; returns the earlier
/// setting, for jk_subnormals_back.
uint64_t jk_subnormals_to_zero(void);
void jk_subnormals_back(uint64_t before);

/// Tells the CPU that the caller spins on a memory location.
static inline void jk_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#ifdef __cplusplus
}
#endif

#include "CKernelsBF16.h"
#endif
