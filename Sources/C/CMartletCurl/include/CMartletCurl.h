// libcurl for REST: requests of one venue, strictly bounded, never sent twice.
//
// Why a shim: curl's functions are variadic, which Swift cannot call, and its callbacks are simplest
// in C. A `cmartlet_transfer` owns an easy handle with its connection, a request and a reply; a
// `cmartlet_multi` drives many of them from the caller's own loop. Whoever creates one destroys it:
// transfers before their multi. Nothing here is shared between threads.
//
// Never sent twice: when a kept connection dies before the first byte of a reply, curl by itself sends
// the request once more on a new one. An order might be placed twice, so a second attempt is stopped
// as soon as any byte of the first has left.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cmartlet_transfer cmartlet_transfer;
typedef struct cmartlet_multi cmartlet_multi;

typedef struct {
  // A file of certificates to trust instead of the system's; NULL for the system's.
  const char *_Nullable authorities;
  // Public keys that a server must show one of, `sha256//…;sha256//…`; NULL for any.
  const char *_Nullable pins;
  // Unencrypted HTTP is allowed; the caller has made sure that the host is this machine.
  bool is_plain;
  // HTTP/2 where the server offers it; otherwise HTTP/1.1.
  bool wants_http2;
  // Largest reply body and largest reply head, in bytes.
  size_t body_limit;
  size_t head_limit;
  // For a connection to be made.
  int64_t connect_milliseconds;
} cmartlet_rest_options;

// What has become of a transfer.
typedef enum {
  CMARTLET_REST_REPLIED = 0,
  // No byte of the request has left.
  CMARTLET_REST_NOT_SENT = 1,
  CMARTLET_REST_TIMED_OUT = 2,
  // The connection broke after some of the request had left.
  CMARTLET_REST_BROKEN = 3,
  // The reply is no HTTP, or larger than allowed.
  CMARTLET_REST_MALFORMED = 4,
} cmartlet_rest_outcome;

// A transfer for requests under `options`, which are copied; NULL when curl or memory fails.
// `tag` is the caller's, to know it again.
cmartlet_transfer *_Nullable cmartlet_transfer_create(
    const cmartlet_rest_options *_Nonnull options, uint64_t tag);
// Frees it; it must not be in a multi.
void cmartlet_transfer_destroy(cmartlet_transfer *_Nonnull transfer);
uint64_t cmartlet_transfer_tag(const cmartlet_transfer *_Nonnull transfer);

// Prepares the next request; everything is copied.
//
// `url` and `method` end with a zero byte. `headers` holds `header_count` lines `Name: value`, each
// ended with a zero byte. A kept connection that has been idle for more than `idle_seconds` is not
// used; 0: none is. 0, or -1 when memory fails or there are more than 64 lines.
int cmartlet_transfer_prepare(
    cmartlet_transfer *_Nonnull transfer, const char *_Nonnull method, const char *_Nonnull url,
    const uint8_t *_Nullable headers, size_t headers_size, size_t header_count,
    const uint8_t *_Nullable body, size_t body_size, int64_t timeout_milliseconds,
    int64_t idle_seconds);

// Sends the prepared request and waits for the reply; BLOCKS.
cmartlet_rest_outcome cmartlet_transfer_perform(cmartlet_transfer *_Nonnull transfer);

// After the end: the status, the head (status line and fields) and the body; good until the next
// `prepare`.
uint16_t cmartlet_transfer_status(const cmartlet_transfer *_Nonnull transfer);
const uint8_t *_Nullable cmartlet_transfer_head(
    const cmartlet_transfer *_Nonnull transfer, size_t *_Nonnull size);
const uint8_t *_Nullable cmartlet_transfer_body(
    const cmartlet_transfer *_Nonnull transfer, size_t *_Nonnull size);
// After a failure: curl's number and text for it; neither holds anything of the request. Good until
// the next `prepare`.
int cmartlet_transfer_code(const cmartlet_transfer *_Nonnull transfer);
const char *_Nonnull cmartlet_transfer_text(const cmartlet_transfer *_Nonnull transfer);
// What was wrong with the server, as far as curl's number tells it.
typedef enum {
  // Nothing, or nothing of TLS.
  CMARTLET_REST_NO_REFUSAL = 0,
  // Its certificate; `cmartlet_transfer_verified` says what.
  CMARTLET_REST_BAD_CERTIFICATE = 1,
  CMARTLET_REST_WRONG_HOST = 2,
  CMARTLET_REST_WRONG_KEY = 3,
  // The handshake failed; the text says how, and may mean no more than a connection that broke.
  CMARTLET_REST_NO_HANDSHAKE = 4,
} cmartlet_rest_refusal;
cmartlet_rest_refusal cmartlet_transfer_refusal(const cmartlet_transfer *_Nonnull transfer);
// OpenSSL's number for what is wrong with the certificate (X509_V_ERR_…).
long cmartlet_transfer_verified(const cmartlet_transfer *_Nonnull transfer);
// How many connections the last request had to make: 0 when it used a kept one.
int cmartlet_transfer_connects(const cmartlet_transfer *_Nonnull transfer);

enum {
  CMARTLET_REST_READABLE = 1u << 0,
  CMARTLET_REST_WRITABLE = 1u << 1,
  CMARTLET_REST_FAILED = 1u << 2,
};

// Watch `descriptor` for `interest` from now on; 0: no more. Returns 0, or -1 when it cannot.
typedef int (*cmartlet_rest_watch)(
    void *_Nonnull owner, int descriptor, unsigned interest);
// Call `cmartlet_multi_expired` after so many milliseconds; negative: not at all.
typedef void (*cmartlet_rest_timer)(void *_Nonnull owner, int64_t milliseconds);

// A multi that asks `owner` to watch and wait for it; NULL when memory fails.
cmartlet_multi *_Nullable cmartlet_multi_create(
    void *_Nonnull owner, cmartlet_rest_watch _Nonnull watch, cmartlet_rest_timer _Nonnull timer,
    long connections);
void cmartlet_multi_destroy(cmartlet_multi *_Nonnull multi);
// Begins a prepared transfer, and sends it if a connection is free. 0, or -1 when memory fails.
int cmartlet_multi_start(cmartlet_multi *_Nonnull multi, cmartlet_transfer *_Nonnull transfer);
// Takes a transfer out, finished or not; an unfinished one's connection closes.
void cmartlet_multi_remove(cmartlet_multi *_Nonnull multi, cmartlet_transfer *_Nonnull transfer);
// A watched descriptor is ready.
void cmartlet_multi_ready(cmartlet_multi *_Nonnull multi, int descriptor, unsigned ready);
// The time that was asked for has passed.
void cmartlet_multi_expired(cmartlet_multi *_Nonnull multi);
// Takes out the next transfer that has ended; NULL when there is none.
cmartlet_transfer *_Nullable cmartlet_multi_next(
    cmartlet_multi *_Nonnull multi, cmartlet_rest_outcome *_Nonnull outcome);

#ifdef __cplusplus
}
#endif
