// AVX512-BF16 and AMX instructions as the units write them. Tests compile the same sources against the manual's semantics in
// plain C, which define these names first (JK_EMULATED).
#if !defined(JK_EMULATED)
#include <immintrin.h>

#define TILE_CONFIGURE(configuration) _tile_loadconfig(configuration)
#define TILE_RELEASE() _tile_release()
#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define TILE_STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define TILE_ADD_PAIRS(sum, a, b) _tile_dpbf16ps(sum, a, b)

/// *sum += the pair `word` times each of `pairs` (VDPBF16PS).
#define ADD_PAIRS(sum, word, pairs) \
  (*(sum) = (v16)_mm512_dpbf16_ps((__m512) * (sum), (__m512bh)((w16){0} + (word)), (__m512bh) * (pairs)))
/// *out = 16 numbers of x0, then 16 of x1, rounded (VCVTNE2PS2BF16).
#define ROUND_PACKED(x0, x1, out) (*(out) = (w16)_mm512_cvtne2ps_pbh((__m512) * (x1), (__m512) * (x0)))
#endif
