/// The one place that sees libcurl: a GET of a whole resource or of some of its bytes.
#ifndef JIGSAW_CCURL_H
#define JIGSAW_CCURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  /// HTTP's status; 0 when there was no answer.
  long status;
  /// What arrived; to be given to jk_curl_release.
  uint8_t *body;
  size_t length;
  /// Length of the whole resource, from Content-Range, and the place of its first byte; -1 if unknown.
  int64_t total, first;
  /// Seconds to wait before the next attempt, from Retry-After; -1 if unknown.
  double retry_after;
  /// Where S3 says a bucket is, from x-amz-bucket-region; empty if it doesn't.
  char region[32];
  /// Whether trying again may help: no connection, a break, a silence.
  bool is_transient;
  /// What went wrong below HTTP; empty if nothing.
  char problem[256];
} jk_curl_response;

/// How requests to S3 are signed (AWS Signature Version 4).
typedef struct {
  const char *key, *secret;
  /// Null where the keys are not temporary.
  const char *token;
  const char *region;
  /// As the server knows itself, with a port that is not the usual one.
  const char *host;
} jk_curl_signature;

/// Gets a resource. Connections are kept open, one set for each thread.
///
/// - range: "0-99" or "-100"; null for all.
/// - limit: more bytes than these are not taken.
/// - silence_seconds: with less than 1 KiB a second end the attempt.
/// - total_seconds: end it in any case.
/// - signature: null for none. Redirections of signed requests are not followed.
void jk_curl_get(const char *url, const char *range, size_t limit, long silence_seconds,
                 long total_seconds, const jk_curl_signature *signature, jk_curl_response *response);

void jk_curl_release(jk_curl_response *response);

/// The version of the library that is loaded.
const char *jk_curl_version(void);

#ifdef __cplusplus
}
#endif
#endif
