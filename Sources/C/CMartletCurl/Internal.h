// What the files of this shim share.
#pragma once

#include <curl/curl.h>

#include "CMartletCurl.h"

// Bytes that grow and are kept from request to request.
typedef struct {
  uint8_t *bytes;
  size_t count;
  size_t capacity;
} buffer;

enum { HEADER_LIMIT = 64 };

struct cmartlet_transfer {
  CURL *easy;
  uint64_t tag;
  size_t body_limit;
  size_t head_limit;
  long connect_milliseconds;
  buffer url;
  buffer request_headers;
  buffer request_body;
  buffer head;
  buffer body;
  struct curl_slist lines[HEADER_LIMIT + 1];
  // The reply was cut off as too large.
  bool is_oversized;
  CURLcode code;
  // What curl has to say about a failure, beside its number.
  char detail[CURL_ERROR_SIZE];
};

// What `code` means for a transfer that has ended with it.
cmartlet_rest_outcome outcome_of(cmartlet_transfer *transfer, CURLcode code);
