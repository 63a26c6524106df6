// Certificates and keys: made, read, pinned.
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CMartletTLS.h"
#include "Internal.h"

static int no_password(char *room, int size, int is_writing, void *context) {
  (void)room;
  (void)size;
  (void)is_writing;
  (void)context;
  return -1;
}

EVP_PKEY *cmartlet_tls_read_key(const uint8_t *bytes, size_t size) {
  if (size > INT_MAX) return NULL;
  BIO *source = BIO_new_mem_buf(bytes, (int)size);
  if (source == NULL) return NULL;
  EVP_PKEY *key = PEM_read_bio_PrivateKey(source, NULL, no_password, NULL);
  BIO_free(source);
  return key;
}

static X509 *read_certificate(const uint8_t *bytes, size_t size) {
  if (size > INT_MAX) return NULL;
  BIO *source = BIO_new_mem_buf(bytes, (int)size);
  if (source == NULL) return NULL;
  X509 *certificate = PEM_read_bio_X509(source, NULL, no_password, NULL);
  BIO_free(source);
  return certificate;
}

bool cmartlet_tls_pin_of(X509 *certificate, uint8_t pin[CMARTLET_TLS_PIN_SIZE]) {
  unsigned char *bytes = NULL;
  int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &bytes);
  if (size <= 0) return false;
  bool is_made =
      EVP_Digest(bytes, (size_t)size, pin, NULL, EVP_sha256(), NULL) == 1;
  OPENSSL_free(bytes);
  return is_made;
}

int cmartlet_tls_pin(
    const uint8_t *bytes, size_t size, uint8_t pin[CMARTLET_TLS_PIN_SIZE]) {
  X509 *certificate = read_certificate(bytes, size);
  bool is_made = certificate != NULL && cmartlet_tls_pin_of(certificate, pin);
  X509_free(certificate);
  ERR_clear_error();
  return is_made ? 0 : -1;
}

// Copies what was written, and wipes it there.
static bool take(BIO *source, uint8_t **bytes, size_t *size) {
  char *written = NULL;
  long count = BIO_get_mem_data(source, &written);
  if (count <= 0) return false;
  *bytes = malloc((size_t)count);
  if (*bytes == NULL) return false;
  memcpy(*bytes, written, (size_t)count);
  *size = (size_t)count;
  OPENSSL_cleanse(written, (size_t)count);
  return true;
}

static bool add(X509 *certificate, X509V3_CTX *context, int kind, const char *value) {
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, kind, value);
  bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return is_added;
}

static bool describe(
    X509 *certificate, X509 *issuer, EVP_PKEY *key, const char *name, const char *hosts,
    int64_t not_before, int64_t not_after) {
  // Sixteen random bytes, the first bit clear as the number is positive.
  uint8_t serial[16];
  if (RAND_bytes(serial, sizeof serial) != 1) return false;
  serial[0] &= 0x7f;
  BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
  bool is_numbered =
      number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
  BN_free(number);
  X509_NAME *subject = X509_get_subject_name(certificate);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  time_t from = (time_t)not_before;
  time_t until = (time_t)not_after;
  return is_numbered && X509_set_version(certificate, X509_VERSION_3) == 1 &&
         X509_NAME_add_entry_by_txt(
             subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
         X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         ASN1_TIME_set(X509_getm_notBefore(certificate), from) != NULL &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), until) != NULL &&
         X509_set_pubkey(certificate, key) == 1 &&
         add(certificate, &context, NID_subject_key_identifier, "hash") &&
         add(certificate, &context, NID_authority_key_identifier, "keyid:always") &&
         add(certificate, &context, NID_basic_constraints,
             hosts == NULL ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
         add(certificate, &context, NID_key_usage,
             hosts == NULL ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
         (hosts == NULL || (add(certificate, &context, NID_ext_key_usage, "serverAuth") &&
                            add(certificate, &context, NID_subject_alt_name, hosts)));
}

int cmartlet_tls_issue(
    const char *name, const char *hosts, int64_t not_before, int64_t not_after,
    const cmartlet_tls_identity *issuer, cmartlet_tls_identity *made) {
  memset(made, 0, sizeof *made);
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *certificate = X509_new();
  X509 *signer =
      issuer == NULL ? certificate : read_certificate(issuer->certificate, issuer->certificate_size);
  EVP_PKEY *signer_key =
      issuer == NULL ? key : cmartlet_tls_read_key(issuer->key, issuer->key_size);
  BIO *certificate_text = BIO_new(BIO_s_mem());
  BIO *key_text = BIO_new(BIO_s_secmem());
  bool is_made =
      key != NULL && certificate != NULL && signer != NULL && signer_key != NULL &&
      certificate_text != NULL && key_text != NULL &&
      describe(certificate, signer, key, name, hosts, not_before, not_after) &&
      X509_sign(certificate, signer_key, EVP_sha256()) > 0 &&
      PEM_write_bio_X509(certificate_text, certificate) == 1 &&
      PEM_write_bio_PKCS8PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) == 1 &&
      take(certificate_text, &made->certificate, &made->certificate_size) &&
      take(key_text, &made->key, &made->key_size);
  BIO_free(certificate_text);
  BIO_free(key_text);
  if (issuer != NULL) {
    X509_free(signer);
    EVP_PKEY_free(signer_key);
  }
  X509_free(certificate);
  EVP_PKEY_free(key);
  ERR_clear_error();
  if (!is_made) cmartlet_tls_identity_destroy(made);
  return is_made ? 0 : -1;
}

void cmartlet_tls_identity_destroy(cmartlet_tls_identity *identity) {
  free(identity->certificate);
  if (identity->key != NULL) OPENSSL_cleanse(identity->key, identity->key_size);
  free(identity->key);
  memset(identity, 0, sizeof *identity);
}
