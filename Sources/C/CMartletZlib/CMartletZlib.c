#include "CMartletZlib.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

void *cmartlet_zlib_unpacker_create(int form) {
  z_stream *stream = calloc(1, sizeof *stream);
  if (!stream) return NULL;
  // Negative: no head. 16 more: gzip's.
  if (inflateInit2(stream, form == CMARTLET_ZLIB_BARE ? -MAX_WBITS : MAX_WBITS + 16) != Z_OK) {
    free(stream);
    return NULL;
  }
  return stream;
}

void cmartlet_zlib_unpacker_free(void *unpacker) {
  inflateEnd(unpacker);
  free(unpacker);
}

void cmartlet_zlib_unpacker_renew(void *unpacker) { inflateReset(unpacker); }

int cmartlet_zlib_unpack_some(void *unpacker, void *target, size_t room, const void *source,
                              size_t length, cmartlet_zlib_step *step) {
  z_stream *stream = unpacker;
  // The library counts in 32 bits; what is left comes with the next call.
  unsigned in = length > UINT_MAX ? UINT_MAX : (unsigned)length;
  unsigned out = room > UINT_MAX ? UINT_MAX : (unsigned)room;
  stream->next_in = (Bytef *)source;
  stream->avail_in = in;
  stream->next_out = target;
  stream->avail_out = out;
  int result = inflate(stream, Z_NO_FLUSH);
  step->taken = in - stream->avail_in;
  step->written = out - stream->avail_out;
  if (result == Z_STREAM_END) return 0;
  // With nothing to take or no room, no progress is no fault.
  return result == Z_OK || result == Z_BUF_ERROR ? 1 : -1;
}

uint32_t cmartlet_zlib_crc32(uint32_t before, const void *bytes, size_t length) {
  return (uint32_t)crc32_z(before, bytes, length);
}
