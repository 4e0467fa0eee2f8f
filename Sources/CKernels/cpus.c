#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <unistd.h>

#include "CKernels.h"
#if defined(__linux__)
#include <sched.h>
#endif

int jk_available_cpus(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) return count;
  }
#endif
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}
