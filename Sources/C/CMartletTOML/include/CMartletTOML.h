/* Why this exists: toml++ is C++, and C++ stays behind `extern "C"`. It reads a document into a flat
   list of nodes, each after its parent, with the place where it stands.

   Who owns what: `cmartlet_toml_parse` gives a document to its caller, who frees it; nodes and texts
   live as long as the document. The text parsed is borrowed for the call.

   How failure comes back: no document, and the fault filled in. No exception leaves the shim. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

typedef struct cmartlet_toml_document cmartlet_toml_document;

enum {
  CMARTLET_TOML_TABLE = 0,
  CMARTLET_TOML_ARRAY = 1,
  CMARTLET_TOML_STRING = 2,
  CMARTLET_TOML_INTEGER = 3,
  CMARTLET_TOML_FLOAT = 4,
  CMARTLET_TOML_BOOLEAN = 5,
  /* A date, a time, or both. */
  CMARTLET_TOML_TIME = 6,
};

typedef struct {
  int32_t kind;
  /* Index of the table or array that holds it; -1 for the document itself, which comes first. */
  int32_t parent;
  /* From 1; of the key where there is one, else of the value. */
  uint32_t line;
  uint32_t column;
  /* UTF-8, not ended by a zero; empty in an array. */
  const char *key;
  size_t key_length;
  /* Of a string; empty otherwise. */
  const char *text;
  size_t text_length;
  /* Of an integer, and 0 or 1 of a boolean. */
  int64_t integer;
} cmartlet_toml_node;

typedef struct {
  uint32_t line;
  uint32_t column;
  /* What is wrong, ended by a zero, cut if need be. */
  char message[256];
} cmartlet_toml_fault;

/* Nesting deeper than this is a fault. */
enum { CMARTLET_TOML_DEPTH = 32 };

cmartlet_toml_document *_Nullable cmartlet_toml_parse(const char *_Nullable text, size_t length,
                                                      cmartlet_toml_fault *fault);
size_t cmartlet_toml_count(const cmartlet_toml_document *document);
/* `index` below the count. */
cmartlet_toml_node cmartlet_toml_node_at(const cmartlet_toml_document *document, size_t index);
void cmartlet_toml_free(cmartlet_toml_document *document);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
#endif
