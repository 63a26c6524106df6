// Loaded before a program's own libraries (LD_PRELOAD), it lets the program's syncs fail as a broken disk does, from the moment
// on that the file named by DISK_FAULT holds another byte than zero.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

static int (*real)(int);
static const volatile char *is_broken;

__attribute__((constructor)) static void begin(void) {
  real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  const char *path = getenv("DISK_FAULT");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *page = file < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ, MAP_SHARED, file, 0);
  if (!real || page == MAP_FAILED) abort();
  is_broken = page;
}

int fdatasync(int file) {
  if (*is_broken) {
    errno = EIO;
    return -1;
  }
  return real(file);
}
