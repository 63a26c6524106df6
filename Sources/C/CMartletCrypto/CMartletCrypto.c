#include "CMartletCrypto.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* OpenSSL 3.0 marks SHA256_* and SHA512_* deprecated in favor of EVP, and keeps them. EVP allocates
   per message; these do not, and a signature lies between a frame and its order. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

_Static_assert(sizeof(SHA512_CTX) == sizeof(((cmartlet_hmac_sha512 *)0)->inner),
               "room for a SHA-512 state");
_Static_assert(sizeof(SHA256_CTX) == sizeof(((cmartlet_hmac_sha256 *)0)->inner),
               "room for a SHA-256 state");

void cmartlet_sha256(const void *bytes, size_t length, uint8_t *digest) {
  SHA256_CTX state;
  SHA256_Init(&state);
  SHA256_Update(&state, bytes, length);
  SHA256_Final(digest, &state);
}

void cmartlet_sha256_of_three(const void *first, size_t first_length, const void *second,
                              size_t second_length, const void *third, size_t third_length,
                              uint8_t *digest) {
  SHA256_CTX state;
  SHA256_Init(&state);
  SHA256_Update(&state, first, first_length);
  SHA256_Update(&state, second, second_length);
  SHA256_Update(&state, third, third_length);
  SHA256_Final(digest, &state);
}

#if defined(__x86_64__)
/* FIPS 180-4, section 4.2.2. */
static const uint32_t sha256_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#define SHA_TARGET __attribute__((target("sha,sse4.1")))

/* The eight words of a state, in the order that the instructions take them. */
typedef struct {
  __m128i abef;
  __m128i cdgh;
} sha256_lane;

/* One message: its first block, its whole blocks, and the one or two that are padded. */
typedef struct {
  const uint8_t *head;
  const uint8_t *body;
  size_t whole;
  size_t blocks;
  uint8_t last[128];
} sha256_message;

static void sha256_lay(sha256_message *message, const void *head, const void *body,
                       size_t length) {
  size_t rest = length % 64;
  size_t padded = rest < 56 ? 64 : 128;
  uint64_t bits = ((uint64_t)length + 64) * 8;
  message->head = head;
  message->body = body;
  message->whole = length / 64;
  message->blocks = 1 + message->whole + padded / 64;
  memset(message->last, 0, sizeof message->last);
  if (rest > 0) memcpy(message->last, (const uint8_t *)body + length - rest, rest);
  message->last[rest] = 0x80;
  for (size_t index = 0; index < 8; index++) {
    message->last[padded - 1 - index] = (uint8_t)(bits >> (8 * index));
  }
}

static const uint8_t *sha256_block(const sha256_message *message, size_t index) {
  if (index == 0) return message->head;
  if (index <= message->whole) return message->body + 64 * (index - 1);
  return message->last + 64 * (index - 1 - message->whole);
}

/* Four rounds with the words W of lane L. */
#define SHA_ROUNDS(L, W, INDEX)                                                             \
  do {                                                                                      \
    __m128i sum =                                                                           \
        _mm_add_epi32(W, _mm_load_si128((const __m128i *)sha256_constants + (INDEX)));      \
    L.cdgh = _mm_sha256rnds2_epu32(L.cdgh, L.abef, sum);                                    \
    L.abef = _mm_sha256rnds2_epu32(L.abef, L.cdgh, _mm_shuffle_epi32(sum, 0x0e));           \
  } while (0)

/* The four words that follow on sixteen, in place of the first four. */
#define SHA_SCHEDULE(W0, W1, W2, W3)                                                        \
  W0 = _mm_sha256msg2_epu32(                                                                \
      _mm_add_epi32(_mm_sha256msg1_epu32(W0, W1), _mm_alignr_epi8(W3, W2, 4)), W3)

/* Words are big-endian. */
#define SHA_LOAD(BLOCK, INDEX)                                                              \
  _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(BLOCK) + (INDEX)),       \
                   _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203))

SHA_TARGET static sha256_lane sha256_begin(void) {
  sha256_lane lane = {
      _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c),
      _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19),
  };
  return lane;
}

SHA_TARGET static void sha256_step(sha256_lane *lane, const uint8_t *block) {
  sha256_lane x = *lane;
  __m128i v0 = SHA_LOAD(block, 0), v1 = SHA_LOAD(block, 1), v2 = SHA_LOAD(block, 2),
          v3 = SHA_LOAD(block, 3);
  for (int index = 0; index < 16; index += 4) {
    if (index > 0) SHA_SCHEDULE(v0, v1, v2, v3);
    SHA_ROUNDS(x, v0, index);
    if (index > 0) SHA_SCHEDULE(v1, v2, v3, v0);
    SHA_ROUNDS(x, v1, index + 1);
    if (index > 0) SHA_SCHEDULE(v2, v3, v0, v1);
    SHA_ROUNDS(x, v2, index + 2);
    if (index > 0) SHA_SCHEDULE(v3, v0, v1, v2);
    SHA_ROUNDS(x, v3, index + 3);
  }
  lane->abef = _mm_add_epi32(lane->abef, x.abef);
  lane->cdgh = _mm_add_epi32(lane->cdgh, x.cdgh);
}

/* A round waits for the one before it: the other lane's has the processor meanwhile. */
SHA_TARGET static void sha256_step_both(sha256_lane *first, const uint8_t *block,
                                        sha256_lane *second, const uint8_t *other) {
  sha256_lane x = *first, y = *second;
  __m128i v0 = SHA_LOAD(block, 0), v1 = SHA_LOAD(block, 1), v2 = SHA_LOAD(block, 2),
          v3 = SHA_LOAD(block, 3);
  __m128i w0 = SHA_LOAD(other, 0), w1 = SHA_LOAD(other, 1), w2 = SHA_LOAD(other, 2),
          w3 = SHA_LOAD(other, 3);
#define SHA_BOTH(V0, V1, V2, V3, W0, W1, W2, W3, INDEX)                                     \
  do {                                                                                      \
    if (index > 0) {                                                                        \
      SHA_SCHEDULE(V0, V1, V2, V3);                                                         \
      SHA_SCHEDULE(W0, W1, W2, W3);                                                         \
    }                                                                                       \
    SHA_ROUNDS(x, V0, INDEX);                                                               \
    SHA_ROUNDS(y, W0, INDEX);                                                               \
  } while (0)
  for (int index = 0; index < 16; index += 4) {
    SHA_BOTH(v0, v1, v2, v3, w0, w1, w2, w3, index);
    SHA_BOTH(v1, v2, v3, v0, w1, w2, w3, w0, index + 1);
    SHA_BOTH(v2, v3, v0, v1, w2, w3, w0, w1, index + 2);
    SHA_BOTH(v3, v0, v1, v2, w3, w0, w1, w2, index + 3);
  }
  first->abef = _mm_add_epi32(first->abef, x.abef);
  first->cdgh = _mm_add_epi32(first->cdgh, x.cdgh);
  second->abef = _mm_add_epi32(second->abef, y.abef);
  second->cdgh = _mm_add_epi32(second->cdgh, y.cdgh);
}

SHA_TARGET static void sha256_end(sha256_lane lane, uint8_t *digest) {
  __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i abef = _mm_shuffle_epi32(lane.abef, 0x1b);
  __m128i cdgh = _mm_shuffle_epi32(lane.cdgh, 0x1b);
  _mm_storeu_si128((__m128i *)(void *)digest,
                   _mm_shuffle_epi8(_mm_unpacklo_epi64(abef, cdgh), swap));
  _mm_storeu_si128((__m128i *)(void *)digest + 1,
                   _mm_shuffle_epi8(_mm_unpackhi_epi64(abef, cdgh), swap));
}

SHA_TARGET static void sha256_of_two(const sha256_message *first, uint8_t *first_digest,
                                     const sha256_message *second, uint8_t *second_digest) {
  sha256_lane x = sha256_begin(), y = sha256_begin();
  size_t both = first->blocks < second->blocks ? first->blocks : second->blocks;
  for (size_t index = 0; index < both; index++) {
    sha256_step_both(&x, sha256_block(first, index), &y, sha256_block(second, index));
  }
  for (size_t index = both; index < first->blocks; index++) {
    sha256_step(&x, sha256_block(first, index));
  }
  for (size_t index = both; index < second->blocks; index++) {
    sha256_step(&y, sha256_block(second, index));
  }
  sha256_end(x, first_digest);
  sha256_end(y, second_digest);
}

static int has_sha256;

/* Before main: the question costs more than a digest. */
__attribute__((constructor)) static void find_sha256(void) {
  unsigned int a, b = 0, c, d;
  has_sha256 = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) &&
               __builtin_cpu_supports("sse4.1");
}
#endif

void cmartlet_sha256_of_two(const void *first, const void *first_body, size_t first_length,
                            uint8_t *first_digest, const void *second, const void *second_body,
                            size_t second_length, uint8_t *second_digest) {
#if defined(__x86_64__)
  if (has_sha256) {
    sha256_message one, other;
    sha256_lay(&one, first, first_body, first_length);
    sha256_lay(&other, second, second_body, second_length);
    sha256_of_two(&one, first_digest, &other, second_digest);
    return;
  }
#endif
  cmartlet_sha256_of_three(first, 64, first_body, first_length, NULL, 0, first_digest);
  cmartlet_sha256_of_three(second, 64, second_body, second_length, NULL, 0, second_digest);
}

_Static_assert(sizeof(SHA256_CTX) == sizeof(cmartlet_sha256_state), "room for a SHA-256 state");

void cmartlet_sha256_begin(cmartlet_sha256_state *state) {
  SHA256_CTX fresh;
  SHA256_Init(&fresh);
  memcpy(state, &fresh, sizeof fresh);
}

void cmartlet_sha256_add(cmartlet_sha256_state *state, const void *bytes, size_t length) {
  SHA256_CTX current;
  memcpy(&current, state, sizeof current);
  SHA256_Update(&current, bytes, length);
  memcpy(state, &current, sizeof current);
}

void cmartlet_sha256_end(cmartlet_sha256_state *state, uint8_t *digest) {
  SHA256_CTX current;
  memcpy(&current, state, sizeof current);
  SHA256_Final(digest, &current);
}

void cmartlet_sha512(const void *bytes, size_t length, uint8_t *digest) {
  SHA512_CTX state;
  SHA512_Init(&state);
  SHA512_Update(&state, bytes, length);
  SHA512_Final(digest, &state);
}

/* RFC 2104: a key longer than a block is its digest; the pads are the key xor 0x36 and 0x5c. */
int cmartlet_hmac_sha512_init(cmartlet_hmac_sha512 *context, const void *key, size_t length) {
  uint8_t block[SHA512_CBLOCK] = {0};
  uint8_t pad[SHA512_CBLOCK];
  SHA512_CTX state;
  if (length > sizeof block) {
    cmartlet_sha512(key, length, block);
  } else if (length > 0) {
    memcpy(block, key, length);
  }
  int done = 1;
  for (size_t index = 0; index < sizeof pad; index++) pad[index] = block[index] ^ 0x36;
  done &= SHA512_Init(&state) & SHA512_Update(&state, pad, sizeof pad);
  memcpy(context->inner, &state, sizeof state);
  for (size_t index = 0; index < sizeof pad; index++) pad[index] = block[index] ^ 0x5c;
  done &= SHA512_Init(&state) & SHA512_Update(&state, pad, sizeof pad);
  memcpy(context->outer, &state, sizeof state);
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(pad, sizeof pad);
  OPENSSL_cleanse(&state, sizeof state);
  return done ? 0 : -1;
}

void cmartlet_hmac_sha512_sum(const cmartlet_hmac_sha512 *context, const void *bytes,
                              size_t length, uint8_t *digest) {
  SHA512_CTX state;
  memcpy(&state, context->inner, sizeof state);
  SHA512_Update(&state, bytes, length);
  SHA512_Final(digest, &state);
  memcpy(&state, context->outer, sizeof state);
  SHA512_Update(&state, digest, SHA512_DIGEST_LENGTH);
  SHA512_Final(digest, &state);
  OPENSSL_cleanse(&state, sizeof state);
}

int cmartlet_hmac_sha256_init(cmartlet_hmac_sha256 *context, const void *key, size_t length) {
  uint8_t block[SHA256_CBLOCK] = {0};
  uint8_t pad[SHA256_CBLOCK];
  SHA256_CTX state;
  if (length > sizeof block) {
    cmartlet_sha256(key, length, block);
  } else if (length > 0) {
    memcpy(block, key, length);
  }
  int done = 1;
  for (size_t index = 0; index < sizeof pad; index++) pad[index] = block[index] ^ 0x36;
  done &= SHA256_Init(&state) & SHA256_Update(&state, pad, sizeof pad);
  memcpy(context->inner, &state, sizeof state);
  for (size_t index = 0; index < sizeof pad; index++) pad[index] = block[index] ^ 0x5c;
  done &= SHA256_Init(&state) & SHA256_Update(&state, pad, sizeof pad);
  memcpy(context->outer, &state, sizeof state);
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(pad, sizeof pad);
  OPENSSL_cleanse(&state, sizeof state);
  return done ? 0 : -1;
}

void cmartlet_hmac_sha256_sum(const cmartlet_hmac_sha256 *context, const void *bytes,
                              size_t length, uint8_t *digest) {
  SHA256_CTX state;
  memcpy(&state, context->inner, sizeof state);
  SHA256_Update(&state, bytes, length);
  SHA256_Final(digest, &state);
  memcpy(&state, context->outer, sizeof state);
  SHA256_Update(&state, digest, SHA256_DIGEST_LENGTH);
  SHA256_Final(digest, &state);
  OPENSSL_cleanse(&state, sizeof state);
}

int cmartlet_equal(const void *left, const void *right, size_t length) {
  return length == 0 || CRYPTO_memcmp(left, right, length) == 0;
}

void cmartlet_wipe(void *bytes, size_t length) {
  if (length > 0) OPENSSL_cleanse(bytes, length);
}

/* Remainders of each byte by the Castagnoli polynomial 0x1EDC6F41, bits reflected. */
static const uint32_t castagnoli[256] = {
    0x00000000, 0xf26b8303, 0xe13b70f7, 0x1350f3f4, 0xc79a971f, 0x35f1141c, 0x26a1e7e8, 0xd4ca64eb,
    0x8ad958cf, 0x78b2dbcc, 0x6be22838, 0x9989ab3b, 0x4d43cfd0, 0xbf284cd3, 0xac78bf27, 0x5e133c24,
    0x105ec76f, 0xe235446c, 0xf165b798, 0x030e349b, 0xd7c45070, 0x25afd373, 0x36ff2087, 0xc494a384,
    0x9a879fa0, 0x68ec1ca3, 0x7bbcef57, 0x89d76c54, 0x5d1d08bf, 0xaf768bbc, 0xbc267848, 0x4e4dfb4b,
    0x20bd8ede, 0xd2d60ddd, 0xc186fe29, 0x33ed7d2a, 0xe72719c1, 0x154c9ac2, 0x061c6936, 0xf477ea35,
    0xaa64d611, 0x580f5512, 0x4b5fa6e6, 0xb93425e5, 0x6dfe410e, 0x9f95c20d, 0x8cc531f9, 0x7eaeb2fa,
    0x30e349b1, 0xc288cab2, 0xd1d83946, 0x23b3ba45, 0xf779deae, 0x05125dad, 0x1642ae59, 0xe4292d5a,
    0xba3a117e, 0x4851927d, 0x5b016189, 0xa96ae28a, 0x7da08661, 0x8fcb0562, 0x9c9bf696, 0x6ef07595,
    0x417b1dbc, 0xb3109ebf, 0xa0406d4b, 0x522bee48, 0x86e18aa3, 0x748a09a0, 0x67dafa54, 0x95b17957,
    0xcba24573, 0x39c9c670, 0x2a993584, 0xd8f2b687, 0x0c38d26c, 0xfe53516f, 0xed03a29b, 0x1f682198,
    0x5125dad3, 0xa34e59d0, 0xb01eaa24, 0x42752927, 0x96bf4dcc, 0x64d4cecf, 0x77843d3b, 0x85efbe38,
    0xdbfc821c, 0x2997011f, 0x3ac7f2eb, 0xc8ac71e8, 0x1c661503, 0xee0d9600, 0xfd5d65f4, 0x0f36e6f7,
    0x61c69362, 0x93ad1061, 0x80fde395, 0x72966096, 0xa65c047d, 0x5437877e, 0x4767748a, 0xb50cf789,
    0xeb1fcbad, 0x197448ae, 0x0a24bb5a, 0xf84f3859, 0x2c855cb2, 0xdeeedfb1, 0xcdbe2c45, 0x3fd5af46,
    0x7198540d, 0x83f3d70e, 0x90a324fa, 0x62c8a7f9, 0xb602c312, 0x44694011, 0x5739b3e5, 0xa55230e6,
    0xfb410cc2, 0x092a8fc1, 0x1a7a7c35, 0xe811ff36, 0x3cdb9bdd, 0xceb018de, 0xdde0eb2a, 0x2f8b6829,
    0x82f63b78, 0x709db87b, 0x63cd4b8f, 0x91a6c88c, 0x456cac67, 0xb7072f64, 0xa457dc90, 0x563c5f93,
    0x082f63b7, 0xfa44e0b4, 0xe9141340, 0x1b7f9043, 0xcfb5f4a8, 0x3dde77ab, 0x2e8e845f, 0xdce5075c,
    0x92a8fc17, 0x60c37f14, 0x73938ce0, 0x81f80fe3, 0x55326b08, 0xa759e80b, 0xb4091bff, 0x466298fc,
    0x1871a4d8, 0xea1a27db, 0xf94ad42f, 0x0b21572c, 0xdfeb33c7, 0x2d80b0c4, 0x3ed04330, 0xccbbc033,
    0xa24bb5a6, 0x502036a5, 0x4370c551, 0xb11b4652, 0x65d122b9, 0x97baa1ba, 0x84ea524e, 0x7681d14d,
    0x2892ed69, 0xdaf96e6a, 0xc9a99d9e, 0x3bc21e9d, 0xef087a76, 0x1d63f975, 0x0e330a81, 0xfc588982,
    0xb21572c9, 0x407ef1ca, 0x532e023e, 0xa145813d, 0x758fe5d6, 0x87e466d5, 0x94b49521, 0x66df1622,
    0x38cc2a06, 0xcaa7a905, 0xd9f75af1, 0x2b9cd9f2, 0xff56bd19, 0x0d3d3e1a, 0x1e6dcdee, 0xec064eed,
    0xc38d26c4, 0x31e6a5c7, 0x22b65633, 0xd0ddd530, 0x0417b1db, 0xf67c32d8, 0xe52cc12c, 0x1747422f,
    0x49547e0b, 0xbb3ffd08, 0xa86f0efc, 0x5a048dff, 0x8ecee914, 0x7ca56a17, 0x6ff599e3, 0x9d9e1ae0,
    0xd3d3e1ab, 0x21b862a8, 0x32e8915c, 0xc083125f, 0x144976b4, 0xe622f5b7, 0xf5720643, 0x07198540,
    0x590ab964, 0xab613a67, 0xb831c993, 0x4a5a4a90, 0x9e902e7b, 0x6cfbad78, 0x7fab5e8c, 0x8dc0dd8f,
    0xe330a81a, 0x115b2b19, 0x020bd8ed, 0xf0605bee, 0x24aa3f05, 0xd6c1bc06, 0xc5914ff2, 0x37faccf1,
    0x69e9f0d5, 0x9b8273d6, 0x88d28022, 0x7ab90321, 0xae7367ca, 0x5c18e4c9, 0x4f48173d, 0xbd23943e,
    0xf36e6f75, 0x0105ec76, 0x12551f82, 0xe03e9c81, 0x34f4f86a, 0xc69f7b69, 0xd5cf889d, 0x27a40b9e,
    0x79b737ba, 0x8bdcb4b9, 0x988c474d, 0x6ae7c44e, 0xbe2da0a5, 0x4c4623a6, 0x5f16d052, 0xad7d5351,
};

uint32_t cmartlet_crc32c_by_table(uint32_t crc, const void *bytes, size_t length) {
  const uint8_t *next = bytes;
  crc = ~crc;
  for (; length > 0; length--) crc = (crc >> 8) ^ castagnoli[(crc ^ *next++) & 0xff];
  return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_instruction(uint32_t crc,
                                                                        const void *bytes,
                                                                        size_t length) {
  const uint8_t *next = bytes;
  uint64_t wide = (uint32_t)~crc;
  for (; length >= 8; length -= 8, next += 8) {
    uint64_t word;
    memcpy(&word, next, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = (uint32_t)wide;
  for (; length > 0; length--) crc = _mm_crc32_u8(crc, *next++);
  return ~crc;
}
#endif

uint32_t cmartlet_crc32c(uint32_t crc, const void *bytes, size_t length) {
#if defined(__x86_64__)
  /* One load and one test: libgcc reads the processor's features before main. */
  if (__builtin_cpu_supports("sse4.2")) return crc32c_by_instruction(crc, bytes, length);
#endif
  return cmartlet_crc32c_by_table(crc, bytes, length);
}
