/// Arguments of the kernels of graph models; part of CKernels.h.
#ifndef JIGSAW_CKERNELS_GRAPH_H
#define JIGSAW_CKERNELS_GRAPH_H

#include <stddef.h>
#include <stdint.h>

/// Activations of multi-layer perceptrons and gates.
typedef enum { jk_gelu, jk_silu, jk_relu, jk_sigmoid } jk_activation;

/// Multi-head attention along the edges of a graph: of each destination over the sources of its incoming edges. Queries, keys,
/// values and outputs are [node, batch, heads·channels].
///
/// An edge has `attribute_count` numbers of its own, a. They add W·a + bias to its source's key and value; that vector is never
/// formed: q·(W·a) = (Wᵀq)·a, and the sum over edges of α·(W·a) is W·(sum of α·a). In the logits the bias is the same for all
/// edges of a destination and drops out of the softmax.
typedef struct {
  const int32_t *starts;    ///< [destinations + 1]: the edges into destination i are starts[i] ..< starts[i + 1]
  const int32_t *sources;   ///< [edges]
  const float *attributes;  ///< [edges, width]: a, padded with zeros
  const float *weight;      ///< [heads·channels, width]: W, padded with zeros
  const float *transposed;  ///< [attribute_count, heads·channels]: Wᵀ
  size_t attribute_count;
  size_t width;  ///< a multiple of 16
  size_t heads, channels, batch;
  float scale;  ///< of the logits, 1/√channels
} jk_attention;

/// A tile of the scores of attention within a window: row r is position first_row + r, column c is position first_column + c;
/// positions attend to each other if they lie at most `reach` apart.
typedef struct {
  ptrdiff_t first_row, first_column, reach;
  float scale;  ///< of the scores, 1/√channels
} jk_window;

#endif
