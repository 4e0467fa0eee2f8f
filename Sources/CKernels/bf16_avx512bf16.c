#if defined(__x86_64__) || defined(JK_EMULATED)
#include <string.h>

#include "CKernelsBF16.h"
#include "bf16_instructions.inc.h"

#if !defined(JK_EMULATED)
#define JK_BF16_NAME "avx512bf16"
#define JK_BF16_TABLE jk_bf16_avx512bf16
#pragma clang attribute push(__attribute__((target("avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2"))), apply_to = function)
#endif

#include "bf16_pack.inc.h"

#define JK_BF16_NATIVE true
#define BLOCK_INNER 512
#define BLOCK_ROWS 256
#define PAUSE_COLUMNS 128
#define SUM_ROWS 8
#define SUM_TILES 2
#define JK_ADD_PAIRS ADD_PAIRS
#include "bf16_sums.inc.h"
#include "bf16_product.inc.h"

#if !defined(JK_EMULATED)
#pragma clang attribute pop
#endif
#endif
