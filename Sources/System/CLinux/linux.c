#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#ifdef __GLIBC__
#include <execinfo.h>
#endif

int jl_exchange(const char *a, const char *b) {
#if defined(__linux__) && defined(RENAME_EXCHANGE)
  return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#else
  errno = ENOSYS;
  return -1;
#endif
}

void jl_write_stack(int file) {
  // Whoever was interrupted between a call that failed and the look at errno must find its own error.
  const int before = errno;
#ifdef __GLIBC__
  void *calls[64];
  int count = backtrace(calls, 64);
  if (file >= 0) backtrace_symbols_fd(calls, count, file);
#else
  (void)file;
#endif
  errno = before;
}
