// Products of packed operands block by block, included by each bf16_*.c after it has defined
//   sum_block(steps, parts, a, b, c, c_stride, add): C[32, 32] (+)= a panel of A times a panel of B, and
//   begin_panels(), end_panels() around calls of it,
// and the table's JK_BF16_TABLE, JK_BF16_NAME, JK_BF16_NATIVE, and the sizes of blocks:
//   BLOCK_INNER    numbers of both parts along the sum: a panel of B [BLOCK_INNER, 32] stays near,
//   BLOCK_ROWS     a block of A [BLOCK_ROWS, BLOCK_INNER] in the second cache,
//   PAUSE_COLUMNS  of a block's sums between pauses: some tenths of a millisecond.

#define BLOCK_COLUMNS 4096   // panels of B in the third cache
#define FINISH_COLUMNS 256   // of sums that are finished together: rows long enough to be fetched ahead
#define ROUNDED_COLUMNS 512  // of sums that wait to be rounded

/// The inner dimension in blocks of equal length.
INLINE size_t inner_block(size_t k, int parts) {
  const size_t most = BLOCK_INNER / (size_t)parts, blocks = (k + most - 1) / most;
  return rounded_up((k + blocks - 1) / blocks, JK_BF16_STEP);
}

/// Lines [line, …) and numbers [p, …) of an operand; for a packed one both are multiples of 32.
INLINE jk_bf16_operand part_of(const jk_bf16_operand *x, bool left, size_t line, size_t p, int parts) {
  jk_bf16_operand part = *x;
  const bool along = left != x->transposed;
  const size_t index = along ? line * x->stride + p : p * x->stride + line;
  switch (x->storage) {
    case jk_stored_float32: part.data = (const float *)x->data + index; break;
    case jk_stored_bfloat16: part.data = (const uint16_t *)x->data + index; break;
    case jk_stored_packed:
      part.data = (const uint16_t *)x->data + line / JK_BF16_LINES * x->stride +
                  p / JK_BF16_STEP * jk_bf16_panel_size(1, parts);
  }
  return part;
}

/// A block of an operand as packed panels: where they are, or else made in `out`.
INLINE jk_bf16_operand packed_part(const jk_bf16_operand *x, bool left, size_t line, size_t lines, size_t p, size_t depth,
                                   int parts, uint16_t *out) {
  const jk_bf16_operand part = part_of(x, left, line, p, parts);
  if (x->storage == jk_stored_packed) return part;
  pack(&part, left, lines, depth, parts, out);
  return (jk_bf16_operand){out, jk_bf16_panel_size(depth, parts), false, jk_stored_packed};
}

/// A block at the edge of C. What is there goes into the sums first, as in whole blocks, so that the bits are the same.
static void edge_block(size_t steps, int parts, const uint16_t *a, const uint16_t *b, float *c, size_t c_stride, bool add,
                       size_t rows, size_t columns) {
  float block[JK_BF16_LINES * JK_BF16_LINES] __attribute__((aligned(64))) = {0};
  if (add) {
    for (size_t i = 0; i < rows; i++) memcpy(block + i * JK_BF16_LINES, c + i * c_stride, columns * sizeof(float));
  }
  sum_block(steps, parts, a, b, block, JK_BF16_LINES, add);
  for (size_t i = 0; i < rows; i++) memcpy(c + i * c_stride, block + i * JK_BF16_LINES, columns * sizeof(float));
}

/// C[rows, up to 32] (+)= panels of A times one panel of B.
static void column_of_blocks(const jk_bf16_operand *a, const uint16_t *b, size_t rows, size_t columns, size_t depth,
                             int parts, float *c, size_t c_stride, bool add) {
  const size_t steps = (depth + JK_BF16_STEP - 1) / JK_BF16_STEP;
  begin_panels();
  for (size_t i = 0; i < rows; i += JK_BF16_LINES) {
    const uint16_t *panel = (const uint16_t *)a->data + i / JK_BF16_LINES * a->stride;
    if (rows - i >= JK_BF16_LINES && columns == JK_BF16_LINES) {
      sum_block(steps, parts, panel, b, c + i * c_stride, c_stride, add);
    } else {
      edge_block(steps, parts, panel, b, c + i * c_stride, c_stride, add, smaller(rows - i, JK_BF16_LINES), columns);
    }
  }
  end_panels();
}

/// What is left to do to the part of C that starts at (row, column), while it is in the second cache.
static void finish_part(const jk_finish *f, size_t row, size_t column, float *c, size_t c_stride, size_t rows,
                        size_t columns) {
  jk_finish part = *f;
  if (f->bias) part.bias = f->bias + (f->bias_per_row ? row : column);
  if (f->addend) part.addend = f->addend + row * f->addend_stride + column;
  if (f->gelu_input) part.gelu_input = f->gelu_input + row * f->gelu_input_stride + column;
  if (f->gelu_output) part.gelu_output = f->gelu_output + row * f->gelu_output_stride + column;
  jk_current()->finish(&part, c, c_stride, rows, columns);
}

static void product(const jk_bf16_task *t, float *c, size_t c_stride, const jk_finish *finish, void *scratch,
                    void (*pause)(void *), void *context) {
  const int parts = t->parts;
  const size_t inner = inner_block(t->k, parts);
  uint16_t *const a_panels = scratch, *const b_panels =
      a_panels + jk_bf16_packed_size(smaller(t->m, BLOCK_ROWS), inner, parts);
  for (size_t first = 0; first < t->n; first += BLOCK_COLUMNS) {
    const size_t columns = smaller(t->n - first, BLOCK_COLUMNS);
    for (size_t p = 0; p < t->k; p += inner) {
      const size_t depth = smaller(t->k - p, inner);
      const jk_bf16_operand b = packed_part(&t->b, false, first, columns, p, depth, parts, b_panels);
      for (size_t top = 0; top < t->m; top += BLOCK_ROWS) {
        const size_t rows = smaller(t->m - top, BLOCK_ROWS);
        const jk_bf16_operand a = packed_part(&t->a, true, top, rows, p, depth, parts, a_panels);
        for (size_t j = 0; j < columns; j += JK_BF16_LINES) {
          if (pause && j % PAUSE_COLUMNS == 0) pause(context);
          const size_t width = smaller(columns - j, JK_BF16_LINES), end = j + width;
          float *const row = c + top * c_stride + first;
          column_of_blocks(&a, (const uint16_t *)b.data + j / JK_BF16_LINES * b.stride, rows, width, depth, parts, row + j,
                           c_stride, t->accumulate || p > 0);
          if (finish && p + depth == t->k && (end % FINISH_COLUMNS == 0 || end == columns)) {
            const size_t start = (end - 1) / FINISH_COLUMNS * FINISH_COLUMNS;
            finish_part(finish, top, first + start, row + start, c_stride, rows, end - start);
          }
        }
      }
    }
  }
}

static size_t product_scratch(const jk_bf16_task *t) {
  const size_t inner = inner_block(t->k, t->parts);
  return (jk_bf16_packed_size(smaller(t->m, BLOCK_ROWS), inner, t->parts) +
          jk_bf16_packed_size(smaller(t->n, BLOCK_COLUMNS), inner, t->parts)) *
         sizeof(uint16_t);
}

/// The part of a task that gives C[rows from top, columns from first].
INLINE jk_bf16_task part_of_task(const jk_bf16_task *t, size_t top, size_t first) {
  return (jk_bf16_task){part_of(&t->a, true, top, 0, t->parts),
                        part_of(&t->b, false, first, 0, t->parts),
                        smaller(t->m - top, BLOCK_ROWS),
                        smaller(t->n - first, ROUNDED_COLUMNS),
                        t->k,
                        t->parts,
                        false};
}

static void rounded_product(const jk_bf16_task *t, uint16_t *c, size_t c_stride, void *scratch, void (*pause)(void *),
                            void *context) {
  float *const sums = scratch;
  const size_t stride = smaller(t->n, ROUNDED_COLUMNS);
  for (size_t first = 0; first < t->n; first += ROUNDED_COLUMNS) {
    for (size_t top = 0; top < t->m; top += BLOCK_ROWS) {
      const jk_bf16_task part = part_of_task(t, top, first);
      product(&part, sums, stride, NULL, sums + rounded_up(smaller(t->m, BLOCK_ROWS) * stride, LANES), pause, context);
      for (size_t i = 0; i < part.m; i++) round_numbers(sums + i * stride, c + (top + i) * c_stride + first, part.n);
    }
  }
}

static size_t rounded_product_scratch(const jk_bf16_task *t) {
  const jk_bf16_task part = part_of_task(t, 0, 0);
  return rounded_up(part.m * part.n, LANES) * sizeof(float) + product_scratch(&part);
}

const jk_bf16_unit JK_BF16_TABLE = {
    .name = JK_BF16_NAME,
    .native = JK_BF16_NATIVE,
    .round = round_numbers,
    .widen = widen_numbers,
    .pack = pack,
    .product = product,
    .product_scratch = product_scratch,
    .rounded_product = rounded_product,
    .rounded_product_scratch = rounded_product_scratch,
};
