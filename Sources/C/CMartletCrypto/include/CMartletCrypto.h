/* Why this exists: the low-level digest calls of OpenSSL's libcrypto, which allocate nothing, and
   CRC-32C, which the library does not have. The `EVP` calls allocate per message and cost a fifth
   more on the way from a frame to an order.

   Who owns what: nothing here is kept. Every pointer is borrowed for the call alone; contexts are
   plain memory of the caller, who wipes them.

   How failure comes back: `cmartlet_hmac_*_init` returns 0, or -1 when the library refuses;
   all others cannot fail. Pointers with a length of 0 may be null. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/* SHA-256 of `length` bytes; `digest` takes 32, and 64 for SHA-512, here and below. */
void cmartlet_sha256(const void *_Nullable bytes, size_t length, uint8_t *digest);

/* SHA-256 of three pieces, one after the other: a record's link. */
void cmartlet_sha256_of_three(const void *_Nullable first, size_t first_length,
                              const void *_Nullable second, size_t second_length,
                              const void *_Nullable third, size_t third_length,
                              uint8_t *digest);

/* SHA-256 of two messages at once, each of 64 bytes and a body: two links, whose work the processor
   does side by side where it has instructions for SHA-256, in two thirds of the time. */
void cmartlet_sha256_of_two(const void *first, const void *_Nullable first_body,
                            size_t first_length, uint8_t *first_digest, const void *second,
                            const void *_Nullable second_body, size_t second_length,
                            uint8_t *second_digest);

/* SHA-256 of bytes that come in pieces: begin, add each, end. */
typedef struct cmartlet_sha256_state {
  uint64_t words[14];
} cmartlet_sha256_state;
void cmartlet_sha256_begin(cmartlet_sha256_state *state);
void cmartlet_sha256_add(cmartlet_sha256_state *state, const void *_Nullable bytes, size_t length);
void cmartlet_sha256_end(cmartlet_sha256_state *state, uint8_t *digest);

/* SHA-512 of `length` bytes. */
void cmartlet_sha512(const void *_Nullable bytes, size_t length, uint8_t *digest);

/* A key made ready: the digest states after the inner and the outer pad. As secret as the key, so
   wipe it when done. Read-only after `init`, so any number of threads may share one. */
typedef struct cmartlet_hmac_sha512 {
  uint64_t inner[27];
  uint64_t outer[27];
} cmartlet_hmac_sha512;

/* Makes a key of any length ready. */
int cmartlet_hmac_sha512_init(cmartlet_hmac_sha512 *context, const void *_Nullable key,
                              size_t length);

/* HMAC-SHA512 (RFC 2104) of `length` bytes under a key made ready. */
void cmartlet_hmac_sha512_sum(const cmartlet_hmac_sha512 *context, const void *_Nullable bytes,
                              size_t length, uint8_t *digest);

/* The same for HMAC-SHA256. */
typedef struct cmartlet_hmac_sha256 {
  uint32_t inner[28];
  uint32_t outer[28];
} cmartlet_hmac_sha256;
int cmartlet_hmac_sha256_init(cmartlet_hmac_sha256 *context, const void *_Nullable key,
                              size_t length);
void cmartlet_hmac_sha256_sum(const cmartlet_hmac_sha256 *context, const void *_Nullable bytes,
                              size_t length, uint8_t *digest);

/* Whether both hold the same bytes; takes the same time wherever they differ. */
int cmartlet_equal(const void *_Nullable left, const void *_Nullable right, size_t length);

/* Continues `crc` (0 to begin) over `length` bytes: CRC-32C (Castagnoli), as in RFC 3720.
   Uses the processor's instruction where there is one. */
uint32_t cmartlet_crc32c(uint32_t crc, const void *_Nullable bytes, size_t length);

/* The same by table, on every processor; apart so that a test can compare the two. */
uint32_t cmartlet_crc32c_by_table(uint32_t crc, const void *_Nullable bytes, size_t length);

/* Overwrites with zeros; the compiler may not leave it out. */
void cmartlet_wipe(void *_Nullable bytes, size_t length);

#pragma clang assume_nonnull end
