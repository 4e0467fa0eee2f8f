#include "instructions.h"

#define JK_BF16_NAME "amx, emulated"
#define JK_BF16_TABLE emulated_amx
#include "../../Sources/CKernels/bf16_amx.c"
