// Clocks, randomness and threads.
#include "Internal.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <time.h>

#include "CMartletLinux.h"

static int64_t nanoseconds_of(clockid_t clock) {
  struct timespec now;
  // Neither clock can fail: both exist on every Linux, and the address is valid.
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t cmartlet_monotonic_nanoseconds(void) { return nanoseconds_of(CLOCK_MONOTONIC); }
int64_t cmartlet_realtime_nanoseconds(void) { return nanoseconds_of(CLOCK_REALTIME); }

int cmartlet_random(void *bytes, size_t count) {
  unsigned char *next = bytes;
  while (count > 0) {
    ssize_t got = getrandom(next, count, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    next += got;
    count -= (size_t)got;
  }
  return 0;
}

int cmartlet_name_thread(const char *name) {
  char kept[16];
  strncpy(kept, name, sizeof kept - 1);
  kept[sizeof kept - 1] = 0;
  return -pthread_setname_np(pthread_self(), kept);
}

int cmartlet_pin_thread(int processor) {
  if (processor < 0 || processor >= CPU_SETSIZE) return -EINVAL;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return -pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

int cmartlet_wait_when_woken(void) {
  struct sched_param parameter = {0};
  return sched_setscheduler(0, SCHED_BATCH, &parameter) == 0 ? 0 : -errno;
}

int cmartlet_processor_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (pthread_getaffinity_np(pthread_self(), sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set);
}

int64_t cmartlet_clock_error(void) {
    struct timex state = {0};
    int clock = adjtimex(&state);
    return clock < 0 || clock == TIME_ERROR ? -1 : (int64_t)state.maxerror;
}
