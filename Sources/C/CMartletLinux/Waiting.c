// epoll, eventfd and stop signals.
#include "Internal.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "CMartletLinux.h"

int cmartlet_epoll_create(void) { return result_of(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int descriptor, uint32_t interest, uint64_t tag) {
  struct epoll_event event = {.events = 0, .data.u64 = tag};
  if (interest & CMARTLET_READABLE) event.events |= EPOLLIN | EPOLLRDHUP;
  if (interest & CMARTLET_WRITABLE) event.events |= EPOLLOUT;
  return result_of(epoll_ctl(epoll, operation, descriptor, &event));
}

int cmartlet_epoll_add(int epoll, int descriptor, uint32_t interest, uint64_t tag) {
  return control(epoll, EPOLL_CTL_ADD, descriptor, interest, tag);
}

int cmartlet_epoll_change(int epoll, int descriptor, uint32_t interest, uint64_t tag) {
  return control(epoll, EPOLL_CTL_MOD, descriptor, interest, tag);
}

int cmartlet_epoll_remove(int epoll, int descriptor) {
  return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0);
}

int cmartlet_epoll_wait(int epoll, cmartlet_event *events, int capacity, int64_t nanoseconds) {
  struct epoll_event found[64];
  if (capacity > 64) capacity = 64;
  struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  int count = epoll_pwait2(epoll, found, capacity, nanoseconds < 0 ? NULL : &limit, NULL);
  if (count < 0 && errno == ENOSYS) {
    // Kernels before 5.11 and some sandboxes wait in whole milliseconds; rounded up, so that a
    // timer is never asked for before it is due.
    int64_t milliseconds = nanoseconds < 0 ? -1 : (nanoseconds + 999999) / 1000000;
    count = epoll_wait(epoll, found, capacity, milliseconds > 60000 ? 60000 : (int)milliseconds);
  }
  if (count < 0) return errno == EINTR ? 0 : -errno;
  for (int index = 0; index < count; index++) {
    uint32_t ready = 0;
    if (found[index].events & EPOLLIN) ready |= CMARTLET_READABLE;
    if (found[index].events & EPOLLOUT) ready |= CMARTLET_WRITABLE;
    if (found[index].events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) ready |= CMARTLET_HANGUP;
    events[index].tag = found[index].data.u64;
    events[index].ready = ready;
  }
  return count;
}

int cmartlet_eventfd_create(void) { return result_of(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int cmartlet_eventfd_signal(int descriptor) {
  uint64_t one = 1;
  // A full counter is a wake-up that has not been seen yet: success.
  if (write(descriptor, &one, sizeof one) < 0 && errno != EAGAIN) return -errno;
  return 0;
}

int cmartlet_eventfd_drain(int descriptor) {
  uint64_t count;
  if (read(descriptor, &count, sizeof count) < 0 && errno != EAGAIN) return -errno;
  return 0;
}

int cmartlet_stop_signals_create(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  // Who set it to be ignored, as nohup does, wants the process to outlive its terminal; blocked, it
  // would come all the same.
  struct sigaction hangup;
  if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);
  int failure = pthread_sigmask(SIG_BLOCK, &set, NULL);
  if (failure != 0) return -failure;
  return result_of(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int cmartlet_stop_signals_read(int descriptor) {
  struct signalfd_siginfo info;
  ssize_t got = read(descriptor, &info, sizeof info);
  if (got < 0) return errno == EAGAIN ? 0 : -errno;
  return (int)info.ssi_signo;
}
