#if defined(__x86_64__)
#include <string.h>

#include "CKernelsBF16.h"

#define JK_BF16_NAME "avx2"
#define JK_BF16_TABLE jk_bf16_avx2
#define SUM_ROWS 4
#define SUM_TILES 1
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2"))), apply_to = function)
#include "bf16_vectors.inc.h"
#pragma clang attribute pop
#endif
