// Without Arrow's headers, which the set-up stages in .deps/arrow, the library is empty, and whoever
// opens it says so.
#if __has_include(<parquet/api/reader.h>)
#include "Internal.h"

namespace martlet {

void fill(cmartlet_parquet_fault *fault, int32_t code, const place &at, int64_t row,
          std::string_view message) {
  fault->code = code;
  fault->row_group = at.row_group;
  fault->column = at.column;
  fault->row = row;
  std::snprintf(fault->message, sizeof fault->message, "%.*s", static_cast<int>(message.size()),
                message.data());
}

int32_t text_table::index(std::string_view text, int64_t row) {
  if (last_ >= 0 && *texts_[last_] == text) return last_;
  auto known = indices_.find(text);
  if (known == indices_.end()) {
    if (text.size() > CMARTLET_PARQUET_TEXT_LENGTH) {
      throw found(CMARTLET_PARQUET_TOO_MUCH, "a text of " + std::to_string(text.size()) + " bytes", row);
    }
    if (texts_.size() >= CMARTLET_PARQUET_TEXTS) {
      throw found(CMARTLET_PARQUET_TOO_MUCH,
                  "more than " + std::to_string(CMARTLET_PARQUET_TEXTS) + " distinct texts", row);
    }
    known = indices_.emplace(text, count()).first;
    texts_.push_back(&known->first);
  }
  last_ = known->second;
  return last_;
}

}  // namespace martlet

extern "C" __attribute__((visibility("default"))) const cmartlet_parquet_library *
cmartlet_parquet_doors(void) {
  static const cmartlet_parquet_library doors = {
      .open = martlet_open,
      .close = martlet_close,
      .rows = martlet_rows,
      .row_groups = martlet_row_groups,
      .columns = martlet_columns,
      .created_by = martlet_created_by,
      .column = martlet_column,
      .metadata_count = martlet_metadata_count,
      .metadata_key = martlet_metadata_key,
      .metadata_value = martlet_metadata_value,
      .row_group_rows = martlet_row_group_rows,
      .chunk = martlet_chunk,
      .read = martlet_read,
      .next = martlet_next,
      .group = martlet_group,
      .texts = martlet_texts,
      .text = martlet_text,
      .end = martlet_end,
      .create = martlet_create,
      .add_text = martlet_add_text,
      .write = martlet_write,
      .finish = martlet_finish,
      .discard = martlet_discard,
  };
  return &doors;
}
#endif
