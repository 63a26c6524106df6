// What the files of this shim share.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "CMartletTLS.h"

#pragma clang assume_nonnull begin

// A private key from PEM; NULL when it is none. A key with a password is none: nobody is asked.
EVP_PKEY *_Nullable cmartlet_tls_read_key(const uint8_t *bytes, size_t size);
// The SHA-256 of a certificate's public key; whether it could be made.
bool cmartlet_tls_pin_of(X509 *certificate, uint8_t pin[_Nonnull CMARTLET_TLS_PIN_SIZE]);

#pragma clang assume_nonnull end
