// The checksum CRC-32C (Castagnoli's polynomial, RFC 3720, appendix B.4).
//
// A checksum is kept as its plain remainder: with registers that start at zero and without a final inversion it is linear,
// so that the parts of a whole can be summed up on their own, moved to their places and added.
#include <stdbool.h>
#include <string.h>

#include "CKernels.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define POLYNOMIAL 0x82F63B78u

uint32_t jk_crc32c_multiply(uint32_t a, uint32_t b) {
  // Bit 31 is x^0, as everywhere in the reflected form.
  uint32_t product = 0;
  for (int bit = 31; bit >= 0; bit--) {
    product ^= b & (0u - (a >> bit & 1u));
    b = b >> 1 ^ (POLYNOMIAL & (0u - (b & 1u)));
  }
  return product;
}

uint32_t jk_crc32c_shift(uint64_t bytes) {
  uint32_t power = 0x80000000u;  // x^0
  uint32_t square = 0x00800000u;  // x^8
  for (; bytes; bytes >>= 1) {
    if (bytes & 1) power = jk_crc32c_multiply(power, square);
    square = jk_crc32c_multiply(square, square);
  }
  return power;
}

static uint32_t table_word(uint32_t value, int bits) {
  for (int i = 0; i < bits; i++) value = value >> 1 ^ (POLYNOMIAL & (0u - (value & 1u)));
  return value;
}

// Eight bytes at a time: entry [k][byte] moves a byte over k more bytes.
static uint32_t slices[8][256];
// Moves a remainder over STREAM bytes, by its four bytes.
#define STREAM 4096
static uint32_t stream_shift[4][256];

static void fill_tables(void) {
  for (uint32_t byte = 0; byte < 256; byte++) slices[0][byte] = table_word(byte, 8);
  for (int k = 1; k < 8; k++) {
    for (int byte = 0; byte < 256; byte++) {
      const uint32_t before = slices[k - 1][byte];
      slices[k][byte] = before >> 8 ^ slices[0][before & 255];
    }
  }
  const uint32_t shift = jk_crc32c_shift(STREAM);
  for (int k = 0; k < 4; k++) {
    for (uint32_t byte = 0; byte < 256; byte++) stream_shift[k][byte] = jk_crc32c_multiply(shift, byte << 8 * k);
  }
}

__attribute__((constructor)) static void prepare(void) { fill_tables(); }

uint32_t jk_crc32c_portable(uint32_t crc, const void *bytes, size_t count) {
  const unsigned char *p = bytes;
  for (; count >= 8; count -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    word ^= crc;
    crc = slices[7][word & 255] ^ slices[6][word >> 8 & 255] ^ slices[5][word >> 16 & 255] ^
          slices[4][word >> 24 & 255] ^ slices[3][word >> 32 & 255] ^ slices[2][word >> 40 & 255] ^
          slices[1][word >> 48 & 255] ^ slices[0][word >> 56];
  }
  for (; count; count--, p++) crc = crc >> 8 ^ slices[0][(crc ^ *p) & 255];
  return crc;
}

#if defined(__x86_64__)
#define HARDWARE __attribute__((target("sse4.2")))
#define CRC64(crc, word) _mm_crc32_u64(crc, word)
#define CRC8(crc, byte) _mm_crc32_u8((uint32_t)(crc), byte)
static bool has_hardware(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#define HARDWARE
#define CRC64(crc, word) __crc32cd((uint32_t)(crc), word)
#define CRC8(crc, byte) __crc32cb((uint32_t)(crc), byte)
static bool has_hardware(void) { return true; }
#endif

#if defined(HARDWARE)
static uint32_t over_stream(uint32_t crc) {
  return stream_shift[0][crc & 255] ^ stream_shift[1][crc >> 8 & 255] ^ stream_shift[2][crc >> 16 & 255] ^
         stream_shift[3][crc >> 24];
}

HARDWARE static uint32_t with_hardware(uint32_t start, const void *bytes, size_t count) {
  const unsigned char *p = bytes;
  uint64_t crc = start;
  // The instruction's result takes three cycles: three streams side by side keep its unit busy.
  for (; count >= 3 * STREAM; count -= 3 * STREAM, p += 3 * STREAM) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < STREAM; i += 8) {
      uint64_t a, b, c;
      memcpy(&a, p + i, 8);
      memcpy(&b, p + STREAM + i, 8);
      memcpy(&c, p + 2 * STREAM + i, 8);
      crc = CRC64(crc, a);
      second = CRC64(second, b);
      third = CRC64(third, c);
    }
    crc = over_stream((uint32_t)crc) ^ (uint32_t)second;
    crc = over_stream((uint32_t)crc) ^ (uint32_t)third;
  }
  for (; count >= 8; count -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    crc = CRC64(crc, word);
  }
  for (; count; count--, p++) crc = CRC8(crc, *p);
  return (uint32_t)crc;
}
#endif

uint32_t jk_crc32c(uint32_t crc, const void *bytes, size_t count) {
#if defined(HARDWARE)
  static int hardware = -1;
  // Threads that ask at the same time find the same.
  int found = __atomic_load_n(&hardware, __ATOMIC_RELAXED);
  if (found < 0) {
    found = has_hardware();
    __atomic_store_n(&hardware, found, __ATOMIC_RELAXED);
  }
  if (found) return with_hardware(crc, bytes, count);
#endif
  return jk_crc32c_portable(crc, bytes, count);
}
