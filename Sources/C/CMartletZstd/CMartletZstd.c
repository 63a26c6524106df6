#include "CMartletZstd.h"

#include <zstd.h>

long long cmartlet_zstd_unpack(void *target, size_t room, const void *source, size_t length) {
  size_t written = ZSTD_decompress(target, room, source, length);
  return ZSTD_isError(written) ? -1 : (long long)written;
}
