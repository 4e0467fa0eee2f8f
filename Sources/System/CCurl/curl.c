#include "CCurl.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t handles;

static void close_handle(void *handle) { curl_easy_cleanup(handle); }

static void start(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  pthread_key_create(&handles, close_handle);
}

/// The calling thread's handle, which keeps its connections.
static CURL *own_handle(void) {
  pthread_once(&once, start);
  CURL *handle = pthread_getspecific(handles);
  if (!handle) {
    handle = curl_easy_init();
    pthread_setspecific(handles, handle);
  }
  return handle;
}

typedef struct {
  jk_curl_response *response;
  CURL *handle;
  size_t capacity, limit;
  bool is_too_long;
} receiver;

static size_t take_body(char *data, size_t size, size_t count, void *context) {
  receiver *r = context;
  const size_t n = size * count;
  if (n > r->limit - r->response->length) {
    // Pages about errors may be longer than the value would be: the rest of them is passed over.
    long status = 0;
    curl_easy_getinfo(r->handle, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299) return n;
    r->is_too_long = true;
    return 0;
  }
  if (r->response->length + n > r->capacity) {
    size_t capacity = 2 * r->capacity + n;
    if (capacity > r->limit) capacity = r->limit;
    uint8_t *larger = realloc(r->response->body, capacity ? capacity : 1);
    if (!larger) return 0;
    r->response->body = larger;
    r->capacity = capacity;
  }
  memcpy(r->response->body + r->response->length, data, n);
  r->response->length += n;
  return n;
}

static size_t take_header(char *data, size_t size, size_t count, void *context) {
  receiver *r = context;
  const size_t n = size * count;
  char line[256];
  const size_t length = n < sizeof line - 1 ? n : sizeof line - 1;
  memcpy(line, data, length);
  line[length] = 0;
  if (strncmp(line, "HTTP/", 5) == 0) {
    // Another answer begins, after a redirection.
    r->response->total = r->response->first = -1;
    r->response->retry_after = -1;
    r->response->length = 0;
  } else if (strncasecmp(line, "content-range:", 14) == 0) {
    const char *bytes = strstr(line, "bytes");
    const char *slash = strchr(line, '/');
    if (bytes && slash) {
      if (slash[1] != '*') r->response->total = strtoll(slash + 1, NULL, 10);
      if (bytes[5] == ' ' && bytes[6] != '*') r->response->first = strtoll(bytes + 6, NULL, 10);
    }
  } else if (strncasecmp(line, "x-amz-bucket-region:", 20) == 0) {
    sscanf(line + 20, " %31[a-z0-9-]", r->response->region);
  } else if (strncasecmp(line, "retry-after:", 12) == 0) {
    char *end;
    const double seconds = strtod(line + 12, &end);
    if (end != line + 12 && seconds >= 0) r->response->retry_after = seconds;
  }
  return n;
}

/// Headers that are signed too; null if there is no memory.
static struct curl_slist *sign(CURL *handle, const jk_curl_signature *signature) {
  char text[256];
  snprintf(text, sizeof text, "aws:amz:%s:s3", signature->region);
  curl_easy_setopt(handle, CURLOPT_AWS_SIGV4, text);
  curl_easy_setopt(handle, CURLOPT_USERNAME, signature->key);
  curl_easy_setopt(handle, CURLOPT_PASSWORD, signature->secret);
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  // The signature is of the path as it stands in the URL.
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  // libcurl before 8 signs a host without its port unless it is given.
  snprintf(text, sizeof text, "Host: %s", signature->host);
  struct curl_slist *headers = curl_slist_append(NULL, text);
  if (!headers || !signature->token) return headers;
  const char name[] = "x-amz-security-token: ";
  char *token = malloc(sizeof name + strlen(signature->token));
  struct curl_slist *longer = NULL;
  if (token) {
    strcpy(token, name);
    strcat(token, signature->token);
    longer = curl_slist_append(headers, token);
    free(token);
  }
  if (!longer) curl_slist_free_all(headers);
  return longer;
}

void jk_curl_get(const char *url, const char *range, size_t limit, long silence_seconds,
                 const jk_curl_signature *signature, jk_curl_response *response) {
  memset(response, 0, sizeof *response);
  response->total = response->first = -1;
  response->retry_after = -1;
  CURL *handle = own_handle();
  if (!handle) {
    snprintf(response->problem, sizeof response->problem, "libcurl can't be started");
    return;
  }
  receiver r = {response, handle, 0, limit, false};
  char words[CURL_ERROR_SIZE] = "";
  curl_easy_reset(handle);  // keeps connections
  curl_easy_setopt(handle, CURLOPT_URL, url);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, silence_seconds);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, silence_seconds);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "jigsaw");
  // As the curl program, OpenSSL and Python take it: the certificates of an institution's own servers.
  const char *authorities = getenv("SSL_CERT_FILE");
  if (authorities && *authorities) curl_easy_setopt(handle, CURLOPT_CAINFO, authorities);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &r);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &r);
  if (range) curl_easy_setopt(handle, CURLOPT_RANGE, range);
  struct curl_slist *headers = signature ? sign(handle, signature) : NULL;
  if (signature && !headers) {
    snprintf(response->problem, sizeof response->problem, "no memory");
    return;
  }
  if (headers) curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  const CURLcode code = curl_easy_perform(handle);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, NULL);
  curl_slist_free_all(headers);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &response->status);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, NULL);
  if (code == CURLE_OK) return;
  if (r.is_too_long) {
    snprintf(response->problem, sizeof response->problem, "the answer is longer than %zu bytes", limit);
    return;
  }
  snprintf(response->problem, sizeof response->problem, "%s", words[0] ? words : curl_easy_strerror(code));
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR: response->is_transient = true; break;
    default: break;
  }
}

void jk_curl_release(jk_curl_response *response) {
  free(response->body);
  response->body = NULL;
}

const char *jk_curl_version(void) { return curl_version_info(CURLVERSION_NOW)->version; }
