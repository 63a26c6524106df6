/* Why this exists: libsodium, for what libcrypto does not give in one piece: memory for secrets that
   is kept out of swap and core dumps and wiped when freed, a key from a passphrase (Argon2id), and
   sealing that needs no care with nonces (XChaCha20-Poly1305).

   Who owns what: `cmartlet_guarded_*` is memory of the caller, who frees it; every other pointer is
   borrowed for the call alone.

   How failure comes back: as said at each call. Pointers with a length of 0 may be null. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

enum {
  CMARTLET_SEALING_KEY = 32,
  CMARTLET_SEALING_NONCE = 24,
  /* By how much what is sealed is longer than what was to be sealed. */
  CMARTLET_SEAL = 16,
  CMARTLET_SALT = 16,
};

/* Memory for a secret, between pages that trap, left out of core dumps, and locked in memory as far
   as the process's limit of locked memory allows. Its end is the end of a page: a length that is a
   multiple of 16 is aligned for anything. Null when there is no memory. */
void *_Nullable cmartlet_guarded_allocate(size_t length);

/* From here on it can only be read, and freed. */
void cmartlet_guarded_freeze(void *start);

/* Wipes it and gives it back; ends the process when something was written behind its end. */
void cmartlet_guarded_free(void *_Nullable start);

/* The sealing key of a passphrase, by Argon2id with one lane (RFC 9106). 0, or -1 when there is not
   that much memory or the cost is outside what the library takes. */
int cmartlet_sealing_key(uint8_t *key, const void *_Nullable passphrase, size_t length,
                         const uint8_t *salt, uint32_t passes, uint32_t memory_kib);

/* Seals `length` bytes, and binds `bound_length` others to them which stay readable; `sealed` takes
   CMARTLET_SEAL bytes more than `length`. Cannot fail. */
void cmartlet_seal(uint8_t *sealed, const void *_Nullable plain, size_t length,
                   const void *_Nullable bound, size_t bound_length, const uint8_t *nonce,
                   const uint8_t *key);

/* Opens what was sealed, at least CMARTLET_SEAL bytes, into as many less of `plain`. 0, or -1 when
   the key, the nonce, the bound bytes or the sealed ones are not those that were sealed. */
int cmartlet_unseal(void *_Nullable plain, const uint8_t *sealed, size_t sealed_length,
                    const void *_Nullable bound, size_t bound_length, const uint8_t *nonce,
                    const uint8_t *key);

/* Fills with bytes that nobody can guess. Cannot fail. */
void cmartlet_sodium_random(void *bytes, size_t length);

#pragma clang assume_nonnull end
