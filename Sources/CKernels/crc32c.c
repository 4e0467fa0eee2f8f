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

// The remainder of base^exponent.
static uint32_t power(uint32_t base, uint64_t exponent) {
  uint32_t result = 0x80000000u;  // x^0
  for (; exponent; exponent >>= 1) {
    if (exponent & 1) result = jk_crc32c_multiply(result, base);
    base = jk_crc32c_multiply(base, base);
  }
  return result;
}

uint32_t jk_crc32c_shift(uint64_t bytes) { return power(0x00800000u /* x^8 */, bytes); }

static uint32_t table_word(uint32_t value, int bits) {
  for (int i = 0; i < bits; i++) value = value >> 1 ^ (POLYNOMIAL & (0u - (value & 1u)));
  return value;
}

// Eight bytes at a time: entry [k][byte] moves a byte over k more bytes.
static uint32_t slices[8][256];
// Moves a remainder over STREAM bytes, by its four bytes.
#define STREAM 4096
static uint32_t stream_shift[4][256];

// Products without carry move 16 bytes ahead by 256 and by 64 bytes: factors of the first eight and of the second.
static uint64_t fold_factors[2][2];

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
  // In the reflected form a product lies one bit low, and its remainder is taken of the upper 32 bits.
  const uint32_t x = 0x40000000u;
  for (int i = 0; i < 2; i++) {
    const uint64_t bits = 8 * (256 >> 2 * i);
    fold_factors[i][0] = power(x, bits + 31);
    fold_factors[i][1] = power(x, bits - 33);
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
static bool has_wide_products(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("pclmul");
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#define HARDWARE
#define CRC64(crc, word) __crc32cd((uint32_t)(crc), word)
#define CRC8(crc, byte) __crc32cb((uint32_t)(crc), byte)
static bool has_hardware(void) { return true; }
static bool has_wide_products(void) { return false; }
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

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx512f,avx512dq,vpclmulqdq,pclmul,sse4.2")))

WIDE static __m512i fold(__m512i sum, __m512i by, __m512i next) {
  const __m512i first = _mm512_clmulepi64_epi128(sum, by, 0x00), second = _mm512_clmulepi64_epi128(sum, by, 0x11);
  return _mm512_ternarylogic_epi64(first, second, next, 0x96);  // exclusive or of all three
}

WIDE static __m512i factors(int i) {
  return _mm512_broadcast_i64x2(_mm_loadu_si128((const __m128i *)fold_factors[i]));
}

// Four sums side by side, as a product takes several cycles.
WIDE static uint32_t with_wide_products(uint32_t start, const void *bytes, size_t count) {
  const unsigned char *p = bytes;
  __m512i sums[4];
  for (int i = 0; i < 4; i++) sums[i] = _mm512_loadu_si512(p + 64 * i);
  sums[0] = _mm512_xor_si512(sums[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)start)));
  const __m512i by_256 = factors(0), by_64 = factors(1);
  for (count -= 256, p += 256; count >= 256; count -= 256, p += 256) {
    for (int i = 0; i < 4; i++) sums[i] = fold(sums[i], by_256, _mm512_loadu_si512(p + 64 * i));
  }
  __m512i sum = sums[0];
  for (int i = 1; i < 4; i++) sum = fold(sum, by_64, sums[i]);
  for (; count >= 64; count -= 64, p += 64) sum = fold(sum, by_64, _mm512_loadu_si512(p));
  uint64_t words[8];
  _mm512_storeu_si512(words, sum);
  // What is left stands for the bytes before it.
  return with_hardware(with_hardware(0, words, sizeof words), p, count);
}
#endif

// The instructions of this CPU: 0 none of use, 1 one for CRC-32C, 2 products of 512 bits, too.
static int instructions(void) {
  static int known = -1;
  // Threads that ask at the same time find the same.
  int found = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (found >= 0) return found;
  found = 0;
#if defined(HARDWARE)
  if (has_hardware()) found = has_wide_products() ? 2 : 1;
#endif
  __atomic_store_n(&known, found, __ATOMIC_RELAXED);
  return found;
}

uint32_t jk_crc32c(uint32_t crc, const void *bytes, size_t count) {
  const int found = instructions();
#if defined(__x86_64__)
  if (found > 1 && count >= 256) return with_wide_products(crc, bytes, count);
#endif
  return found > 0 ? jk_crc32c_instruction(crc, bytes, count) : jk_crc32c_portable(crc, bytes, count);
}

uint32_t jk_crc32c_instruction(uint32_t crc, const void *bytes, size_t count) {
#if defined(HARDWARE)
  if (instructions() > 0) return with_hardware(crc, bytes, count);
#endif
  return jk_crc32c_portable(crc, bytes, count);
}
