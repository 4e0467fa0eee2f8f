#if defined(__x86_64__)
#include <string.h>

#include "CKernelsBF16.h"

#define JK_BF16_NAME "avx512"
#define JK_BF16_TABLE jk_bf16_avx512
#define SUM_ROWS 8
#define SUM_TILES 2
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2"))), apply_to = function)
#include "bf16_vectors.inc.h"
#pragma clang attribute pop
#endif
