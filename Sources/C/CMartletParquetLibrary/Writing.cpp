#if __has_include(<parquet/api/reader.h>)
#include "Internal.h"

#include <algorithm>

using namespace martlet;

struct cmartlet_parquet_writer {
  std::shared_ptr<arrow::io::FileOutputStream> stream;
  std::unique_ptr<parquet::ParquetFileWriter> writer;
  std::vector<int32_t> kinds;
  parquet::RowGroupWriter *group = nullptr;
  int64_t rows_per_group;
  int64_t rows_in_group = 0;
  int32_t groups = 0;
  text_table texts;
  place at;
};

cmartlet_parquet_writer *martlet_create(const char *path, const char *const *names,
                                        const int32_t *kinds, int32_t columns,
                                        const char *const *keys, const char *const *values,
                                        int32_t pairs, int32_t compression, int64_t rows_per_group,
                                        cmartlet_parquet_fault *fault) {
  return guarded(fault, place{}, static_cast<cmartlet_parquet_writer *>(nullptr), [&] {
    auto opened = arrow::io::FileOutputStream::Open(path);
    if (!opened.ok()) throw found(CMARTLET_PARQUET_SYSTEM, opened.status().message());
    parquet::schema::NodeVector nodes;
    for (int32_t index = 0; index < columns; index++) {
      bool text = kinds[index] == CMARTLET_PARQUET_TEXT;
      auto type = text ? parquet::Type::BYTE_ARRAY
                       : kinds[index] == CMARTLET_PARQUET_INT32 ? parquet::Type::INT32
                                                                : parquet::Type::INT64;
      nodes.push_back(parquet::schema::PrimitiveNode::Make(
          names[index], parquet::Repetition::REQUIRED,
          text ? parquet::LogicalType::String() : parquet::LogicalType::None(), type));
    }
    auto schema = std::static_pointer_cast<parquet::schema::GroupNode>(
        parquet::schema::GroupNode::Make("schema", parquet::Repetition::REQUIRED, nodes));
    std::vector<std::string> own_keys(keys, keys + pairs);
    std::vector<std::string> own_values(values, values + pairs);
    parquet::WriterProperties::Builder properties;
    properties.version(parquet::ParquetVersion::PARQUET_2_6)
        ->data_page_version(parquet::ParquetDataPageVersion::V1)
        ->compression(compression == CMARTLET_PARQUET_LZ4    ? parquet::Compression::LZ4
                      : compression == CMARTLET_PARQUET_ZSTD ? parquet::Compression::ZSTD
                                                             : parquet::Compression::UNCOMPRESSED)
        ->enable_dictionary()
        ->enable_statistics()
        ->enable_page_checksum()
        ->created_by("Martlet");
    auto writer = std::make_unique<cmartlet_parquet_writer>();
    writer->stream = *opened;
    writer->writer = parquet::ParquetFileWriter::Open(
        *opened, schema, properties.build(), arrow::KeyValueMetadata::Make(own_keys, own_values));
    writer->kinds.assign(kinds, kinds + columns);
    writer->rows_per_group = rows_per_group;
    return writer.release();
  });
}

int32_t martlet_add_text(cmartlet_parquet_writer *writer, const char *bytes, size_t length,
                         cmartlet_parquet_fault *fault) {
  return guarded(fault, place{}, int32_t{-1},
                 [&] { return writer->texts.index(std::string_view(bytes, length)); });
}

int32_t martlet_write(cmartlet_parquet_writer *writer, int64_t rows, const void *const *sources,
                      cmartlet_parquet_fault *fault) {
  return guarded(fault, writer->at, int32_t{-1}, [&] {
    int64_t done = 0;
    while (done < rows) {
      writer->at = {writer->groups, -1};
      if (!writer->group) {
        writer->group = writer->writer->AppendBufferedRowGroup();
        writer->rows_in_group = 0;
      }
      int64_t count = std::min(rows - done, writer->rows_per_group - writer->rows_in_group);
      for (size_t index = 0; index < writer->kinds.size(); index++) {
        writer->at.column = static_cast<int32_t>(index);
        auto *column = writer->group->column(static_cast<int>(index));
        switch (writer->kinds[index]) {
          case CMARTLET_PARQUET_INT64:
            static_cast<parquet::Int64Writer *>(column)->WriteBatch(
                count, nullptr, nullptr, static_cast<const int64_t *>(sources[index]) + done);
            break;
          case CMARTLET_PARQUET_INT32:
            static_cast<parquet::Int32Writer *>(column)->WriteBatch(
                count, nullptr, nullptr, static_cast<const int32_t *>(sources[index]) + done);
            break;
          default: {
            auto *indices = static_cast<const int32_t *>(sources[index]) + done;
            for (int64_t row = 0; row < count; row++) {
              auto &text = writer->texts[indices[row]];
              parquet::ByteArray bytes(static_cast<uint32_t>(text.size()),
                                       reinterpret_cast<const uint8_t *>(text.data()));
              static_cast<parquet::ByteArrayWriter *>(column)->WriteBatch(1, nullptr, nullptr, &bytes);
            }
          }
        }
      }
      done += count;
      writer->rows_in_group += count;
      if (writer->rows_in_group == writer->rows_per_group) {
        writer->at.column = -1;
        writer->group->Close();
        writer->group = nullptr;
        writer->groups++;
      }
    }
    return 0;
  });
}

int32_t martlet_finish(cmartlet_parquet_writer *writer, cmartlet_parquet_fault *fault) {
  return guarded(fault, writer->at, int32_t{-1}, [&] {
    writer->at = {writer->groups, -1};
    writer->group = nullptr;
    writer->writer->Close();
    auto closed = writer->stream->Close();
    if (!closed.ok()) throw found(CMARTLET_PARQUET_SYSTEM, closed.message());
    return 0;
  });
}

void martlet_discard(cmartlet_parquet_writer *writer) {
  // Closing may throw where the disk is full; what was begun is then left as it is.
  try {
    delete writer;
  } catch (...) {
  }
}
#endif
