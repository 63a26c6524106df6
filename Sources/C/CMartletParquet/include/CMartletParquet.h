/* Why this exists: Arrow's Parquet library is C++, is 60 MB, and takes 20 ms to load. So it stays behind
   `extern "C"`, in a dynamic library of its own (`Sources/C/CMartletParquetLibrary`) that is opened when
   the first Parquet file is; nothing else that Martlet does waits for it.

   Who owns what: files, cursors and writers are made and ended by the caller, each used by one thread at
   a time. Buffers that are read into and written from are the caller's, borrowed for the call. Texts
   that a file or cursor gives live as long as it does.

   How failure comes back: NULL or -1, and the fault filled in. No exception leaves the library. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

enum {
  CMARTLET_PARQUET_INT64 = 0,
  CMARTLET_PARQUET_INT32 = 1,
  /* UTF-8; read and written as the index of a text in a table of the distinct ones. */
  CMARTLET_PARQUET_TEXT = 2,
  /* Floats, decimals, unsigned, nested and whatever else. */
  CMARTLET_PARQUET_OTHER = 3,
};

enum {
  CMARTLET_PARQUET_UNCOMPRESSED = 0,
  CMARTLET_PARQUET_LZ4 = 1,
  CMARTLET_PARQUET_ZSTD = 2,
};

enum {
  /* The library is not there or is another than the one built for. */
  CMARTLET_PARQUET_NO_LIBRARY = 1,
  /* The bytes are not what the format says. */
  CMARTLET_PARQUET_DAMAGED = 2,
  /* Nothing stands where a number must. */
  CMARTLET_PARQUET_NULL_VALUE = 3,
  CMARTLET_PARQUET_NO_MEMORY = 4,
  /* More distinct texts, or a longer one, than the bounds below. */
  CMARTLET_PARQUET_TOO_MUCH = 5,
  /* The system would not read or write. */
  CMARTLET_PARQUET_SYSTEM = 6,
};

/* Bounds on what one column of texts may make us hold. */
enum { CMARTLET_PARQUET_TEXTS = 65536, CMARTLET_PARQUET_TEXT_LENGTH = 4096 };

typedef struct {
  int32_t code;
  /* -1 where none is to blame. */
  int32_t row_group;
  int32_t column;
  /* Within the row group; -1 when unknown. */
  int64_t row;
  /* Ended by a zero, cut if need be. */
  char message[400];
} cmartlet_parquet_fault;

typedef struct {
  /* Not ended by a zero. */
  const char *bytes;
  size_t length;
} cmartlet_parquet_text;

typedef struct {
  cmartlet_parquet_text name;
  /* The format's own words, for messages. */
  cmartlet_parquet_text type;
  int32_t kind;
  bool may_be_null;
} cmartlet_parquet_column;

typedef struct {
  /* -1 when the file does not say. */
  int64_t nulls;
  int64_t packed_bytes;
  int64_t unpacked_bytes;
  /* Of INT64 and INT32. */
  bool has_range;
  int64_t least;
  int64_t greatest;
  /* As `zstd`. */
  cmartlet_parquet_text compression;
} cmartlet_parquet_chunk;

typedef struct cmartlet_parquet_file cmartlet_parquet_file;
typedef struct cmartlet_parquet_cursor cmartlet_parquet_cursor;
typedef struct cmartlet_parquet_writer cmartlet_parquet_writer;

/* The doors of the dynamic library. */
typedef struct {
  cmartlet_parquet_file *_Nullable (*_Nonnull open)(const char *path, cmartlet_parquet_fault *fault);
  void (*close)(cmartlet_parquet_file *file);
  int64_t (*rows)(const cmartlet_parquet_file *file);
  int32_t (*row_groups)(const cmartlet_parquet_file *file);
  int32_t (*columns)(const cmartlet_parquet_file *file);
  cmartlet_parquet_text (*created_by)(const cmartlet_parquet_file *file);
  /* `index` below `columns`. */
  cmartlet_parquet_column (*column)(const cmartlet_parquet_file *file, int32_t index);
  int32_t (*metadata_count)(const cmartlet_parquet_file *file);
  cmartlet_parquet_text (*metadata_key)(const cmartlet_parquet_file *file, int32_t index);
  cmartlet_parquet_text (*metadata_value)(const cmartlet_parquet_file *file, int32_t index);
  /* -1 when the file's directory is damaged there. */
  int64_t (*row_group_rows)(cmartlet_parquet_file *file, int32_t group,
                            cmartlet_parquet_fault *fault);
  int32_t (*chunk)(cmartlet_parquet_file *file, int32_t group, int32_t column,
                   cmartlet_parquet_chunk *chunk, cmartlet_parquet_fault *fault);

  /* Reads the columns from row group `first` up to, without, `end`. None is OTHER. The file outlives the
     cursor. */
  cmartlet_parquet_cursor *_Nullable (*_Nonnull read)(cmartlet_parquet_file *file, const int32_t *columns,
                                             int32_t count, int32_t first, int32_t end,
                                             cmartlet_parquet_fault *fault);
  /* Reads at most `most` rows, the same of each column, into one target for each: `int64_t` for INT64,
     `int32_t` for the others. Never beyond the end of a row group. Returns the rows, 0 at the end, -1. */
  int64_t (*next)(cmartlet_parquet_cursor *cursor, int64_t most, void *_Nonnull const *_Nonnull targets,
                  cmartlet_parquet_fault *fault);
  /* The row group that the last rows came from. */
  int32_t (*group)(const cmartlet_parquet_cursor *cursor);
  int32_t (*texts)(const cmartlet_parquet_cursor *cursor);
  cmartlet_parquet_text (*text)(const cmartlet_parquet_cursor *cursor, int32_t index);
  void (*end)(cmartlet_parquet_cursor *cursor);

  /* Makes a file anew: required columns, dictionaries, statistics, checksums of pages. */
  cmartlet_parquet_writer *_Nullable (*_Nonnull create)(
      const char *path, const char *_Nonnull const *_Nonnull names, const int32_t *kinds, int32_t columns,
      const char *_Nonnull const *_Nonnull keys, const char *_Nonnull const *_Nonnull values,
      int32_t pairs, int32_t compression, int64_t rows_per_group, cmartlet_parquet_fault *fault);
  /* The index of a text to write, or -1. */
  int32_t (*add_text)(cmartlet_parquet_writer *writer, const char *bytes, size_t length,
                      cmartlet_parquet_fault *fault);
  int32_t (*write)(cmartlet_parquet_writer *writer, int64_t rows,
                   const void *_Nonnull const *_Nonnull sources, cmartlet_parquet_fault *fault);
  /* Writes what is left and the directory, without which a file cannot be read. */
  int32_t (*finish)(cmartlet_parquet_writer *writer, cmartlet_parquet_fault *fault);
  /* Ends the writer, finished or not. */
  void (*discard)(cmartlet_parquet_writer *writer);
} cmartlet_parquet_library;

/* The library, opened at the first call; the same ever after. */
const cmartlet_parquet_library *_Nullable cmartlet_parquet_load(cmartlet_parquet_fault *fault);

/* What the dynamic library exports. */
const cmartlet_parquet_library *cmartlet_parquet_doors(void);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif
