// TLS 1.3 connections on non-blocking sockets.
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CMartletTLS.h"
#include "Internal.h"

struct cmartlet_tls_context {
  SSL_CTX *settings;
  uint8_t pins[CMARTLET_TLS_PIN_LIMIT][CMARTLET_TLS_PIN_SIZE];
  size_t pin_count;
};

struct cmartlet_tls {
  SSL *ssl;
  uint8_t pins[CMARTLET_TLS_PIN_LIMIT][CMARTLET_TLS_PIN_SIZE];
  size_t pin_count;
  bool is_client;
  bool is_done;
  // The last read took all that was whole: what lies there is the beginning of a record.
  bool has_partial;
  char text[CMARTLET_TLS_TEXT_SIZE];
};

static void say(char text[CMARTLET_TLS_TEXT_SIZE], const char *what) {
  snprintf(text, CMARTLET_TLS_TEXT_SIZE, "%s", what);
}

// The oldest error of this thread's queue, in the library's words.
static void say_error(char text[CMARTLET_TLS_TEXT_SIZE]) {
  unsigned long code = ERR_peek_error();
  const char *reason = ERR_reason_error_string(code);
  say(text, code == 0 ? "no reason given" : reason != NULL ? reason : "unknown reason");
  ERR_clear_error();
}

static SSL_CTX *settings_for(const SSL_METHOD *method) {
  SSL_CTX *settings = SSL_CTX_new(method);
  if (settings == NULL) return NULL;
  SSL_CTX_set_mode(
      settings, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One system call for a record instead of two.
  SSL_CTX_set_read_ahead(settings, 1);
  // A cut is seen by the codecs, which know whether a message was whole.
  SSL_CTX_set_options(
      settings, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_set_min_proto_version(settings, TLS1_3_VERSION) != 1) {
    SSL_CTX_free(settings);
    return NULL;
  }
  return settings;
}

cmartlet_tls_context *cmartlet_tls_client_create(
    const char *authorities, const uint8_t *pins, size_t pin_count,
    char text[CMARTLET_TLS_TEXT_SIZE]) {
  ERR_clear_error();
  if (pin_count > CMARTLET_TLS_PIN_LIMIT) {
    say(text, "too many pins");
    return NULL;
  }
  cmartlet_tls_context *context = calloc(1, sizeof *context);
  if (context == NULL) {
    say(text, "no memory");
    return NULL;
  }
  context->pin_count = pin_count;
  if (pin_count > 0) memcpy(context->pins, pins, pin_count * CMARTLET_TLS_PIN_SIZE);
  context->settings = settings_for(TLS_client_method());
  if (context->settings == NULL ||
      (authorities != NULL ? SSL_CTX_load_verify_file(context->settings, authorities)
                           : SSL_CTX_set_default_verify_paths(context->settings)) != 1) {
    say_error(text);
    cmartlet_tls_context_destroy(context);
    return NULL;
  }
  SSL_CTX_set_verify(context->settings, SSL_VERIFY_PEER, NULL);
  return context;
}

// Takes the certificate and those above it from PEM; whether there was one.
static bool use_chain(SSL_CTX *settings, const uint8_t *bytes, size_t size) {
  BIO *source = BIO_new_mem_buf(bytes, (int)size);
  if (source == NULL) return false;
  X509 *first = PEM_read_bio_X509(source, NULL, NULL, NULL);
  bool is_used = first != NULL && SSL_CTX_use_certificate(settings, first) == 1;
  X509_free(first);
  X509 *next = NULL;
  while (is_used && (next = PEM_read_bio_X509(source, NULL, NULL, NULL)) != NULL) {
    is_used = SSL_CTX_add1_chain_cert(settings, next) == 1;
    X509_free(next);
  }
  // The end of the text is told as an error.
  if (is_used) ERR_clear_error();
  BIO_free(source);
  return is_used;
}

static bool use_key(SSL_CTX *settings, const uint8_t *bytes, size_t size) {
  EVP_PKEY *key = cmartlet_tls_read_key(bytes, size);
  bool is_used = key != NULL && SSL_CTX_use_PrivateKey(settings, key) == 1;
  EVP_PKEY_free(key);
  return is_used;
}

cmartlet_tls_context *cmartlet_tls_server_create(
    const uint8_t *certificate, size_t certificate_size, const uint8_t *key, size_t key_size,
    char text[CMARTLET_TLS_TEXT_SIZE]) {
  ERR_clear_error();
  if (certificate_size > INT_MAX || key_size > INT_MAX) {
    say(text, "too large");
    return NULL;
  }
  cmartlet_tls_context *context = calloc(1, sizeof *context);
  if (context == NULL) {
    say(text, "no memory");
    return NULL;
  }
  context->settings = settings_for(TLS_server_method());
  if (context->settings == NULL || !use_chain(context->settings, certificate, certificate_size) ||
      !use_key(context->settings, key, key_size) ||
      SSL_CTX_check_private_key(context->settings) != 1) {
    say_error(text);
    cmartlet_tls_context_destroy(context);
    return NULL;
  }
  // Nobody resumes: a connection lasts for hours.
  SSL_CTX_set_num_tickets(context->settings, 0);
  return context;
}

void cmartlet_tls_context_destroy(cmartlet_tls_context *context) {
  SSL_CTX_free(context->settings);
  free(context);
}

static bool is_numeric(const char *host) {
  struct in6_addr room;
  return inet_pton(AF_INET, host, &room) == 1 || inet_pton(AF_INET6, host, &room) == 1;
}

static bool expect_host(SSL *ssl, const char *host) {
  // An address is no server name (RFC 6066), and stands in the certificate as an address.
  if (is_numeric(host))
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

cmartlet_tls *cmartlet_tls_create(
    cmartlet_tls_context *context, int descriptor, const char *host) {
  ERR_clear_error();
  cmartlet_tls *connection = calloc(1, sizeof *connection);
  if (connection == NULL) return NULL;
  memcpy(connection->pins, context->pins, sizeof context->pins);
  connection->pin_count = context->pin_count;
  connection->is_client = host != NULL;
  connection->ssl = SSL_new(context->settings);
  // The descriptor stays the caller's: `SSL_set_fd` does not close it.
  if (connection->ssl == NULL || SSL_set_fd(connection->ssl, descriptor) != 1 ||
      (host != NULL && !expect_host(connection->ssl, host))) {
    cmartlet_tls_destroy(connection);
    return NULL;
  }
  if (host != NULL)
    SSL_set_connect_state(connection->ssl);
  else
    SSL_set_accept_state(connection->ssl);
  return connection;
}

void cmartlet_tls_destroy(cmartlet_tls *connection) {
  SSL_free(connection->ssl);
  free(connection);
}

cmartlet_tls_fault cmartlet_tls_fault_of(long verified) {
  switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return CMARTLET_TLS_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return CMARTLET_TLS_NOT_YET_VALID;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return CMARTLET_TLS_WRONG_HOST;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    // An authority of the same name with another key.
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return CMARTLET_TLS_UNKNOWN_AUTHORITY;
    default: return CMARTLET_TLS_BAD_CERTIFICATE;
  }
}

const char *cmartlet_tls_words_of(long verified) { return X509_verify_cert_error_string(verified); }

static cmartlet_tls_result fault(cmartlet_tls_fault kind) {
  return (cmartlet_tls_result){.kind = CMARTLET_TLS_FAULT, .value = kind};
}

// Finds out what the library's last error of this thread means, and clears it.
static cmartlet_tls_result protocol_fault(cmartlet_tls *connection) {
  unsigned long code = ERR_peek_error();
  int reason = ERR_GET_REASON(code);
  long verified = SSL_get_verify_result(connection->ssl);
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verified != X509_V_OK) {
    say(connection->text, cmartlet_tls_words_of(verified));
    ERR_clear_error();
    return fault(cmartlet_tls_fault_of(verified));
  }
  say_error(connection->text);
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_VERSION_TOO_LOW: return fault(CMARTLET_TLS_OLD_PROTOCOL);
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return fault(CMARTLET_TLS_NOT_TLS);
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_LENGTH: return fault(CMARTLET_TLS_CORRUPT);
    default: break;
  }
  // Alerts of the peer are numbered from 1000.
  return fault(
      reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256 ? CMARTLET_TLS_REFUSED
                                                                            : CMARTLET_TLS_OTHER);
}

static cmartlet_tls_result result_of(cmartlet_tls *connection, int returned) {
  int failure = errno;
  switch (SSL_get_error(connection->ssl, returned)) {
    case SSL_ERROR_WANT_READ: return (cmartlet_tls_result){.kind = CMARTLET_TLS_WANTS_READ};
    case SSL_ERROR_WANT_WRITE: return (cmartlet_tls_result){.kind = CMARTLET_TLS_WANTS_WRITE};
    case SSL_ERROR_ZERO_RETURN: return (cmartlet_tls_result){.kind = CMARTLET_TLS_ENDED};
    case SSL_ERROR_SYSCALL:
      ERR_clear_error();
      if (failure == 0) return (cmartlet_tls_result){.kind = CMARTLET_TLS_ENDED};
      return (cmartlet_tls_result){.kind = CMARTLET_TLS_SYSTEM, .value = failure};
    default: return protocol_fault(connection);
  }
}

// Whether the server has shown one of the pinned keys.
static bool shows_pinned_key(cmartlet_tls *connection) {
  X509 *certificate = SSL_get1_peer_certificate(connection->ssl);
  uint8_t shown[CMARTLET_TLS_PIN_SIZE];
  bool is_read = certificate != NULL && cmartlet_tls_pin_of(certificate, shown);
  X509_free(certificate);
  if (!is_read) return false;
  for (size_t index = 0; index < connection->pin_count; index++)
    if (memcmp(connection->pins[index], shown, sizeof shown) == 0) return true;
  return false;
}

// The library asks the thread's error queue what a call has met: an old error of another connection
// would make a healthy one look broken.
static void forget_errors(cmartlet_tls *connection) {
  ERR_clear_error();
  errno = 0;
  connection->text[0] = 0;
}

cmartlet_tls_result cmartlet_tls_handshake(cmartlet_tls *connection) {
  if (!connection->is_done) {
    forget_errors(connection);
    int returned = SSL_do_handshake(connection->ssl);
    if (returned != 1) return result_of(connection, returned);
    if (connection->pin_count > 0 && !shows_pinned_key(connection)) {
      say(connection->text, "the server's public key is none of the pinned ones");
      return fault(CMARTLET_TLS_WRONG_KEY);
    }
    connection->is_done = true;
  }
  return (cmartlet_tls_result){.kind = CMARTLET_TLS_MOVED, .value = 1};
}

cmartlet_tls_result cmartlet_tls_read(cmartlet_tls *connection, void *bytes, size_t capacity) {
  forget_errors(connection);
  int returned =
      SSL_read(connection->ssl, bytes, capacity > INT_MAX ? INT_MAX : (int)capacity);
  connection->has_partial = returned <= 0;
  if (returned <= 0) return result_of(connection, returned);
  return (cmartlet_tls_result){.kind = CMARTLET_TLS_MOVED, .value = returned};
}

cmartlet_tls_result cmartlet_tls_write(
    cmartlet_tls *connection, const void *bytes, size_t count) {
  forget_errors(connection);
  int returned = SSL_write(connection->ssl, bytes, count > INT_MAX ? INT_MAX : (int)count);
  if (returned <= 0) return result_of(connection, returned);
  return (cmartlet_tls_result){.kind = CMARTLET_TLS_MOVED, .value = returned};
}

bool cmartlet_tls_has_pending(cmartlet_tls *connection) {
  return !connection->has_partial && SSL_has_pending(connection->ssl) == 1;
}

void cmartlet_tls_end_writing(cmartlet_tls *connection) {
  if (!connection->is_done) return;
  forget_errors(connection);
  // If the peer takes no more, it will not miss it.
  SSL_shutdown(connection->ssl);
  ERR_clear_error();
}

const char *cmartlet_tls_text(const cmartlet_tls *connection) { return connection->text; }
