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

/// Queries and keys whose scores are held at once, at most.
#define JK_WINDOW_QUERIES 64
#define JK_WINDOW_KEYS 128

/// Self-attention of one head of one sample: positions attend to each other if they lie at most `reach` apart.
typedef struct {
  size_t queries, keys;
  size_t first_query;  ///< the position of the first query among the keys
  size_t reach;
  size_t channels;
  size_t row;   ///< numbers from one position to the next
  float scale;  ///< of the scores, 1/√channels
} jk_window;

/// Floats of scratch memory that the kernels of window attention need, on every CPU.
static inline size_t jk_window_scratch(size_t queries, size_t channels) {
  const size_t line = (channels + 15) / 16 * 16;
  return 4 * JK_WINDOW_KEYS * line + 5 * 32 * line + 2 * 32 * JK_WINDOW_KEYS + queries;
}

#endif
