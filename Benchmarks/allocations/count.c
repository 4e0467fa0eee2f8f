// Counts what a program takes from malloc, by the callers: preloaded, it writes "calls bytes frames…" per chain of callers to the
// file named by ALLOCATIONS when the program ends. Frames are "module+offset", innermost first. For glibc.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

enum { DEPTH = 12, SKIPPED = 2, CHAINS = 1 << 16 };

typedef struct {
  void *frames[DEPTH];
  long calls, bytes;
} chain;

static chain chains[CHAINS];
static long lost;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// What counting itself takes is not counted.
static __thread int is_counting __attribute__((tls_model("initial-exec")));

static __attribute__((noinline)) void count(size_t bytes) {
  if (is_counting) return;
  is_counting = 1;
  void *found[DEPTH + SKIPPED] = {0};
  backtrace(found, DEPTH + SKIPPED);
  uint64_t hash = 0xCBF29CE484222325;
  for (int i = SKIPPED; i < DEPTH + SKIPPED; i++) hash = (hash ^ (uintptr_t)found[i]) * 0x100000001B3;
  pthread_mutex_lock(&lock);
  chain *own = NULL;
  for (unsigned probe = 0; probe < 64 && !own; probe++) {
    chain *one = &chains[(hash + probe) % CHAINS];
    if (!one->calls) memcpy(one->frames, found + SKIPPED, sizeof one->frames);
    if (!memcmp(one->frames, found + SKIPPED, sizeof one->frames)) own = one;
  }
  if (own) {
    own->calls++;
    own->bytes += (long)bytes;
  } else {
    lost++;
  }
  pthread_mutex_unlock(&lock);
  is_counting = 0;
}

void *malloc(size_t size) {
  count(size);
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  count(number * size);
  return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
  count(size);
  return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
  count(size);
  void *found = __libc_memalign(alignment, size);
  if (!found) return ENOMEM;
  *out = found;
  return 0;
}

__attribute__((destructor)) static void report(void) {
  is_counting = 1;
  const char *path = getenv("ALLOCATIONS");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  if (lost) fprintf(file, "%ld 0 lost\n", lost);
  for (int i = 0; i < CHAINS; i++) {
    if (!chains[i].calls) continue;
    fprintf(file, "%ld %ld", chains[i].calls, chains[i].bytes);
    for (int j = 0; j < DEPTH && chains[i].frames[j]; j++) {
      Dl_info place;
      const char *address = chains[i].frames[j];
      if (dladdr(address, &place) && place.dli_fname) {
        fprintf(file, " %s+%lx", place.dli_fname, (unsigned long)(address - (const char *)place.dli_fbase));
      }
    }
    fputc('\n', file);
  }
  fclose(file);
}
