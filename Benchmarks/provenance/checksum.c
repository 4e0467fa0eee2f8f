// What the checksum of a checkpoint's numbers costs beside writing them: 400 MB go to a file as checkpoints do, 256 KiB at a time, and are
// summed up before or after each write, with the processor's instruction for CRC-32C alone or with what jk_crc32c chooses.
// Times are the thread's processor time, so that other load matters little.
// Usage, from the project's root: clang -O2 -ISources/CKernels/include Benchmarks/provenance/checksum.c Sources/CKernels/crc32c.c -o checksum
// && ./checksum FILE. FILE is written and removed.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "CKernels.h"

static double processor_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(int count, char **arguments) {
  if (count != 2) return fprintf(stderr, "usage: checksum FILE\n"), 64;
  const size_t size = 400 << 20, piece = 256 << 10;
  unsigned char *bytes = aligned_alloc(2 << 20, size);
  if (!bytes) return perror("memory"), 1;
  for (size_t i = 0; i < size; i += 4) *(uint32_t *)(bytes + i) = (uint32_t)random();
  struct {
    const char *name;
    uint32_t (*sum)(uint32_t, const void *, size_t);
    int first;
  } ways[] = {{"instruction, before writing", jk_crc32c_instruction, 1},
              {"instruction, after writing", jk_crc32c_instruction, 0},
              {"chosen, before writing", jk_crc32c, 1},
              {"chosen, after writing", jk_crc32c, 0}};
  for (int round = 0; round < 3; round++) {
    for (int way = 0; way < 4; way++) {
      const int file = open(arguments[1], O_CREAT | O_TRUNC | O_WRONLY, 0644);
      if (file < 0) return perror(arguments[1]), 1;
      uint32_t crc = 0;
      double summing = 0, start = processor_seconds();
      for (size_t offset = 0; offset < size; offset += piece) {
        for (int part = 0; part < 2; part++) {
          if ((part == 0) == (ways[way].first == 1)) {
            const double began = processor_seconds();
            crc = ways[way].sum(crc, bytes + offset, piece);
            summing += processor_seconds() - began;
          } else if (pwrite(file, bytes + offset, piece, (off_t)offset) != (ssize_t)piece) {
            return perror(arguments[1]), 1;
          }
        }
      }
      printf("%s: %.1f ms of checksum, %.1f ms of writing, %.1f GB/s, CRC %08x\n", ways[way].name, 1e3 * summing,
             1e3 * (processor_seconds() - start - summing), size * 1e-9 / summing, crc);
      close(file);
    }
  }
  unlink(arguments[1]);
}
