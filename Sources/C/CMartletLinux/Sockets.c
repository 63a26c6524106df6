// Non-blocking TCP.
#include "Internal.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "CMartletLinux.h"

// Fills `address` from a numeric text; its length, or 0.
static socklen_t address_of(const char *text, uint16_t port, struct sockaddr_storage *address) {
  memset(address, 0, sizeof *address);
  struct sockaddr_in *four = (struct sockaddr_in *)address;
  if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    return sizeof *four;
  }
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
  if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    return sizeof *six;
  }
  return 0;
}

static int failed_with(int descriptor) {
  int failure = errno;
  close(descriptor);
  return -failure;
}

static void no_delay(int descriptor) {
  int on = 1;
  // Refused only for what is not TCP, which this file does not make.
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int cmartlet_tcp_listen(const char *text, uint16_t port, int backlog) {
  struct sockaddr_storage address;
  socklen_t length = address_of(text, port, &address);
  if (length == 0) return -EINVAL;
  int descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  int on = 1;
  // A restarted server takes its port back while old connections linger in TIME_WAIT.
  if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      bind(descriptor, (struct sockaddr *)&address, length) < 0 || listen(descriptor, backlog) < 0)
    return failed_with(descriptor);
  return descriptor;
}

int cmartlet_tcp_accept(int listener) {
  for (;;) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) {
      no_delay(descriptor);
      return descriptor;
    }
    // These speak of a connection that died in the backlog; the next one may be well.
    if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) return -errno;
  }
}

int cmartlet_tcp_connect(const char *text, uint16_t port) {
  struct sockaddr_storage address;
  socklen_t length = address_of(text, port, &address);
  if (length == 0) return -EINVAL;
  int descriptor = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  no_delay(descriptor);
  if (connect(descriptor, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS)
    return failed_with(descriptor);
  return descriptor;
}

const char *cmartlet_resolve(const char *name, char *addresses, int *count) {
  struct addrinfo wish = {
      .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
  struct addrinfo *found = NULL;
  int failure = getaddrinfo(name, NULL, &wish, &found);
  if (failure == EAI_SYSTEM) return "the resolver failed";
  if (failure != 0) return gai_strerror(failure);
  *count = 0;
  for (struct addrinfo *one = found; one != NULL && *count < CMARTLET_ADDRESS_LIMIT;
       one = one->ai_next) {
    char *text = addresses + *count * CMARTLET_ADDRESS_SIZE;
    const void *bytes = one->ai_family == AF_INET6
                            ? (const void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr
                            : (const void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr;
    if (inet_ntop(one->ai_family, bytes, text, CMARTLET_ADDRESS_SIZE) != NULL) ++*count;
  }
  freeaddrinfo(found);
  return *count > 0 ? NULL : "no address";
}

int cmartlet_socket_error(int descriptor) {
  int failure = 0;
  socklen_t length = sizeof failure;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length) < 0) return -errno;
  return -failure;
}

int cmartlet_local_port(int descriptor) {
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) return -errno;
  if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
  return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

int cmartlet_set_send_buffer(int descriptor, int bytes) {
  return result_of(setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
}

int cmartlet_reset_on_close(int descriptor) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  return result_of(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now));
}

ssize_t cmartlet_receive(int descriptor, void *bytes, size_t capacity) {
  for (;;) {
    ssize_t got = recv(descriptor, bytes, capacity, MSG_DONTWAIT);
    if (got >= 0) return got;
    if (errno != EINTR) return -errno;
  }
}

ssize_t cmartlet_send(int descriptor, const void *bytes, size_t count) {
  for (;;) {
    ssize_t sent = send(descriptor, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno != EINTR) return -errno;
  }
}

bool cmartlet_is_numeric_address(const char *text) {
  struct sockaddr_storage address;
  return address_of(text, 0, &address) != 0;
}

bool cmartlet_is_loopback_address(const char *text) {
  struct sockaddr_storage address;
  if (address_of(text, 0, &address) == 0) return false;
  if (address.ss_family == AF_INET6)
    return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&address)->sin6_addr);
  return (ntohl(((struct sockaddr_in *)&address)->sin_addr.s_addr) >> 24) == 127;
}
