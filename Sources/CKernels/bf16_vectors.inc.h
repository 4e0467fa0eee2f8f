// CPUs that don't multiply bf16 numbers: they are widened in registers and multiplied as FP32. Included by the bf16_*.c of
// these after SUM_ROWS, SUM_TILES and the table's names have been defined.
#pragma clang fp contract(fast)
#include "bf16_pack.inc.h"

#define BLOCK_INNER 512
#define BLOCK_ROWS 256
#define PAUSE_COLUMNS 64
#define JK_BF16_NATIVE false
#define JK_ADD_PAIRS add_widened

INLINE void add_widened(v16 *sum, uint32_t word, const w16 *pairs) {
  const w16 words = (w16){0} + word;
  *sum += (v16)(words << 16) * (v16)(*pairs << 16);
  *sum += (v16)(words & UPPER) * (v16)(*pairs & UPPER);
}

#include "bf16_sums.inc.h"
#include "bf16_product.inc.h"
