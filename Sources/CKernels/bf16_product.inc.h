// GEMMs of packed operands block by block, included by each bf16_*.c after it has defined
//   sum_block(steps, parts, a, b, c, c_stride, add): C[32, 32] (+)= a panel of A times a panel of B, and
//   begin_panels(), end_panels() around calls of it,
// and the table's JK_BF16_TABLE, JK_BF16_NAME, JK_BF16_NATIVE, and the sizes of blocks:
//   BLOCK_INNER    numbers of both parts along the sum: a panel of B [BLOCK_INNER, 32] stays near,
//   BLOCK_ROWS     a block of A [BLOCK_ROWS, BLOCK_INNER] in the second cache,
//   PAUSE_COLUMNS  of a block's sums between pauses: some tenths of a millisecond.

#define BLOCK_COLUMNS 4096   // panels of B in the third cache
#define EPILOGUE_COLUMNS 256   // of sums that are finished together: rows long enough to be fetched ahead

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

/// A block at the edge of C. Its old elements go into the sums first, as in whole blocks, so that the bits are the same.
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

static void product(const jk_bf16_task *t, float *c, size_t c_stride, const jk_epilogue *epilogue, void *scratch,
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
          if (epilogue && p + depth == t->k && (end % EPILOGUE_COLUMNS == 0 || end == columns)) {
            const size_t start = (end - 1) / EPILOGUE_COLUMNS * EPILOGUE_COLUMNS;
            jk_current()->epilogue(epilogue, top, first + start, row + start, c_stride, rows, end - start);
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

/// Lines of an operand whose numbers along all of the sum are packed together.
INLINE size_t whole_lines(size_t k, size_t numbers, size_t most) {
  const size_t lines = numbers / rounded_up(k, JK_BF16_STEP) / JK_BF16_LINES * JK_BF16_LINES;
  return smaller(lines > JK_BF16_LINES ? lines : JK_BF16_LINES, most);
}
#define WHOLE_A (1 << 20)  // numbers: 2 MiB
#define WHOLE_B (1 << 22)

/// Sums of a part of C, over all of k, in scratch; then these are finished and rounded. Operands are packed along all of k, A
/// for these rows and B for as many columns as 8 MiB hold, since sums don't stay in C between blocks of k.
static void rounded_product(const jk_bf16_task *t, uint16_t *c, size_t c_stride, const jk_epilogue *epilogue, void *scratch,
                            void (*pause)(void *), void *context) {
  static const jk_epilogue nothing;
  const int parts = t->parts;
  const size_t inner = inner_block(t->k, parts);
  const size_t most_rows = whole_lines(t->k, WHOLE_A, BLOCK_ROWS), most_columns = whole_lines(t->k, WHOLE_B, BLOCK_COLUMNS);
  float *const sums = scratch;
  uint16_t *const a_panels = (uint16_t *)(sums + rounded_up(smaller(t->m, most_rows), JK_BF16_LINES) * EPILOGUE_COLUMNS);
  uint16_t *const b_panels = a_panels + jk_bf16_packed_size(smaller(t->m, most_rows), t->k, parts);
  for (size_t first = 0; first < t->n; first += most_columns) {
    const size_t columns = smaller(t->n - first, most_columns);
    const jk_bf16_operand b = packed_part(&t->b, false, first, columns, 0, t->k, parts, b_panels);
    for (size_t top = 0; top < t->m; top += most_rows) {
      const size_t rows = smaller(t->m - top, most_rows);
      const jk_bf16_operand a = packed_part(&t->a, true, top, rows, 0, t->k, parts, a_panels);
      for (size_t start = 0; start < columns; start += EPILOGUE_COLUMNS) {
        const size_t end = smaller(start + EPILOGUE_COLUMNS, columns);
        for (size_t p = 0; p < t->k; p += inner) {
          const size_t depth = smaller(t->k - p, inner);
          const jk_bf16_operand x = part_of(&a, true, 0, p, parts);
          for (size_t j = start; j < end; j += JK_BF16_LINES) {
            if (pause && j % PAUSE_COLUMNS == 0) pause(context);
            const jk_bf16_operand y = part_of(&b, false, j, p, parts);
            column_of_blocks(&x, y.data, rows, smaller(end - j, JK_BF16_LINES), depth, parts, sums + j - start,
                             EPILOGUE_COLUMNS, p > 0);
          }
        }
        jk_current()->rounded_epilogue(epilogue ? epilogue : &nothing, top, first + start, sums, EPILOGUE_COLUMNS,
                                     c + top * c_stride + first + start, c_stride, rows, end - start);
      }
    }
  }
}

static size_t rounded_product_scratch(const jk_bf16_task *t) {
  const size_t rows = smaller(t->m, whole_lines(t->k, WHOLE_A, BLOCK_ROWS));
  const size_t columns = smaller(t->n, whole_lines(t->k, WHOLE_B, BLOCK_COLUMNS));
  return rounded_up(rows, JK_BF16_LINES) * EPILOGUE_COLUMNS * sizeof(float) +
         (jk_bf16_packed_size(rows, t->k, t->parts) + jk_bf16_packed_size(columns, t->k, t->parts)) * sizeof(uint16_t);
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
