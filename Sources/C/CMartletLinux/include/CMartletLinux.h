// System calls of Linux that the Glibc module lacks or that Swift cannot call: epoll, eventfd,
// accept4, flags hidden behind _GNU_SOURCE, variadic functions.
//
// Convention: a result of 0 or more is success; a failure is the errno, negated. Nothing here
// allocates, keeps state or owns anything: whoever gets a descriptor or a mapping closes it.
// Descriptors made here are non-blocking where that means something, and closed on exec.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// This header defines no _GNU_SOURCE: it would change types that the Glibc module has fixed.

#ifdef __cplusplus
extern "C" {
#endif

// MARK: Clocks

// CLOCK_MONOTONIC in nanoseconds: for time-outs; no relation to the calendar.
int64_t cmartlet_monotonic_nanoseconds(void);
// CLOCK_REALTIME in nanoseconds since 1970; an operator or a time daemon may step it.
int64_t cmartlet_realtime_nanoseconds(void);

// MARK: Randomness

// Fills `bytes` from the kernel's generator. 0 or an errno negated.
int cmartlet_random(void *_Nonnull bytes, size_t count);

// MARK: Threads

// Names the calling thread; at most 15 bytes are kept. 0 or an errno negated.
int cmartlet_name_thread(const char *_Nonnull name);
// Pins the calling thread to one processor. 0 or an errno negated.
int cmartlet_pin_thread(int processor);
// Makes the calling thread, and those that it starts, wait for a processor when something wakes them,
// instead of taking it from whoever woke them. 0 or an errno negated.
int cmartlet_wait_when_woken(void);
// How many processors the calling thread may run on.
int cmartlet_processor_count(void);

// MARK: Waiting

enum {
  CMARTLET_READABLE = 1u << 0,
  CMARTLET_WRITABLE = 1u << 1,
  // The peer closed, or the descriptor failed; always watched.
  CMARTLET_HANGUP = 1u << 2,
};

typedef struct {
  uint64_t tag;
  uint32_t ready;  // CMARTLET_READABLE | …
} cmartlet_event;

// A new epoll descriptor, or an errno negated.
int cmartlet_epoll_create(void);
// Watches `descriptor`, level-triggered, for `interest`; events carry `tag`.
int cmartlet_epoll_add(int epoll, int descriptor, uint32_t interest, uint64_t tag);
int cmartlet_epoll_change(int epoll, int descriptor, uint32_t interest, uint64_t tag);
int cmartlet_epoll_remove(int epoll, int descriptor);
// Waits for at most `nanoseconds` (negative: for ever) and fills `events`, at most 64 of them.
// The count, 0 also when a signal came; or an errno negated.
int cmartlet_epoll_wait(
    int epoll, cmartlet_event *_Nonnull events, int capacity, int64_t nanoseconds);

// A descriptor that other threads make readable; or an errno negated.
int cmartlet_eventfd_create(void);
int cmartlet_eventfd_signal(int descriptor);
int cmartlet_eventfd_drain(int descriptor);

// Blocks SIGINT, SIGTERM and, unless it is ignored, SIGHUP in the calling thread (and those it
// starts later) and gives a descriptor that becomes readable when one comes; or an errno negated.
int cmartlet_stop_signals_create(void);
// The signal number, 0 when none waits, or an errno negated.
int cmartlet_stop_signals_read(int descriptor);

// MARK: Sockets (TCP, IPv4 and IPv6, TCP_NODELAY)

// Listens on a numeric address; port 0 lets the kernel choose. The descriptor or an errno negated;
// -EINVAL when `address` is not numeric.
int cmartlet_tcp_listen(const char *_Nonnull address, uint16_t port, int backlog);
// A connection, or an errno negated (-EAGAIN: none waits).
int cmartlet_tcp_accept(int listener);
// Begins to connect to a numeric address: writable when decided, then ask `cmartlet_socket_error`.
int cmartlet_tcp_connect(const char *_Nonnull address, uint16_t port);
// The most addresses that a lookup gives, and the room for one as text, its zero byte included.
enum { CMARTLET_ADDRESS_LIMIT = 8, CMARTLET_ADDRESS_SIZE = 46 };
// Asks the system's resolver for a name's addresses in its order; BLOCKS for as long as that takes.
// `addresses` takes up to eight texts of 46 bytes each, and `count` how many they are, at least one.
// NULL, or why there is none, as a static text.
const char *_Nullable cmartlet_resolve(
    const char *_Nonnull name, char *_Nonnull addresses, int *_Nonnull count);
// The pending error of a socket as errno negated, 0 when there is none.
int cmartlet_socket_error(int descriptor);
// The port a socket is bound to, or an errno negated.
int cmartlet_local_port(int descriptor);
// Makes the kernel's send buffer about this small, so that tests and slow readers are seen early.
int cmartlet_set_send_buffer(int descriptor, int bytes);
// Makes `close` send a reset instead of an orderly end.
int cmartlet_reset_on_close(int descriptor);
// Bytes received (0: the peer ended), or an errno negated. Never blocks.
ssize_t cmartlet_receive(int descriptor, void *_Nonnull bytes, size_t capacity);
// Bytes sent, or an errno negated. Never blocks, never raises SIGPIPE.
ssize_t cmartlet_send(int descriptor, const void *_Nonnull bytes, size_t count);
// Whether `text` is a numeric IPv4 or IPv6 address.
bool cmartlet_is_numeric_address(const char *_Nonnull text);
// Whether `text` is a numeric IPv4 or IPv6 address of this machine's loopback.
bool cmartlet_is_loopback_address(const char *_Nonnull text);

// MARK: Sockets of this machine (AF_UNIX)

// The most bytes that a socket's path may have.
enum { CMARTLET_LOCAL_PATH_LIMIT = 107 };
// Makes a socket at `path`, for its owner alone (0600), and listens; -EADDRINUSE when something is
// there, -ENAMETOOLONG when the path is longer than the limit.
int cmartlet_local_listen(const char *_Nonnull path, int backlog);
// A connection, or an errno negated (-EAGAIN: none waits).
int cmartlet_local_accept(int listener);
// Connects and gives a BLOCKING descriptor whose reads and writes end after `seconds`; or an errno
// negated (-ECONNREFUSED: nobody listens there any more).
int cmartlet_local_connect(const char *_Nonnull path, int seconds);
// Who is at the other end, as the kernel noted it when it connected. 0 or an errno negated.
int cmartlet_local_peer(int descriptor, uint32_t *_Nonnull user, int32_t *_Nonnull process);

// MARK: Clock

// How far the system says that its calendar may be off, in microseconds; -1 when nothing sets it.
int64_t cmartlet_clock_error(void);

// MARK: Files

// Maps `count` bytes of a file at `offset` (a multiple of the page size), shared; writable or not.
int cmartlet_map(
    int descriptor, int64_t offset, size_t count, bool writable, void *_Nullable *_Nonnull result);
int cmartlet_unmap(void *_Nonnull start, size_t count);
// Makes every page of a writable mapping present now, so that no store faults later.
int cmartlet_touch(void *_Nonnull start, size_t count);
// Brings a page-aligned range of a mapping to disk and waits for it.
int cmartlet_map_sync(void *_Nonnull start, size_t count);
// Reserves the blocks of a file range and extends the file to its end: a full disk says so here
// (-ENOSPC) and not as SIGBUS at a store.
int cmartlet_allocate(int descriptor, int64_t offset, int64_t count);
// Brings a file's data, and what is needed to find it, to disk.
int cmartlet_fdatasync(int descriptor);
// Opens a directory and brings its entries to disk, so that a new or renamed file is found again.
int cmartlet_sync_directory(const char *_Nonnull path);
// Takes the advisory lock of an open file for this process, without waiting; -EWOULDBLOCK when
// another holds it. Closing the descriptor, or the process's end, lets it go.
int cmartlet_lock(int descriptor);

#ifdef __cplusplus
}
#endif
