// TLS 1.3 on sockets by OpenSSL's libssl, and certificates for a server of ours.
//
// Why a shim: libssl's settings are macros, its errors lie in a queue of the thread, and its objects
// are counted by hand. A `context` holds what connections have in common and may be shared between
// threads once it is made; a connection belongs to one thread. Connections keep what they need of
// their context, so either may be destroyed first. Nothing here closes a descriptor.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

typedef struct cmartlet_tls_context cmartlet_tls_context;
typedef struct cmartlet_tls cmartlet_tls;

// What is wrong with a peer, or with what was given to us.
typedef enum {
  CMARTLET_TLS_OTHER = 0,
  CMARTLET_TLS_EXPIRED = 1,
  CMARTLET_TLS_NOT_YET_VALID = 2,
  CMARTLET_TLS_WRONG_HOST = 3,
  CMARTLET_TLS_UNKNOWN_AUTHORITY = 4,
  // The certificate is in order, and its key is none of the pinned ones.
  CMARTLET_TLS_WRONG_KEY = 5,
  // The peer does not speak TLS 1.3.
  CMARTLET_TLS_OLD_PROTOCOL = 6,
  CMARTLET_TLS_NOT_TLS = 7,
  // The peer refused us; the text says how.
  CMARTLET_TLS_REFUSED = 8,
  // Bytes were changed on their way.
  CMARTLET_TLS_CORRUPT = 9,
  // A certificate that is wrong in another way; the text says how.
  CMARTLET_TLS_BAD_CERTIFICATE = 10,
} cmartlet_tls_fault;

typedef enum {
  // `value` bytes were moved; for a handshake: it is done.
  CMARTLET_TLS_MOVED = 0,
  CMARTLET_TLS_WANTS_READ = 1,
  CMARTLET_TLS_WANTS_WRITE = 2,
  // The peer has sent its last byte.
  CMARTLET_TLS_ENDED = 3,
  // `value` is an errno.
  CMARTLET_TLS_SYSTEM = 4,
  // `value` is a `cmartlet_tls_fault`; `cmartlet_tls_text` says more.
  CMARTLET_TLS_FAULT = 5,
} cmartlet_tls_kind;

typedef struct {
  cmartlet_tls_kind kind;
  int64_t value;
} cmartlet_tls_result;

enum {
  CMARTLET_TLS_PIN_SIZE = 32,
  CMARTLET_TLS_PIN_LIMIT = 16,
  CMARTLET_TLS_TEXT_SIZE = 256,
};

// What clients have in common. `authorities` is a file of certificates (PEM) to trust instead of the
// system's, NULL for the system's. `pins` are `pin_count` SHA-256 digests, one after the other, of
// public keys (DER) of which the server must show one; 0 for any. NULL on failure, and `text` says why.
cmartlet_tls_context *_Nullable cmartlet_tls_client_create(
    const char *_Nullable authorities, const uint8_t *_Nullable pins, size_t pin_count,
    char text[_Nonnull CMARTLET_TLS_TEXT_SIZE]);

// What a server's connections have in common. `certificate` is its certificate and perhaps those above
// it, `key` its private key, both PEM. NULL on failure, and `text` says why.
cmartlet_tls_context *_Nullable cmartlet_tls_server_create(
    const uint8_t *certificate, size_t certificate_size, const uint8_t *key, size_t key_size,
    char text[_Nonnull CMARTLET_TLS_TEXT_SIZE]);

void cmartlet_tls_context_destroy(cmartlet_tls_context *context);

// A connection on a non-blocking socket. `host` is what a client's server must prove to be, a name or
// a numeric address, and NULL for a server. NULL when memory fails.
cmartlet_tls *_Nullable cmartlet_tls_create(
    cmartlet_tls_context *context, int descriptor, const char *_Nullable host);
void cmartlet_tls_destroy(cmartlet_tls *connection);

cmartlet_tls_result cmartlet_tls_handshake(cmartlet_tls *connection);
cmartlet_tls_result cmartlet_tls_read(cmartlet_tls *connection, void *bytes, size_t capacity);
cmartlet_tls_result cmartlet_tls_write(cmartlet_tls *connection, const void *bytes, size_t count);
// Whether bytes lie here that the descriptor does not show.
bool cmartlet_tls_has_pending(cmartlet_tls *connection);
// What a result of OpenSSL's verification (X509_V_ERR_…) means, for whoever has it from elsewhere, and
// its words, which last.
cmartlet_tls_fault cmartlet_tls_fault_of(long verified);
const char *cmartlet_tls_words_of(long verified);
// Says that nothing more follows.
void cmartlet_tls_end_writing(cmartlet_tls *connection);
// What is known of the last fault; empty for none. Good until the next call.
const char *cmartlet_tls_text(const cmartlet_tls *connection);

// A certificate and its private key, PEM each.
typedef struct {
  uint8_t *_Nullable certificate;
  size_t certificate_size;
  uint8_t *_Nullable key;
  size_t key_size;
} cmartlet_tls_identity;

// Makes a new key (P-256) and a certificate for it.
//
// `name` is its common name. `hosts` are what it stands for, as OpenSSL writes them:
// `DNS:localhost,IP:127.0.0.1`; NULL makes an authority that may sign others. The times are Unix
// seconds. `issuer` signs it; NULL lets it sign itself. 0, or -1 when the library refuses.
int cmartlet_tls_issue(
    const char *name, const char *_Nullable hosts, int64_t not_before, int64_t not_after,
    const cmartlet_tls_identity *_Nullable issuer, cmartlet_tls_identity *made);
// Frees both, the key wiped.
void cmartlet_tls_identity_destroy(cmartlet_tls_identity *identity);

// The digest of the public key in a certificate (PEM). 0, or -1 when it is none.
int cmartlet_tls_pin(
    const uint8_t *certificate, size_t certificate_size,
    uint8_t pin[_Nonnull CMARTLET_TLS_PIN_SIZE]);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif
