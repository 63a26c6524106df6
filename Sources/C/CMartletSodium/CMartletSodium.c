#include "CMartletSodium.h"

#include <sodium.h>
#include <stdlib.h>

_Static_assert(CMARTLET_SEALING_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
_Static_assert(CMARTLET_SEALING_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(CMARTLET_SEAL == crypto_aead_xchacha20poly1305_ietf_ABYTES, "seal");
_Static_assert(CMARTLET_SALT == crypto_pwhash_argon2id_SALTBYTES, "salt");

/* Once for the process, from any thread; a system without random bytes is no place for secrets. */
static void ready(void) {
  if (sodium_init() < 0) abort();
}

void *cmartlet_guarded_allocate(size_t length) {
  ready();
  return sodium_malloc(length);
}

void cmartlet_guarded_freeze(void *start) { (void)sodium_mprotect_readonly(start); }

void cmartlet_guarded_free(void *start) { sodium_free(start); }

int cmartlet_sealing_key(uint8_t *key, const void *passphrase, size_t length, const uint8_t *salt,
                         uint32_t passes, uint32_t memory_kib) {
  ready();
  return crypto_pwhash_argon2id(key, CMARTLET_SEALING_KEY, length > 0 ? passphrase : "", length,
                                salt, passes, (size_t)memory_kib * 1024,
                                crypto_pwhash_argon2id_ALG_ARGON2ID13);
}

void cmartlet_seal(uint8_t *sealed, const void *plain, size_t length, const void *bound,
                   size_t bound_length, const uint8_t *nonce, const uint8_t *key) {
  ready();
  (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, plain, length, bound, bound_length,
                                                   NULL, nonce, key);
}

int cmartlet_unseal(void *plain, const uint8_t *sealed, size_t sealed_length, const void *bound,
                    size_t bound_length, const uint8_t *nonce, const uint8_t *key) {
  ready();
  return crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed, sealed_length, bound,
                                                    bound_length, nonce, key);
}

void cmartlet_sodium_random(void *bytes, size_t length) {
  ready();
  randombytes_buf(bytes, length);
}
