/// The one place that sees ecCodes: keys and values of one GRIB message.
///
/// The library ends the program where one of its own assertions fails, which damaged messages can bring about. Every
/// function here comes back with JK_GRIB_ASSERTION instead; the message must then not be used again, nor closed.
/// One thread at a time may be in here, whatever the message: how safe the library is depends on how it was built.
#ifndef JIGSAW_CECCODES_H
#define JIGSAW_CECCODES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JK_GRIB_ASSERTION (-10001)

typedef struct jk_grib jk_grib;

/// Functions return 0 or a failure, which this puts into words: what the library logged about it, else its general sentence.
const char *jk_grib_problem(int status);

/// "2.28.0".
void jk_grib_version(char text[32]);

/// Where the library looks for its tables, folders separated by ":".
const char *jk_grib_definitions(void);

/// Opens a message, of which a copy is kept.
int jk_grib_open(const void *bytes, size_t length, jk_grib **message);
/// A new message of edition 2 on a regular grid, to be filled in.
int jk_grib_open_sample(const char *name, jk_grib **message);
void jk_grib_close(jk_grib *message);

int jk_grib_get_long(jk_grib *message, const char *key, long *value);
/// 1 if the message marks the key as missing.
int jk_grib_is_missing(jk_grib *message, const char *key, int *missing);
int jk_grib_get_double(jk_grib *message, const char *key, double *value);
/// Cut off at `size` - 1 characters.
int jk_grib_get_text(jk_grib *message, const char *key, char *text, size_t size);
int jk_grib_get_count(jk_grib *message, const char *key, size_t *count);
/// Exactly `count` numbers.
int jk_grib_get_doubles(jk_grib *message, const char *key, double *values, size_t count);

int jk_grib_set_long(jk_grib *message, const char *key, long value);
int jk_grib_set_double(jk_grib *message, const char *key, double value);
int jk_grib_set_text(jk_grib *message, const char *key, const char *text);
int jk_grib_set_longs(jk_grib *message, const char *key, const long *values, size_t count);
int jk_grib_set_missing(jk_grib *message, const char *key);
int jk_grib_set_doubles(jk_grib *message, const char *key, const double *values, size_t count);

/// The message as it is written to a file; it stays the library's.
int jk_grib_bytes(jk_grib *message, const void **bytes, size_t *length);

/// The 2·`count` latitudes of a Gaussian grid, north to south.
int jk_grib_gaussian_latitudes(long count, double *latitudes);

#ifdef __cplusplus
}
#endif
#endif
