#include "instructions.h"

#define JK_BF16_NAME "avx512bf16, emulated"
#define JK_BF16_TABLE emulated_avx512bf16
#include "../../Sources/CKernels/bf16_avx512bf16.c"
