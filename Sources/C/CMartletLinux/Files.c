// Mapped files, preallocation, syncing, locking.
#include "Internal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "CMartletLinux.h"

int cmartlet_map(int descriptor, int64_t offset, size_t count, bool writable, void **result) {
  int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void *start = mmap(NULL, count, protection, MAP_SHARED, descriptor, offset);
  if (start == MAP_FAILED) return -errno;
  *result = start;
  return 0;
}

int cmartlet_unmap(void *start, size_t count) { return result_of(munmap(start, count)); }

int cmartlet_touch(void *start, size_t count) {
#ifdef MADV_POPULATE_WRITE
  if (madvise(start, count, MADV_POPULATE_WRITE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -errno;
#endif
  // Kernels before 5.14: write each page's first byte back to itself.
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  volatile unsigned char *bytes = start;
  for (size_t offset = 0; offset < count; offset += page) bytes[offset] = bytes[offset];
  return 0;
}

int cmartlet_map_sync(void *start, size_t count) { return result_of(msync(start, count, MS_SYNC)); }

int cmartlet_allocate(int descriptor, int64_t offset, int64_t count) {
  for (;;) {
    // posix_fallocate returns its error, and writes zeros where the file system cannot reserve.
    int failure = posix_fallocate(descriptor, offset, count);
    if (failure != EINTR) return -failure;
  }
}

int cmartlet_fdatasync(int descriptor) { return result_of(fdatasync(descriptor)); }

int cmartlet_sync_directory(const char *path) {
  int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return -errno;
  int result = result_of(fsync(descriptor));
  close(descriptor);
  return result;
}

int cmartlet_lock(int descriptor) { return result_of(flock(descriptor, LOCK_EX | LOCK_NB)); }
