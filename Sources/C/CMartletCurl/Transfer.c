// One request and its reply on an easy handle.
#include "Internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static bool append(buffer *target, const void *bytes, size_t count) {
  if (target->capacity - target->count < count) {
    size_t capacity = target->capacity * 2;
    if (capacity < target->count + count) capacity = target->count + count;
    if (capacity < 1024) capacity = 1024;
    uint8_t *moved = realloc(target->bytes, capacity);
    if (moved == NULL) return false;
    target->bytes = moved;
    target->capacity = capacity;
  }
  if (count > 0) memcpy(target->bytes + target->count, bytes, count);
  target->count += count;
  return true;
}

// Takes a part of the reply's body. Less than was given back is how curl is told to stop.
static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
  cmartlet_transfer *transfer = context;
  size_t length = size * count;
  if (length > transfer->body_limit - transfer->body.count) {
    transfer->is_oversized = true;
    return 0;
  }
  return append(&transfer->body, bytes, length) ? length : 0;
}

// Takes one line of the reply's head.
static size_t take_head(char *bytes, size_t size, size_t count, void *context) {
  cmartlet_transfer *transfer = context;
  size_t length = size * count;
  // A status line begins a head; what was told before it was of an interim reply.
  if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) transfer->head.count = 0;
  if (length > transfer->head_limit - transfer->head.count) {
    transfer->is_oversized = true;
    return 0;
  }
  return append(&transfer->head, bytes, length) ? length : 0;
}

static bool has_sent(cmartlet_transfer *transfer) {
  long sent = 0;
  (curl_easy_getinfo)(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
  return sent > 0;
}

// Called when a connection is there and the request is about to be written. If some of it was written
// before, this is curl's second attempt.
static int before_request(
    void *context, char *remote, char *local, int remote_port, int local_port) {
  (void)remote;
  (void)local;
  (void)remote_port;
  (void)local_port;
  return has_sent(context) ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void start_curl(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

// One option of `transfer`; the first failure stays in `code`.
#define SET(option, value) \
  if (code == CURLE_OK) code = (curl_easy_setopt)(transfer->easy, option, value)

static CURLcode set_options(cmartlet_transfer *transfer, const cmartlet_rest_options *options) {
  CURLcode code = CURLE_OK;
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_TCP_NODELAY, 1L);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_PROTOCOLS_STR, options->is_plain ? "http" : "https");
  SET(CURLOPT_FOLLOWLOCATION, 0L);
  SET(CURLOPT_PATH_AS_IS, 1L);
  SET(CURLOPT_USERAGENT, "martlet");
  // No proxy, whatever the environment says: it would see every secret of a plain request.
  SET(CURLOPT_PROXY, "");
  SET(CURLOPT_HTTP_VERSION,
      options->wants_http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
  if (options->authorities != NULL) {
    SET(CURLOPT_CAINFO, options->authorities);
    SET(CURLOPT_CAPATH, NULL);
  }
  if (options->pins != NULL) SET(CURLOPT_PINNEDPUBLICKEY, options->pins);
  SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)options->body_limit);
  SET(CURLOPT_WRITEFUNCTION, take_body);
  SET(CURLOPT_WRITEDATA, transfer);
  SET(CURLOPT_HEADERFUNCTION, take_head);
  SET(CURLOPT_HEADERDATA, transfer);
  SET(CURLOPT_PREREQFUNCTION, before_request);
  SET(CURLOPT_PREREQDATA, transfer);
  SET(CURLOPT_PRIVATE, transfer);
  SET(CURLOPT_ERRORBUFFER, transfer->detail);
  return code;
}

cmartlet_transfer *cmartlet_transfer_create(const cmartlet_rest_options *options, uint64_t tag) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_curl);
  cmartlet_transfer *transfer = calloc(1, sizeof *transfer);
  if (transfer == NULL) return NULL;
  transfer->tag = tag;
  transfer->body_limit = options->body_limit;
  transfer->head_limit = options->head_limit;
  transfer->connect_milliseconds = (long)options->connect_milliseconds;
  transfer->easy = curl_easy_init();
  if (transfer->easy == NULL || set_options(transfer, options) != CURLE_OK) {
    cmartlet_transfer_destroy(transfer);
    return NULL;
  }
  return transfer;
}

void cmartlet_transfer_destroy(cmartlet_transfer *transfer) {
  if (transfer->easy != NULL) curl_easy_cleanup(transfer->easy);
  free(transfer->url.bytes);
  free(transfer->request_headers.bytes);
  free(transfer->request_body.bytes);
  free(transfer->head.bytes);
  free(transfer->body.bytes);
  free(transfer);
}

uint64_t cmartlet_transfer_tag(const cmartlet_transfer *transfer) { return transfer->tag; }

int cmartlet_transfer_prepare(
    cmartlet_transfer *transfer, const char *method, const char *url, const uint8_t *headers,
    size_t headers_size, size_t header_count, const uint8_t *body, size_t body_size,
    int64_t timeout_milliseconds, int64_t idle_seconds) {
  // One line is ours.
  if (header_count >= HEADER_LIMIT) return -1;
  transfer->url.count = 0;
  transfer->request_headers.count = 0;
  transfer->request_body.count = 0;
  transfer->head.count = 0;
  transfer->body.count = 0;
  transfer->is_oversized = false;
  transfer->code = CURLE_OK;
  transfer->detail[0] = 0;
  // Without it curl would ask for leave to send a large body, and wait a second for it.
  static const char no_expect[] = "Expect:";
  if (!append(&transfer->url, url, strlen(url) + 1) ||
      !append(&transfer->request_headers, no_expect, sizeof no_expect) ||
      !append(&transfer->request_headers, headers, headers_size) ||
      !append(&transfer->request_body, body, body_size))
    return -1;
  char *line = (char *)transfer->request_headers.bytes;
  for (size_t index = 0; index <= header_count; index++) {
    transfer->lines[index].data = line;
    transfer->lines[index].next = index < header_count ? &transfer->lines[index + 1] : NULL;
    line += strlen(line) + 1;
  }
  CURLcode code = CURLE_OK;
  SET(CURLOPT_FRESH_CONNECT, idle_seconds < 1 ? 1L : 0L);
  if (idle_seconds >= 1) SET(CURLOPT_MAXAGE_CONN, (long)idle_seconds);
  SET(CURLOPT_URL, (const char *)transfer->url.bytes);
  SET(CURLOPT_HTTPHEADER, transfer->lines);
  bool is_post = strcmp(method, "POST") == 0;
  if (is_post || body_size > 0) {
    SET(CURLOPT_POST, 1L);
    // Never NULL, which would make curl ask a callback for the body.
    SET(CURLOPT_POSTFIELDS, body_size > 0 ? (const char *)transfer->request_body.bytes : "");
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size);
    SET(CURLOPT_CUSTOMREQUEST, is_post ? NULL : method);
  } else {
    SET(CURLOPT_HTTPGET, 1L);
    SET(CURLOPT_CUSTOMREQUEST, strcmp(method, "GET") == 0 ? NULL : method);
  }
  long timeout = timeout_milliseconds < 1 ? 1 : (long)timeout_milliseconds;
  SET(CURLOPT_TIMEOUT_MS, timeout);
  SET(CURLOPT_CONNECTTIMEOUT_MS,
      timeout < transfer->connect_milliseconds ? timeout : transfer->connect_milliseconds);
  return code == CURLE_OK ? 0 : -1;
}

// Whether the reply's head came to its end. curl takes a connection that closes within the head for a
// reply without a body, which would make a success of half a status.
static bool has_whole_head(const cmartlet_transfer *transfer) {
  size_t count = transfer->head.count;
  return count >= 4 && memcmp(transfer->head.bytes + count - 4, "\r\n\r\n", 4) == 0;
}

cmartlet_rest_outcome outcome_of(cmartlet_transfer *transfer, CURLcode code) {
  if (code == CURLE_OK && !has_whole_head(transfer)) code = CURLE_PARTIAL_FILE;
  transfer->code = code;
  if (code == CURLE_OK) return CMARTLET_REST_REPLIED;
  if (transfer->is_oversized) return CMARTLET_REST_MALFORMED;
  if (!has_sent(transfer)) return CMARTLET_REST_NOT_SENT;
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return CMARTLET_REST_TIMED_OUT;
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9, which is what a reply without a head is taken for.
    case CURLE_BAD_CONTENT_ENCODING: return CMARTLET_REST_MALFORMED;
    default: return CMARTLET_REST_BROKEN;
  }
}

cmartlet_rest_outcome cmartlet_transfer_perform(cmartlet_transfer *transfer) {
  return outcome_of(transfer, curl_easy_perform(transfer->easy));
}

uint16_t cmartlet_transfer_status(const cmartlet_transfer *transfer) {
  long status = 0;
  (curl_easy_getinfo)(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  return (uint16_t)status;
}

const uint8_t *cmartlet_transfer_head(const cmartlet_transfer *transfer, size_t *size) {
  *size = transfer->head.count;
  return transfer->head.bytes;
}

const uint8_t *cmartlet_transfer_body(const cmartlet_transfer *transfer, size_t *size) {
  *size = transfer->body.count;
  return transfer->body.bytes;
}

int cmartlet_transfer_code(const cmartlet_transfer *transfer) { return (int)transfer->code; }

const char *cmartlet_transfer_text(const cmartlet_transfer *transfer) {
  switch (transfer->code) {
    // What is wrong with the server's certificate; said before a byte of the request has left.
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      if (transfer->detail[0] != 0) return transfer->detail;
      break;
    default: break;
  }
  return curl_easy_strerror(transfer->code);
}

long cmartlet_transfer_verified(const cmartlet_transfer *transfer) {
  long verified = 0;
  (curl_easy_getinfo)(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verified);
  return verified;
}

cmartlet_rest_refusal cmartlet_transfer_refusal(const cmartlet_transfer *transfer) {
  switch (transfer->code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      // curl looks at the host itself, before it takes over what OpenSSL found: that is 0 or, as before
      // the handshake, 1, which stands for nothing in particular.
      return cmartlet_transfer_verified(transfer) > 1 ? CMARTLET_REST_BAD_CERTIFICATE
                                                      : CMARTLET_REST_WRONG_HOST;
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH: return CMARTLET_REST_WRONG_KEY;
    case CURLE_SSL_CONNECT_ERROR: return CMARTLET_REST_NO_HANDSHAKE;
    default: return CMARTLET_REST_NO_REFUSAL;
  }
}

int cmartlet_transfer_connects(const cmartlet_transfer *transfer) {
  long connects = 0;
  (curl_easy_getinfo)(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
  return (int)connects;
}
