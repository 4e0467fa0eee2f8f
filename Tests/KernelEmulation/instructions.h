// AMX and AVX512-BF16 instructions as Intel's manual describes them (Software Developer's Manual, volume 2), in plain C.
#ifndef INSTRUCTIONS_H
#define INSTRUCTIONS_H

#include <stddef.h>
#include <stdint.h>

#define JK_EMULATED

void emulate_configure(const void *configuration);                    // LDTILECFG
void emulate_release(void);                                           // TILERELEASE
void emulate_zero(int tile);                                          // TILEZERO
void emulate_load(int tile, const void *from, size_t stride);         // TILELOADD
void emulate_store(int tile, void *to, size_t stride);                // TILESTORED
void emulate_tile_products(int sum, int a, int b);                    // TDPBF16PS
void emulate_add_pairs(float *sum, const uint32_t *a, const uint32_t *b);      // VDPBF16PS, 512 bits
void emulate_round(const float *first, const float *second, uint16_t *out);    // VCVTNE2PS2BF16, 512 bits

#define TILE_CONFIGURE(configuration) emulate_configure(configuration)
#define TILE_RELEASE() emulate_release()
#define TILE_ZERO(tile) emulate_zero(tile)
#define TILE_LOAD(tile, from, stride) emulate_load(tile, from, stride)
#define TILE_STORE(tile, to, stride) emulate_store(tile, to, stride)
#define TILE_ADD_PAIRS(sum, a, b) emulate_tile_products(sum, a, b)
#define ADD_PAIRS(sum, word, pairs)                                                \
  do {                                                                             \
    const w16 broadcast = (w16){0} + (word);                                       \
    emulate_add_pairs((float *)(sum), (const uint32_t *)&broadcast, (const uint32_t *)(pairs)); \
  } while (0)
#define ROUND_PACKED(x0, x1, out) emulate_round((const float *)(x0), (const float *)(x1), (uint16_t *)(out))

#endif
