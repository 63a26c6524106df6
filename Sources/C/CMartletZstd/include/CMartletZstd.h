#pragma once
#include <stddef.h>

/* Unpacks one zstd frame, for the bundled recordings. Owns nothing and keeps nothing: both buffers
   are the caller's. */

/* Returns the bytes written to `target`, or -1 when `source` is no whole frame or needs more than
   `room`. */
long long cmartlet_zstd_unpack(void *_Nonnull target, size_t room, const void *_Nonnull source,
                               size_t length);
