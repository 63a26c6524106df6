#include "CMartletAllocations.h"

#include <errno.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

// Initial-exec: reading the counter must not itself allocate.
static __thread uint64_t allocations __attribute__((tls_model("initial-exec")));

uint64_t cmartlet_allocations(void) { return allocations; }

#ifdef SANITIZED
bool cmartlet_counts_allocations(void) { return false; }
#else
bool cmartlet_counts_allocations(void) { return true; }

// glibc's own entry points, kept for replacements like these.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *malloc(size_t size) {
  allocations++;
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  allocations++;
  return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
  allocations++;
  return __libc_realloc(block, size);
}

void *memalign(size_t alignment, size_t size) {
  allocations++;
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  allocations++;
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  allocations++;
  void *block = __libc_memalign(alignment, size);
  if (!block) return ENOMEM;
  *result = block;
  return 0;
}

// Counts nothing; here so that an allocator put before the C library's never gets blocks that are
// not its own.
void free(void *block) { __libc_free(block); }
#endif
