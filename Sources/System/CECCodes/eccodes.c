#include "CECCodes.h"

#include <eccodes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Exported by the library, but declared in grib_api.h alone.
typedef void (*jk_assertion_handler)(const char *);
void codes_set_codes_assertion_failed_proc(jk_assertion_handler handler);

struct jk_grib {
  codes_handle *handle;
};

/// Valid while a call into the library is under way.
static jmp_buf way_back;
/// What the library said last.
static char logged[512];

static void assertion_failed(const char *text) {
  snprintf(logged, sizeof logged, "%s", text);
  longjmp(way_back, 1);
}

static void log_message(const codes_context *context, int level, const char *text) {
  (void)context;
  if (level & (CODES_LOG_ERROR | CODES_LOG_FATAL)) {
    // The first is nearest to the cause.
    if (!logged[0]) snprintf(logged, sizeof logged, "%s", text);
  }
}

/// Sets the traps, then does `call` and returns its status.
#define GUARDED(call)                                                 \
  do {                                                                \
    logged[0] = 0;                                                    \
    codes_context_set_logging_proc(codes_context_get_default(), log_message); \
    codes_set_codes_assertion_failed_proc(assertion_failed);          \
    if (setjmp(way_back)) return JK_GRIB_ASSERTION;                   \
    return (call);                                                    \
  } while (0)

const char *jk_grib_problem(int status) {
  if (logged[0]) return logged;
  return status == JK_GRIB_ASSERTION ? "an assertion failed" : codes_get_error_message(status);
}

void jk_grib_version(char text[32]) {
  const long version = codes_get_api_version();
  snprintf(text, 32, "%ld.%ld.%ld", version / 10000, version / 100 % 100, version % 100);
}

const char *jk_grib_definitions(void) { return codes_definition_path(codes_context_get_default()); }

static int wrap(codes_handle *handle, jk_grib **message) {
  if (!handle) return CODES_INVALID_MESSAGE;
  *message = malloc(sizeof **message);
  if (!*message) {
    codes_handle_delete(handle);
    return CODES_OUT_OF_MEMORY;
  }
  (*message)->handle = handle;
  return CODES_SUCCESS;
}

int jk_grib_open(const void *bytes, size_t length, jk_grib **message) {
  GUARDED(wrap(codes_handle_new_from_message_copy(NULL, bytes, length), message));
}

int jk_grib_open_sample(const char *name, jk_grib **message) {
  GUARDED(wrap(codes_grib_handle_new_from_samples(NULL, name), message));
}

static int close_handle(jk_grib *message) {
  GUARDED(codes_handle_delete(message->handle));
}

void jk_grib_close(jk_grib *message) {
  (void)close_handle(message);
  free(message);
}

int jk_grib_get_long(jk_grib *message, const char *key, long *value) {
  GUARDED(codes_get_long(message->handle, key, value));
}

static int is_missing(codes_handle *handle, const char *key, int *missing) {
  int status = CODES_SUCCESS;
  *missing = codes_is_missing(handle, key, &status);
  return status;
}

int jk_grib_is_missing(jk_grib *message, const char *key, int *missing) {
  GUARDED(is_missing(message->handle, key, missing));
}

int jk_grib_get_double(jk_grib *message, const char *key, double *value) {
  GUARDED(codes_get_double(message->handle, key, value));
}

static int get_text(codes_handle *handle, const char *key, char *text, size_t size) {
  char whole[1024] = {0};
  size_t length = sizeof whole;
  const int status = codes_get_string(handle, key, whole, &length);
  if (status == CODES_SUCCESS) {
    whole[sizeof whole - 1] = 0;
    snprintf(text, size, "%.*s", (int)(size - 1), whole);
  }
  return status;
}

int jk_grib_get_text(jk_grib *message, const char *key, char *text, size_t size) {
  GUARDED(get_text(message->handle, key, text, size));
}

int jk_grib_get_count(jk_grib *message, const char *key, size_t *count) {
  GUARDED(codes_get_size(message->handle, key, count));
}

static int get_doubles(codes_handle *handle, const char *key, double *values, size_t count) {
  size_t length = count;
  const int status = codes_get_double_array(handle, key, values, &length);
  return status == CODES_SUCCESS && length != count ? CODES_WRONG_ARRAY_SIZE : status;
}

int jk_grib_get_doubles(jk_grib *message, const char *key, double *values, size_t count) {
  GUARDED(get_doubles(message->handle, key, values, count));
}

int jk_grib_set_long(jk_grib *message, const char *key, long value) {
  GUARDED(codes_set_long(message->handle, key, value));
}

int jk_grib_set_double(jk_grib *message, const char *key, double value) {
  GUARDED(codes_set_double(message->handle, key, value));
}

static int set_text(codes_handle *handle, const char *key, const char *text) {
  size_t length = strlen(text);
  return codes_set_string(handle, key, text, &length);
}

int jk_grib_set_text(jk_grib *message, const char *key, const char *text) {
  GUARDED(set_text(message->handle, key, text));
}

int jk_grib_set_longs(jk_grib *message, const char *key, const long *values, size_t count) {
  GUARDED(codes_set_long_array(message->handle, key, values, count));
}

int jk_grib_set_missing(jk_grib *message, const char *key) { GUARDED(codes_set_missing(message->handle, key)); }

int jk_grib_set_doubles(jk_grib *message, const char *key, const double *values, size_t count) {
  GUARDED(codes_set_double_array(message->handle, key, values, count));
}

int jk_grib_bytes(jk_grib *message, const void **bytes, size_t *length) {
  GUARDED(codes_get_message(message->handle, bytes, length));
}

int jk_grib_gaussian_latitudes(long count, double *latitudes) {
  GUARDED(codes_get_gaussian_latitudes(count, latitudes));
}
