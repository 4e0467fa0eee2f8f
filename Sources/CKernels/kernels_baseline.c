#include <float.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "CKernels.h"

#define JK_NAME "baseline"
#define JK_TABLE jk_kernels_baseline
#define JK_VECTOR_BYTES 16
#include "kernels.inc.h"
