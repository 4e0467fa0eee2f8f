#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <string.h>
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

int jk_cpu_mask(unsigned char *mask, size_t bytes) {
  memset(mask, 0, bytes);
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
  for (size_t cpu = 0; cpu < 8 * bytes && cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &set)) mask[cpu / 8] |= (unsigned char)(1u << cpu % 8);
  }
  return 0;
#else
  return -1;
#endif
}
