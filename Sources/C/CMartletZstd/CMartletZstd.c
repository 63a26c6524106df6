#include "CMartletZstd.h"

#include <zstd.h>

long long cmartlet_zstd_unpack(void *target, size_t room, const void *source, size_t length) {
  size_t written = ZSTD_decompress(target, room, source, length);
  return ZSTD_isError(written) ? -1 : (long long)written;
}

void *cmartlet_zstd_packer_create(int level) {
  ZSTD_CCtx *packer = ZSTD_createCCtx();
  if (!packer) return NULL;
  // The file around the frame has a digest of its own.
  if (ZSTD_isError(ZSTD_CCtx_setParameter(packer, ZSTD_c_compressionLevel, level)) ||
      ZSTD_isError(ZSTD_CCtx_setParameter(packer, ZSTD_c_checksumFlag, 0))) {
    ZSTD_freeCCtx(packer);
    return NULL;
  }
  return packer;
}

void cmartlet_zstd_packer_free(void *packer) { ZSTD_freeCCtx(packer); }

int cmartlet_zstd_pack_some(void *packer, void *target, size_t room, const void *source,
                            size_t length, bool ends, cmartlet_zstd_step *step) {
  ZSTD_inBuffer in = {source, length, 0};
  ZSTD_outBuffer out = {target, room, 0};
  size_t left = ZSTD_compressStream2(packer, &out, &in, ends ? ZSTD_e_end : ZSTD_e_continue);
  step->taken = in.pos;
  step->written = out.pos;
  if (ZSTD_isError(left)) return -1;
  if (ends) return left == 0 ? 0 : 1;
  return in.pos == in.size ? 0 : 1;
}

void *cmartlet_zstd_unpacker_create(void) {
  ZSTD_DCtx *unpacker = ZSTD_createDCtx();
  if (!unpacker) return NULL;
  // 8 MB of window: more than any level that we pack with uses.
  if (ZSTD_isError(ZSTD_DCtx_setParameter(unpacker, ZSTD_d_windowLogMax, 23))) {
    ZSTD_freeDCtx(unpacker);
    return NULL;
  }
  return unpacker;
}

void cmartlet_zstd_unpacker_free(void *unpacker) { ZSTD_freeDCtx(unpacker); }

int cmartlet_zstd_unpack_some(void *unpacker, void *target, size_t room, const void *source,
                              size_t length, cmartlet_zstd_step *step) {
  ZSTD_inBuffer in = {source, length, 0};
  ZSTD_outBuffer out = {target, room, 0};
  size_t left = ZSTD_decompressStream(unpacker, &out, &in);
  step->taken = in.pos;
  step->written = out.pos;
  if (ZSTD_isError(left)) return -1;
  return left == 0 ? 0 : 1;
}
