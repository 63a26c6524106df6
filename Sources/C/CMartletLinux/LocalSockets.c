// Stream sockets between processes of this machine.
#include "Internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "CMartletLinux.h"

_Static_assert(
    sizeof(((struct sockaddr_un *)0)->sun_path) == CMARTLET_LOCAL_PATH_LIMIT + 1,
    "the limit is the field's room less the zero byte");

static int address_at(const char *path, struct sockaddr_un *address) {
  size_t length = strlen(path);
  if (length == 0) return -EINVAL;
  if (length > CMARTLET_LOCAL_PATH_LIMIT) return -ENAMETOOLONG;
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, length);
  return 0;
}

static int failed_with(int descriptor) {
  int failure = errno;
  close(descriptor);
  return -failure;
}

int cmartlet_local_listen(const char *path, int backlog) {
  struct sockaddr_un address;
  int result = address_at(path, &address);
  if (result < 0) return result;
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  // The mode of the unbound socket is that of the file to come: it never exists with a wider one.
  if (fchmod(descriptor, 0600) < 0 ||
      bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0)
    return failed_with(descriptor);
  if (chmod(path, 0600) < 0 || listen(descriptor, backlog) < 0) {
    int failure = errno;
    unlink(path);
    close(descriptor);
    return -failure;
  }
  return descriptor;
}

int cmartlet_local_accept(int listener) {
  for (;;) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) return descriptor;
    if (errno != EINTR && errno != ECONNABORTED) return -errno;
  }
}

int cmartlet_local_connect(const char *path, int seconds) {
  struct sockaddr_un address;
  int result = address_at(path, &address);
  if (result < 0) return result;
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  struct timeval limit = {.tv_sec = seconds};
  // The limit on sending is that on waiting for room in the backlog, too.
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
    return failed_with(descriptor);
  while (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0)
    if (errno != EINTR) return failed_with(descriptor);
  return descriptor;
}

int cmartlet_local_peer(int descriptor, uint32_t *user, int32_t *process) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
  *user = peer.uid;
  *process = peer.pid;
  return 0;
}
