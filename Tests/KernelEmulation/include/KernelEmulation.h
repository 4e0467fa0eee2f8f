/// The bf16 units that use AMX and AVX512-BF16 instructions, compiled from the same sources against these instructions in
/// plain C, so that any machine can test them.
#ifndef KERNEL_EMULATION_H
#define KERNEL_EMULATION_H

#include "CKernelsBF16.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The unit called `name` ("amx", "avx512bf16"), emulated; null if unknown.
const jk_bf16_unit *emulated_unit(const char *name);

/// Instructions of the calling thread that a CPU would have answered with an exception: tiles that are not configured, sizes
/// that don't fit, tiles used after their release.
size_t emulated_faults(void);

#ifdef __cplusplus
}
#endif
#endif
