#if __has_include(<parquet/api/reader.h>)
#include "Internal.h"

#include <algorithm>
#include <array>

using namespace martlet;

namespace {

struct described {
  std::string name;
  std::string type;
  int32_t kind;
  bool may_be_null;
};

/* What a column holds, as far as we take it. A logical type that changes what the bits mean makes it
   another kind: a decimal has its own scale, an unsigned count does not fit. */
described describe(const parquet::ColumnDescriptor &column) {
  described result{column.path()->ToDotString(), parquet::TypeToString(column.physical_type()),
                   CMARTLET_PARQUET_OTHER, column.max_definition_level() > 0};
  auto logical = column.logical_type();
  bool plain = !logical || logical->is_none() || logical->is_null();
  if (!plain) result.type += " as " + logical->ToString();
  if (column.max_repetition_level() > 0 || column.max_definition_level() > 1) {
    result.type = "nested " + result.type;
    return result;
  }
  auto *integer = dynamic_cast<const parquet::IntLogicalType *>(logical.get());
  switch (column.physical_type()) {
    case parquet::Type::INT64:
      if (plain || logical->is_timestamp() || (integer && integer->is_signed())) {
        result.kind = CMARTLET_PARQUET_INT64;
      }
      break;
    case parquet::Type::INT32:
      if (plain || (integer && integer->is_signed())) result.kind = CMARTLET_PARQUET_INT32;
      break;
    case parquet::Type::BYTE_ARRAY:
      if (plain || logical->is_string()) result.kind = CMARTLET_PARQUET_TEXT;
      break;
    default:
      break;
  }
  return result;
}

}  // namespace

struct cmartlet_parquet_file {
  std::unique_ptr<parquet::ParquetFileReader> reader;
  std::shared_ptr<parquet::FileMetaData> metadata;
  std::vector<described> columns;
};

cmartlet_parquet_file *martlet_open(const char *path, cmartlet_parquet_fault *fault) {
  return guarded(fault, place{}, static_cast<cmartlet_parquet_file *>(nullptr), [&] {
    auto properties = parquet::default_reader_properties();
    // Pieces of a column chunk, not all of it: memory stays the same whatever a row group's size.
    properties.enable_buffered_stream();
    properties.set_buffer_size(256 << 10);
    properties.set_page_checksum_verification(true);
    auto opened = arrow::io::ReadableFile::Open(path);
    if (!opened.ok()) throw found(CMARTLET_PARQUET_SYSTEM, opened.status().message());
    auto file = std::make_unique<cmartlet_parquet_file>();
    file->reader = parquet::ParquetFileReader::Open(*opened, properties);
    file->metadata = file->reader->metadata();
    auto *schema = file->metadata->schema();
    for (int index = 0; index < schema->num_columns(); index++) {
      file->columns.push_back(describe(*schema->Column(index)));
    }
    return file.release();
  });
}

void martlet_close(cmartlet_parquet_file *file) { delete file; }
int64_t martlet_rows(const cmartlet_parquet_file *file) { return file->metadata->num_rows(); }
int32_t martlet_row_groups(const cmartlet_parquet_file *file) {
  return file->metadata->num_row_groups();
}
int32_t martlet_columns(const cmartlet_parquet_file *file) {
  return static_cast<int32_t>(file->columns.size());
}
cmartlet_parquet_text martlet_created_by(const cmartlet_parquet_file *file) {
  return view(file->metadata->created_by());
}
cmartlet_parquet_column martlet_column(const cmartlet_parquet_file *file, int32_t index) {
  auto &column = file->columns[index];
  return {view(column.name), view(column.type), column.kind, column.may_be_null};
}
int32_t martlet_metadata_count(const cmartlet_parquet_file *file) {
  auto &pairs = file->metadata->key_value_metadata();
  return pairs ? static_cast<int32_t>(pairs->size()) : 0;
}
cmartlet_parquet_text martlet_metadata_key(const cmartlet_parquet_file *file, int32_t index) {
  return view(file->metadata->key_value_metadata()->keys()[index]);
}
cmartlet_parquet_text martlet_metadata_value(const cmartlet_parquet_file *file, int32_t index) {
  return view(file->metadata->key_value_metadata()->values()[index]);
}

int64_t martlet_row_group_rows(cmartlet_parquet_file *file, int32_t group,
                               cmartlet_parquet_fault *fault) {
  return guarded(fault, place{group, -1}, int64_t{-1},
                 [&] { return file->metadata->RowGroup(group)->num_rows(); });
}

int32_t martlet_chunk(cmartlet_parquet_file *file, int32_t group, int32_t column,
                      cmartlet_parquet_chunk *chunk, cmartlet_parquet_fault *fault) {
  return guarded(fault, place{group, column}, int32_t{-1}, [&] {
    auto metadata = file->metadata->RowGroup(group)->ColumnChunk(column);
    *chunk = {};
    chunk->nulls = -1;
    chunk->packed_bytes = metadata->total_compressed_size();
    chunk->unpacked_bytes = metadata->total_uncompressed_size();
    // The names live as long as the program.
    static const std::array<std::string, 9> names = {
        "uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4", "lz4 frame", "lz4 hadoop", "other"};
    size_t name = 8;
    switch (metadata->compression()) {
      case parquet::Compression::UNCOMPRESSED: name = 0; break;
      case parquet::Compression::SNAPPY: name = 1; break;
      case parquet::Compression::GZIP: name = 2; break;
      case parquet::Compression::BROTLI: name = 3; break;
      case parquet::Compression::ZSTD: name = 4; break;
      case parquet::Compression::LZ4: name = 5; break;
      case parquet::Compression::LZ4_FRAME: name = 6; break;
      case parquet::Compression::LZ4_HADOOP: name = 7; break;
      default: break;
    }
    chunk->compression = view(names[name]);
    auto statistics = metadata->is_stats_set() ? metadata->statistics() : nullptr;
    if (!statistics) return 0;
    if (statistics->HasNullCount()) chunk->nulls = statistics->null_count();
    if (!statistics->HasMinMax()) return 0;
    if (auto *wide = dynamic_cast<parquet::Int64Statistics *>(statistics.get())) {
      chunk->has_range = true;
      chunk->least = wide->min();
      chunk->greatest = wide->max();
    } else if (auto *narrow = dynamic_cast<parquet::Int32Statistics *>(statistics.get())) {
      chunk->has_range = true;
      chunk->least = narrow->min();
      chunk->greatest = narrow->max();
    }
    return 0;
  });
}

struct cmartlet_parquet_cursor {
  cmartlet_parquet_file *file;
  std::vector<int32_t> columns;
  std::vector<std::shared_ptr<parquet::ColumnReader>> readers;
  int32_t group;
  int32_t end;
  // Of the row group that is open.
  int64_t rows = 0;
  int64_t done = 0;
  text_table texts;
  place at;

  void open_group();
  template <typename Type, typename Take>
  void read(parquet::ColumnReader &reader, bool may_be_null, int64_t count, Take take);
};

void cmartlet_parquet_cursor::open_group() {
  at = {group, -1};
  auto opened = file->reader->RowGroup(group);
  rows = opened->metadata()->num_rows();
  done = 0;
  for (size_t index = 0; index < columns.size(); index++) {
    at.column = columns[index];
    readers[index] = opened->Column(columns[index]);
  }
}

/* Reads exactly `count` values: `take` asks for the next of them, at a place of its own. */
template <typename Type, typename Take>
void cmartlet_parquet_cursor::read(parquet::ColumnReader &reader, bool may_be_null, int64_t count,
                                   Take take) {
  auto &typed = static_cast<parquet::TypedColumnReader<Type> &>(reader);
  std::array<int16_t, 1024> levels;
  int64_t have = 0;
  while (have < count) {
    int64_t most = count - have;
    if (may_be_null) most = std::min<int64_t>(most, levels.size());
    have += take(have, most, [&](int64_t some, typename Type::c_type *target) {
      int64_t values = 0;
      auto *marks = may_be_null ? levels.data() : nullptr;
      int64_t seen = typed.ReadBatch(some, marks, nullptr, target, &values);
      if (seen <= 0) {
        throw found(CMARTLET_PARQUET_DAMAGED,
                    "the column ends after " + std::to_string(done + have) + " of " +
                        std::to_string(rows) + " rows",
                    done + have);
      }
      if (values != seen) {
        auto first = std::find(levels.begin(), levels.begin() + seen, int16_t{0});
        throw found(CMARTLET_PARQUET_NULL_VALUE, "a null", done + have + (first - levels.begin()));
      }
      return seen;
    });
  }
}

cmartlet_parquet_cursor *martlet_read(cmartlet_parquet_file *file, const int32_t *columns,
                                      int32_t count, int32_t first, int32_t end,
                                      cmartlet_parquet_fault *fault) {
  return guarded(fault, place{first, -1}, static_cast<cmartlet_parquet_cursor *>(nullptr), [&] {
    auto cursor = std::make_unique<cmartlet_parquet_cursor>();
    cursor->file = file;
    cursor->columns.assign(columns, columns + count);
    cursor->readers.resize(count);
    cursor->group = first - 1;
    cursor->end = end;
    return cursor.release();
  });
}

int64_t martlet_next(cmartlet_parquet_cursor *cursor, int64_t most, void *const *targets,
                     cmartlet_parquet_fault *fault) {
  return guarded(fault, cursor->at, int64_t{-1}, [&]() -> int64_t {
    while (cursor->done == cursor->rows) {
      if (cursor->group + 1 >= cursor->end) return 0;
      cursor->group++;
      cursor->open_group();
    }
    int64_t count = std::min(most, cursor->rows - cursor->done);
    for (size_t index = 0; index < cursor->columns.size(); index++) {
      cursor->at.column = cursor->columns[index];
      auto &column = cursor->file->columns[cursor->columns[index]];
      auto &reader = *cursor->readers[index];
      switch (column.kind) {
        case CMARTLET_PARQUET_INT64: {
          auto *target = static_cast<int64_t *>(targets[index]);
          cursor->read<parquet::Int64Type>(
              reader, column.may_be_null, count,
              [&](int64_t from, int64_t some, auto batch) { return batch(some, target + from); });
          break;
        }
        case CMARTLET_PARQUET_INT32: {
          auto *target = static_cast<int32_t *>(targets[index]);
          cursor->read<parquet::Int32Type>(
              reader, column.may_be_null, count,
              [&](int64_t from, int64_t some, auto batch) { return batch(some, target + from); });
          break;
        }
        case CMARTLET_PARQUET_TEXT: {
          auto *target = static_cast<int32_t *>(targets[index]);
          std::array<parquet::ByteArray, 512> texts;
          cursor->read<parquet::ByteArrayType>(
              reader, column.may_be_null, count, [&](int64_t from, int64_t some, auto batch) {
                int64_t seen = batch(std::min<int64_t>(some, texts.size()), texts.data());
                for (int64_t row = 0; row < seen; row++) {
                  auto &text = texts[row];
                  std::string_view bytes(reinterpret_cast<const char *>(text.ptr), text.len);
                  target[from + row] = cursor->texts.index(bytes, cursor->done + from + row);
                }
                return seen;
              });
          break;
        }
        default:
          throw found(CMARTLET_PARQUET_DAMAGED, "a column of another type: " + column.type);
      }
    }
    cursor->done += count;
    return count;
  });
}

int32_t martlet_group(const cmartlet_parquet_cursor *cursor) { return cursor->group; }
int32_t martlet_texts(const cmartlet_parquet_cursor *cursor) { return cursor->texts.count(); }
cmartlet_parquet_text martlet_text(const cmartlet_parquet_cursor *cursor, int32_t index) {
  return view(cursor->texts[index]);
}
void martlet_end(cmartlet_parquet_cursor *cursor) { delete cursor; }
#endif
