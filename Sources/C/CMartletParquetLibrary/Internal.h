#pragma once
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <arrow/io/file.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/api/reader.h>
#include <parquet/api/writer.h>
#include <parquet/exception.h>

#include "../CMartletParquet/include/CMartletParquet.h"

namespace martlet {

/* A fault found here, with its place; the message is its `what`. */
struct found : std::runtime_error {
  int32_t code;
  int64_t row;
  found(int32_t code, const std::string &message, int64_t row = -1)
      : std::runtime_error(message), code(code), row(row) {}
};

/* Where a piece of work stands, for the fault that may come. */
struct place {
  int32_t row_group = -1;
  int32_t column = -1;
};

void fill(cmartlet_parquet_fault *fault, int32_t code, const place &at, int64_t row,
          std::string_view message);

/* Runs `work`; what it throws becomes the fault, and `failed` the result. */
template <typename Result, typename Work>
Result guarded(cmartlet_parquet_fault *fault, const place &at, Result failed, Work work) {
  try {
    return work();
  } catch (const found &error) {
    fill(fault, error.code, at, error.row, error.what());
  } catch (const std::bad_alloc &) {
    fill(fault, CMARTLET_PARQUET_NO_MEMORY, at, -1, "no memory");
  } catch (const parquet::ParquetStatusException &error) {
    bool system = error.status().IsIOError();
    fill(fault, system ? CMARTLET_PARQUET_SYSTEM : CMARTLET_PARQUET_DAMAGED, at, -1, error.what());
  } catch (const std::exception &error) {
    fill(fault, CMARTLET_PARQUET_DAMAGED, at, -1, error.what());
  } catch (...) {
    fill(fault, CMARTLET_PARQUET_DAMAGED, at, -1, "unreadable");
  }
  return failed;
}

inline cmartlet_parquet_text view(const std::string &text) { return {text.data(), text.size()}; }

/* Distinct texts, each with its index. */
class text_table {
 public:
  int32_t index(std::string_view text, int64_t row = -1);
  int32_t count() const { return static_cast<int32_t>(texts_.size()); }
  const std::string &operator[](int32_t index) const { return *texts_[index]; }

 private:
  struct hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, int32_t, hash, std::equal_to<>> indices_;
  // Keys of the map, which do not move.
  std::vector<const std::string *> texts_;
  int32_t last_ = -1;
};

}  // namespace martlet

/* The doors, one file for each side. */
cmartlet_parquet_file *martlet_open(const char *, cmartlet_parquet_fault *);
void martlet_close(cmartlet_parquet_file *);
int64_t martlet_rows(const cmartlet_parquet_file *);
int32_t martlet_row_groups(const cmartlet_parquet_file *);
int32_t martlet_columns(const cmartlet_parquet_file *);
cmartlet_parquet_text martlet_created_by(const cmartlet_parquet_file *);
cmartlet_parquet_column martlet_column(const cmartlet_parquet_file *, int32_t);
int32_t martlet_metadata_count(const cmartlet_parquet_file *);
cmartlet_parquet_text martlet_metadata_key(const cmartlet_parquet_file *, int32_t);
cmartlet_parquet_text martlet_metadata_value(const cmartlet_parquet_file *, int32_t);
int64_t martlet_row_group_rows(cmartlet_parquet_file *, int32_t, cmartlet_parquet_fault *);
int32_t martlet_chunk(cmartlet_parquet_file *, int32_t, int32_t, cmartlet_parquet_chunk *,
                      cmartlet_parquet_fault *);
cmartlet_parquet_cursor *martlet_read(cmartlet_parquet_file *, const int32_t *, int32_t, int32_t,
                                      int32_t, cmartlet_parquet_fault *);
int64_t martlet_next(cmartlet_parquet_cursor *, int64_t, void *const *, cmartlet_parquet_fault *);
int32_t martlet_group(const cmartlet_parquet_cursor *);
int32_t martlet_texts(const cmartlet_parquet_cursor *);
cmartlet_parquet_text martlet_text(const cmartlet_parquet_cursor *, int32_t);
void martlet_end(cmartlet_parquet_cursor *);
cmartlet_parquet_writer *martlet_create(const char *, const char *const *, const int32_t *, int32_t,
                                        const char *const *, const char *const *, int32_t, int32_t,
                                        int64_t, cmartlet_parquet_fault *);
int32_t martlet_add_text(cmartlet_parquet_writer *, const char *, size_t, cmartlet_parquet_fault *);
int32_t martlet_write(cmartlet_parquet_writer *, int64_t, const void *const *,
                      cmartlet_parquet_fault *);
int32_t martlet_finish(cmartlet_parquet_writer *, cmartlet_parquet_fault *);
void martlet_discard(cmartlet_parquet_writer *);
