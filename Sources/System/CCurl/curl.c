#include "CCurl.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

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

/// What may be asked for by redirection: the host and port of the first address, the same scheme or https in place of http, and the
/// hosts that JIGSAW_REDIRECT_HOSTS lists with commas between them.
static bool may_follow(const char *from, const char *to, bool *is_other_host) {
  bool may = false;
  char *scheme[2] = {0}, *host[2] = {0}, *port[2] = {0};
  CURLU *url[2] = {curl_url(), curl_url()};
  const char *text[2] = {from, to};
  for (int i = 0; i < 2; i++) {
    if (!url[i] || curl_url_set(url[i], CURLUPART_URL, text[i], 0) || curl_url_get(url[i], CURLUPART_SCHEME, &scheme[i], 0) ||
        curl_url_get(url[i], CURLUPART_HOST, &host[i], 0) || curl_url_get(url[i], CURLUPART_PORT, &port[i], CURLU_DEFAULT_PORT))
      goto end;
  }
  if (strcasecmp(scheme[0], "https") == 0 && strcasecmp(scheme[1], "https") != 0) goto end;
  const bool is_upgrade = strcasecmp(scheme[0], scheme[1]) != 0 && strcmp(port[0], "80") == 0 && strcmp(port[1], "443") == 0;
  *is_other_host = strcasecmp(host[0], host[1]) != 0 || (strcmp(port[0], port[1]) != 0 && !is_upgrade);
  may = !*is_other_host;
  const char *allowed = getenv("JIGSAW_REDIRECT_HOSTS");
  const size_t length = strlen(host[1]);
  while (!may && allowed && *allowed) {
    const size_t n = strcspn(allowed, ",");
    may = n == length && strncasecmp(allowed, host[1], n) == 0;
    allowed += n + (allowed[n] == ',');
  }
end:
  for (int i = 0; i < 2; i++) {
    curl_free(scheme[i]);
    curl_free(host[i]);
    curl_free(port[i]);
    curl_url_cleanup(url[i]);
  }
  return may;
}

/// Whether an address is of this machine or of its link: what another host must not send us to.
static bool is_local(const struct sockaddr *address) {
  uint32_t four;
  if (address->sa_family == AF_INET) {
    four = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr);
  } else if (address->sa_family == AF_INET6) {
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_LOOPBACK(six) || IN6_IS_ADDR_LINKLOCAL(six) || IN6_IS_ADDR_UNSPECIFIED(six)) return true;
    if (!IN6_IS_ADDR_V4MAPPED(six)) return false;
    memcpy(&four, &six->s6_addr[12], 4);
    four = ntohl(four);
  } else {
    return true;
  }
  return four >> 24 == 127 || four >> 24 == 0 || four >> 16 == 0xA9FE;
}

static curl_socket_t open_remote_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  *(bool *)context = is_local(&address->addr);
  if (*(bool *)context) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype, address->protocol);
}

/// Asks, and follows at most five redirections to where they may lead.
static CURLcode perform(CURL *handle, const char *url, bool is_signed, jk_curl_response *response) {
  char *place = strdup(url);
  CURLcode code = place ? CURLE_OK : CURLE_OUT_OF_MEMORY;
  bool is_refused = false;
  for (int redirections = 0; place; redirections++) {
    curl_easy_setopt(handle, CURLOPT_URL, place);
    code = curl_easy_perform(handle);
    if (is_refused) snprintf(response->problem, sizeof response->problem, "a redirection to an address of this machine or its link");
    char *next = NULL;
    if (code || is_signed || curl_easy_getinfo(handle, CURLINFO_REDIRECT_URL, &next) || !next) break;
    bool is_other_host = false;
    if (redirections == 5 || !may_follow(url, next, &is_other_host)) {
      const bool is_too_many = redirections == 5;
      snprintf(response->problem, sizeof response->problem, is_too_many ? "more than 5 redirections" : "a redirection to %.150s", next);
      break;
    }
    free(place);
    place = strdup(next);
    if (!place) code = CURLE_OUT_OF_MEMORY;
    if (is_other_host) {
      // A kept connection would not be opened anew and so not be looked at.
      curl_easy_setopt(handle, CURLOPT_FRESH_CONNECT, 1L);
      curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_remote_socket);
      curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &is_refused);
      curl_easy_setopt(handle, CURLOPT_NETRC, CURL_NETRC_IGNORED);
    }
  }
  free(place);
  return code;
}

void jk_curl_get(const char *url, const char *range, size_t limit, long silence_seconds,
                 long total_seconds, const jk_curl_signature *signature, jk_curl_response *response) {
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
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_NETRC, CURL_NETRC_OPTIONAL);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, silence_seconds);
  // A server that sends a byte now and then is as good as silent.
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1024L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, total_seconds);
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
  const CURLcode code = perform(handle, url, signature != NULL, response);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, NULL);
  curl_slist_free_all(headers);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &response->status);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, NULL);
  if (code == CURLE_OK || response->problem[0]) return;
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
