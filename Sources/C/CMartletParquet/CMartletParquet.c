#include "CMartletParquet.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

// The sonames of the pinned version, which the headers were compiled from: another one is refused.
static const char *const libraries[] = {"libarrow.so.2600", "libparquet.so.2600",
                                        "libMartletParquet.so"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const cmartlet_parquet_library *loaded = NULL;

static const cmartlet_parquet_library *open_all(cmartlet_parquet_fault *fault) {
  void *handle = NULL;
  for (size_t index = 0; index < sizeof libraries / sizeof *libraries; index++) {
    // Found by the run path of the program, and kept open until it ends. Global, so that each finds
    // what the ones before it define.
    handle = dlopen(libraries[index], RTLD_LAZY | RTLD_GLOBAL);
    if (!handle) {
      const char *reason = dlerror();
      snprintf(fault->message, sizeof fault->message, "%s", reason ? reason : libraries[index]);
      return NULL;
    }
  }
  const cmartlet_parquet_library *(*doors)(void) = NULL;
  // POSIX gives a function's address as a pointer to an object.
  *(void **)&doors = dlsym(handle, "cmartlet_parquet_doors");
  if (!doors) {
    snprintf(fault->message, sizeof fault->message, "libMartletParquet.so was built without Arrow");
    return NULL;
  }
  return doors();
}

const cmartlet_parquet_library *cmartlet_parquet_load(cmartlet_parquet_fault *fault) {
  *fault = (cmartlet_parquet_fault){CMARTLET_PARQUET_NO_LIBRARY, -1, -1, -1, {0}};
  pthread_mutex_lock(&lock);
  if (!loaded) loaded = open_all(fault);
  const cmartlet_parquet_library *result = loaded;
  pthread_mutex_unlock(&lock);
  return result;
}
