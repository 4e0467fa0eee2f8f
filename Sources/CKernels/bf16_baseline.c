#include <string.h>

#include "CKernelsBF16.h"

#define JK_BF16_NAME "baseline"
#define JK_BF16_TABLE jk_bf16_baseline
#define SUM_ROWS 2
#define SUM_TILES 1
#include "bf16_vectors.inc.h"
