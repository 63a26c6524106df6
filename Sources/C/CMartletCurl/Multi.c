// Many transfers, driven by the caller's loop.
#include "Internal.h"

#include <stdlib.h>

struct cmartlet_multi {
  CURLM *multi;
  void *owner;
  cmartlet_rest_watch watch;
  cmartlet_rest_timer timer;
};

static int socket_changed(
    CURL *easy, curl_socket_t descriptor, int what, void *context, void *unused) {
  (void)easy;
  (void)unused;
  cmartlet_multi *multi = context;
  unsigned interest = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) interest |= CMARTLET_REST_READABLE;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) interest |= CMARTLET_REST_WRITABLE;
  return multi->watch(multi->owner, descriptor, interest);
}

static int timer_changed(CURLM *unused, long milliseconds, void *context) {
  (void)unused;
  cmartlet_multi *multi = context;
  multi->timer(multi->owner, milliseconds);
  return 0;
}

#define SET(option, value) \
  if (code == CURLM_OK) code = (curl_multi_setopt)(multi->multi, option, value)

cmartlet_multi *cmartlet_multi_create(
    void *owner, cmartlet_rest_watch watch, cmartlet_rest_timer timer, long connections) {
  cmartlet_multi *multi = calloc(1, sizeof *multi);
  if (multi == NULL) return NULL;
  multi->owner = owner;
  multi->watch = watch;
  multi->timer = timer;
  multi->multi = curl_multi_init();
  CURLMcode code = multi->multi == NULL ? CURLM_OUT_OF_MEMORY : CURLM_OK;
  SET(CURLMOPT_SOCKETFUNCTION, socket_changed);
  SET(CURLMOPT_SOCKETDATA, multi);
  SET(CURLMOPT_TIMERFUNCTION, timer_changed);
  SET(CURLMOPT_TIMERDATA, multi);
  SET(CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
  SET(CURLMOPT_MAXCONNECTS, connections);
  if (code != CURLM_OK) {
    cmartlet_multi_destroy(multi);
    return NULL;
  }
  return multi;
}

void cmartlet_multi_destroy(cmartlet_multi *multi) {
  if (multi->multi != NULL) curl_multi_cleanup(multi->multi);
  free(multi);
}

static void act(cmartlet_multi *multi, curl_socket_t descriptor, int ready) {
  int running;
  // It fails only for a handle that is no handle; what goes wrong with a transfer ends that transfer.
  curl_multi_socket_action(multi->multi, descriptor, ready, &running);
}

int cmartlet_multi_start(cmartlet_multi *multi, cmartlet_transfer *transfer) {
  if (curl_multi_add_handle(multi->multi, transfer->easy) != CURLM_OK) return -1;
  // At once, not when the timer that this has set runs out: on a warm connection the request leaves
  // before this returns.
  act(multi, CURL_SOCKET_TIMEOUT, 0);
  return 0;
}

void cmartlet_multi_remove(cmartlet_multi *multi, cmartlet_transfer *transfer) {
  curl_multi_remove_handle(multi->multi, transfer->easy);
}

void cmartlet_multi_ready(cmartlet_multi *multi, int descriptor, unsigned ready) {
  int bits = 0;
  if (ready & CMARTLET_REST_READABLE) bits |= CURL_CSELECT_IN;
  if (ready & CMARTLET_REST_WRITABLE) bits |= CURL_CSELECT_OUT;
  if (ready & CMARTLET_REST_FAILED) bits |= CURL_CSELECT_ERR;
  act(multi, descriptor, bits);
}

void cmartlet_multi_expired(cmartlet_multi *multi) { act(multi, CURL_SOCKET_TIMEOUT, 0); }

cmartlet_transfer *cmartlet_multi_next(cmartlet_multi *multi, cmartlet_rest_outcome *outcome) {
  int left;
  CURLMsg *message;
  while ((message = curl_multi_info_read(multi->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    // The message dies with the handle's stay.
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result;
    char *context = NULL;
    (curl_easy_getinfo)(easy, CURLINFO_PRIVATE, &context);
    cmartlet_transfer *transfer = (cmartlet_transfer *)(void *)context;
    *outcome = outcome_of(transfer, code);
    curl_multi_remove_handle(multi->multi, easy);
    return transfer;
  }
  return NULL;
}
