#pragma once
#include <stddef.h>
#include <stdint.h>

/* zlib, for the files that venues publish: gzip, and the entries of zip files.

   Who owns what: buffers are the caller's, borrowed for the call alone. An unpacker is made and freed by
   the caller, and unpacks one stream.

   How failure comes back: -1, and NULL where there is no memory. */

enum {
  /* With gzip's head and checksum. */
  CMARTLET_ZLIB_GZIP = 0,
  /* Bare, as in a zip file. */
  CMARTLET_ZLIB_BARE = 1,
};

/* Bytes taken from the source and written to the target. */
typedef struct {
  size_t taken;
  size_t written;
} cmartlet_zlib_step;

void *_Nullable cmartlet_zlib_unpacker_create(int form);
void cmartlet_zlib_unpacker_free(void *_Nonnull unpacker);
/* Makes ready for another stream of the same form, as gzip files may have several. */
void cmartlet_zlib_unpacker_renew(void *_Nonnull unpacker);
/* Unpacks until the target is full, the source is at its end or the stream is. 1 while the stream goes
   on, 0 when it has ended, or -1 when it is damaged. */
int cmartlet_zlib_unpack_some(void *_Nonnull unpacker, void *_Nonnull target, size_t room,
                              const void *_Nonnull source, size_t length,
                              cmartlet_zlib_step *_Nonnull step);
uint32_t cmartlet_zlib_crc32(uint32_t before, const void *_Nonnull bytes, size_t length);
