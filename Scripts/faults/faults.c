// Makes one system call of a program fail. Preloaded (LD_PRELOAD) by Scripts/faults/run.py.
//
// Counted are reads, writes, syncs, opens for writing, renames, new folders and truncations on files below FAULT_FOLDER; call
// number FAULT_AT fails with FAULT_KIND: eio, enospc (eio for reads), or short (half of the bytes are read or written, which
// is no error).
// FAULT_LOG gets the number of calls that were counted, and what was made to fail.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long calls;

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

// Whether the path lies below FAULT_FOLDER.
static int is_watched(const char *path) {
  const char *folder = getenv("FAULT_FOLDER");
  char real[4096];
  if (folder == NULL || path == NULL) return 0;
  if (path[0] == '/') return strncmp(path, folder, strlen(folder)) == 0;
  if (getcwd(real, sizeof real) == NULL) return 0;
  return strncmp(real, folder, strlen(folder)) == 0;
}

static int is_watched_file(int file, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_watched(path);
}

// The error of this call, 0 for none, -1 for a short write.
static int fault(const char *what, const char *path) {
  long at = getenv("FAULT_AT") ? atol(getenv("FAULT_AT")) : 0;
  const char *kind = getenv("FAULT_KIND");
  if (atomic_fetch_add(&calls, 1) + 1 != at || kind == NULL) return 0;
  const char *log = getenv("FAULT_LOG");
  FILE *(*open_file)(const char *, const char *) = next("fopen");
  FILE *file = log ? open_file(log, "a") : NULL;
  if (file) {
    fprintf(file, "fault %ld %s %s %s\n", at, kind, what, path);
    fclose(file);
  }
  if (strcmp(kind, "short") == 0) return -1;
  return strcmp(kind, "enospc") == 0 ? ENOSPC : EIO;
}

__attribute__((destructor)) static void report(void) {
  const char *log = getenv("FAULT_LOG");
  FILE *file = log ? fopen(log, "a") : NULL;
  if (file == NULL) return;
  fprintf(file, "calls %ld\n", atomic_load(&calls));
  fclose(file);
}

#define WRITE(name, ...)                                              \
  char path[4096];                                                    \
  if (is_watched_file(file, path, sizeof path)) {                     \
    int error = fault(name, path);                                    \
    if (error > 0) {                                                  \
      errno = error;                                                  \
      return -1;                                                      \
    }                                                                 \
    if (error < 0 && size > 1) size /= 2;                             \
  }

ssize_t write(int file, const void *bytes, size_t size) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = next("write");
  WRITE("write")
  return real(file, bytes, size);
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off_t);
  if (!real) real = next("pwrite");
  WRITE("pwrite")
  return real(file, bytes, size, offset);
}
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real) real = next("pwrite64");
  WRITE("pwrite64")
  return real(file, bytes, size, offset);
}

#define READ(name)                                                    \
  char path[4096];                                                    \
  if (is_watched_file(file, path, sizeof path)) {                     \
    int error = fault(name, path);                                    \
    if (error > 0) {                                                  \
      errno = EIO;                                                    \
      return -1;                                                      \
    }                                                                 \
    if (error < 0 && size > 1) size /= 2;                             \
  }

ssize_t read(int file, void *bytes, size_t size) {
  static ssize_t (*real)(int, void *, size_t);
  if (!real) real = next("read");
  READ("read")
  return real(file, bytes, size);
}
ssize_t pread(int file, void *bytes, size_t size, off_t offset) {
  static ssize_t (*real)(int, void *, size_t, off_t);
  if (!real) real = next("pread");
  READ("pread")
  return real(file, bytes, size, offset);
}
ssize_t pread64(int file, void *bytes, size_t size, off64_t offset) {
  static ssize_t (*real)(int, void *, size_t, off64_t);
  if (!real) real = next("pread64");
  READ("pread64")
  return real(file, bytes, size, offset);
}

// These calls have no short form: with FAULT_KIND short they are not disturbed.
#define FAIL(is_of_interest, name, path, failed)                      \
  if (is_of_interest) {                                               \
    int error = fault(name, path);                                    \
    if (error > 0) {                                                  \
      errno = error;                                                  \
      return failed;                                                  \
    }                                                                 \
  }

int fsync(int file) {
  static int (*real)(int);
  char path[4096];
  if (!real) real = next("fsync");
  FAIL(is_watched_file(file, path, sizeof path), "fsync", path, -1)
  return real(file);
}
int fdatasync(int file) {
  static int (*real)(int);
  char path[4096];
  if (!real) real = next("fdatasync");
  FAIL(is_watched_file(file, path, sizeof path), "fdatasync", path, -1)
  return real(file);
}
int ftruncate(int file, off_t size) {
  static int (*real)(int, off_t);
  char path[4096];
  if (!real) real = next("ftruncate");
  FAIL(is_watched_file(file, path, sizeof path), "ftruncate", path, -1)
  return real(file, size);
}
int ftruncate64(int file, off64_t size) {
  static int (*real)(int, off64_t);
  char path[4096];
  if (!real) real = next("ftruncate64");
  FAIL(is_watched_file(file, path, sizeof path), "ftruncate64", path, -1)
  return real(file, size);
}
int rename(const char *from, const char *to) {
  static int (*real)(const char *, const char *);
  if (!real) real = next("rename");
  FAIL(is_watched(to), "rename", to, -1)
  return real(from, to);
}
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  static int (*real)(int, const char *, int, const char *, unsigned);
  if (!real) real = next("renameat2");
  FAIL(is_watched(to), "renameat2", to, -1)
  return real(from_folder, from, to_folder, to, flags);
}
int mkdir(const char *path, mode_t mode) {
  static int (*real)(const char *, mode_t);
  if (!real) real = next("mkdir");
  FAIL(is_watched(path), "mkdir", path, -1)
  return real(path, mode);
}

#define OPEN(name)                                                    \
  mode_t mode = 0;                                                    \
  if (flags & (O_CREAT | O_TMPFILE)) {                                \
    va_list rest;                                                     \
    va_start(rest, flags);                                            \
    mode = va_arg(rest, mode_t);                                      \
    va_end(rest);                                                     \
  }                                                                   \
  FAIL((flags & O_ACCMODE) != O_RDONLY && is_watched(path), name, path, -1)

int open(const char *path, int flags, ...) {
  static int (*real)(const char *, int, ...);
  if (!real) real = next("open");
  OPEN("open")
  return real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  static int (*real)(const char *, int, ...);
  if (!real) real = next("open64");
  OPEN("open64")
  return real(path, flags, mode);
}
FILE *fopen(const char *path, const char *flags) {
  static FILE *(*real)(const char *, const char *);
  if (!real) real = next("fopen");
  FAIL(flags[0] != 'r' && is_watched(path), "fopen", path, NULL)
  return real(path, flags);
}
FILE *fopen64(const char *path, const char *flags) {
  static FILE *(*real)(const char *, const char *);
  if (!real) real = next("fopen64");
  FAIL(flags[0] != 'r' && is_watched(path), "fopen64", path, NULL)
  return real(path, flags);
}
