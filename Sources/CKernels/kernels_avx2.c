#if defined(__x86_64__)
#include <float.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "CKernels.h"

#define JK_NAME "avx2"
#define JK_TABLE jk_kernels_avx2
#define JK_VECTOR_BYTES 32
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2"))), apply_to = function)
#include "kernels.inc.h"
#pragma clang attribute pop
#endif
