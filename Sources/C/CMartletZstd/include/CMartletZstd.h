#pragma once
#include <stdbool.h>
#include <stddef.h>

/* zstd: one frame unpacked at once, for the bundled recordings; frames packed and unpacked piece by
   piece, for the parts of a journal.

   Who owns what: buffers are the caller's, borrowed for the call alone. A packer or unpacker is made
   and freed by the caller, and belongs to one frame at a time.

   How failure comes back: -1, and NULL where there is no memory. */

/* Returns the bytes written to `target`, or -1 when `source` is no whole frame or needs more than
   `room`. */
long long cmartlet_zstd_unpack(void *_Nonnull target, size_t room, const void *_Nonnull source,
                               size_t length);

/* How a step ended: bytes taken from the source and written to the target. */
typedef struct {
  size_t taken;
  size_t written;
} cmartlet_zstd_step;

/* Memory of a packer: some 4 MB at level 3. */
void *_Nullable cmartlet_zstd_packer_create(int level);
void cmartlet_zstd_packer_free(void *_Nonnull packer);
/* Packs some of `source`; with `ends`, ends the frame. 1 while there is more to do with the same
   source or another target, 0 when all of it was taken and, with `ends`, the frame is whole; or -1. */
int cmartlet_zstd_pack_some(void *_Nonnull packer, void *_Nonnull target, size_t room,
                            const void *_Nullable source, size_t length, bool ends,
                            cmartlet_zstd_step *_Nonnull step);

/* Memory of an unpacker: at most 9 MB; a frame that asks for more is refused. */
void *_Nullable cmartlet_zstd_unpacker_create(void);
void cmartlet_zstd_unpacker_free(void *_Nonnull unpacker);
/* Unpacks until the target is full, the source is at its end or the frame is. 1 while the frame goes
   on, 0 when it has ended, or -1 when it is damaged. */
int cmartlet_zstd_unpack_some(void *_Nonnull unpacker, void *_Nonnull target, size_t room,
                              const void *_Nullable source, size_t length,
                              cmartlet_zstd_step *_Nonnull step);
