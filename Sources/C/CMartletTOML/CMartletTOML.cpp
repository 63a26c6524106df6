#include "CMartletTOML.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

// A table header that begins with no key (`[=]`) breaks an assertion of toml++ 3.3, which is undefined
// behavior in release and an abort otherwise: all its assertions throw instead, in both.
struct broken_assertion : std::exception {};
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? static_cast<void>(0) : throw broken_assertion{})
// Arrays and inline tables nested deeper are refused by the library itself.
#define TOML_MAX_NESTED_VALUES 32
#include <toml++/toml.h>

struct cmartlet_toml_document {
  toml::table root;
  std::vector<cmartlet_toml_node> nodes;
};

namespace {

struct too_deep : std::exception {
  toml::source_position where;
  explicit too_deep(toml::source_position where) : where(where) {}
};

bool comes_before(const toml::source_position &left, const toml::source_position &right) {
  return left.line != right.line ? left.line < right.line : left.column < right.column;
}

void add(cmartlet_toml_document &document, const toml::node &node, int32_t parent,
         std::string_view key, toml::source_position place, int depth) {
  if (depth > CMARTLET_TOML_DEPTH) throw too_deep(place);
  cmartlet_toml_node flat{};
  flat.parent = parent;
  flat.line = place.line;
  flat.column = place.column;
  flat.key = key.data() ? key.data() : "";
  flat.key_length = key.size();
  flat.text = "";
  auto index = static_cast<int32_t>(document.nodes.size());
  if (auto *table = node.as_table()) {
    flat.kind = CMARTLET_TOML_TABLE;
    document.nodes.push_back(flat);
    // The library sorts by name; people read in the order of the file.
    std::vector<std::pair<const toml::key *, const toml::node *>> entries;
    for (auto &&[name, value] : *table) entries.emplace_back(&name, &value);
    std::sort(entries.begin(), entries.end(), [](auto &left, auto &right) {
      auto &&before = left.first->source().begin, &&after = right.first->source().begin;
      if (comes_before(before, after)) return true;
      return !comes_before(after, before) && left.first->str() < right.first->str();
    });
    for (auto &[name, value] : entries) {
      add(document, *value, index, name->str(), name->source().begin, depth + 1);
    }
  } else if (auto *array = node.as_array()) {
    flat.kind = CMARTLET_TOML_ARRAY;
    document.nodes.push_back(flat);
    for (auto &value : *array) add(document, value, index, {}, value.source().begin, depth + 1);
  } else {
    if (auto *text = node.as_string()) {
      flat.kind = CMARTLET_TOML_STRING;
      flat.text = text->get().data();
      flat.text_length = text->get().size();
    } else if (auto *integer = node.as_integer()) {
      flat.kind = CMARTLET_TOML_INTEGER;
      flat.integer = integer->get();
    } else if (node.is_floating_point()) {
      flat.kind = CMARTLET_TOML_FLOAT;
    } else if (auto *boolean = node.as_boolean()) {
      flat.kind = CMARTLET_TOML_BOOLEAN;
      flat.integer = boolean->get() ? 1 : 0;
    } else {
      flat.kind = CMARTLET_TOML_TIME;
    }
    document.nodes.push_back(flat);
  }
}

void fail(cmartlet_toml_fault *fault, toml::source_position where, std::string_view message) {
  fault->line = where.line;
  fault->column = where.column;
  std::snprintf(fault->message, sizeof fault->message, "%.*s", static_cast<int>(message.size()),
                message.data());
}

/* Where a table header begins with something that begins no key; the document's start otherwise. */
toml::source_position header_without_key(std::string_view text) {
  toml::source_position place{1, 1};
  bool is_header = false;
  bool is_indent = true;
  for (char byte : text) {
    bool is_space = byte == ' ' || byte == '\t';
    bool is_key = byte == '_' || byte == '-' || byte == '"' || byte == '\'' || byte == ']' ||
                  (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                  (byte >= 'a' && byte <= 'z');
    if (is_header && !is_space && byte != '[') {
      if (!is_key) return place;
      is_header = false;
    }
    if (is_indent && byte == '[') is_header = true;
    if (!is_space) is_indent = false;
    place.column++;
    if (byte == '\n') {
      place = {place.line + 1, 1};
      is_indent = true;
      is_header = false;
    }
  }
  return {1, 1};
}

}  // namespace

cmartlet_toml_document *cmartlet_toml_parse(const char *text, size_t length,
                                            cmartlet_toml_fault *fault) {
  cmartlet_toml_document *document = nullptr;
  try {
    document = new cmartlet_toml_document{
        toml::parse(std::string_view(length > 0 ? text : "", length)), {}};
    add(*document, document->root, -1, {}, {1, 1}, 0);
    return document;
  } catch (const toml::parse_error &error) {
    fail(fault, error.source().begin, error.description());
  } catch (const broken_assertion &) {
    fail(fault, header_without_key(std::string_view(length > 0 ? text : "", length)),
         "expected a key, as in [table] or name = value");
  } catch (const too_deep &error) {
    fail(fault, error.where, "nested too deep");
  } catch (const std::exception &error) {
    fail(fault, {1, 1}, error.what());
  } catch (...) {
    fail(fault, {1, 1}, "unreadable");
  }
  delete document;
  return nullptr;
}

size_t cmartlet_toml_count(const cmartlet_toml_document *document) {
  return document->nodes.size();
}

cmartlet_toml_node cmartlet_toml_node_at(const cmartlet_toml_document *document, size_t index) {
  return document->nodes[index];
}

void cmartlet_toml_free(cmartlet_toml_document *document) { delete document; }
