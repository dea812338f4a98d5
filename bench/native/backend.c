// The server behind every proxy: one thread, one listener per behaviour asked for.
// usage: backend ADDRESS KIND...   (echo source sink banner wwr http hello datagram)   prints {"echo":PORT,...} and serves until SIGTERM.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "behaviour.h"
#include "net.h"
#include "pattern.h"

enum { BATCH = 256, ACCEPT_BATCH = 64 };

static void watch(int epoll_fd, int operation, struct peer *peer) {
  struct epoll_event event = {.events = peer->events, .data.ptr = peer};
  if (epoll_ctl(epoll_fd, operation, peer->fd, &event) == -1) die("epoll_ctl");
}

static void close_peer(struct peer *peer) {
  close(peer->fd);
  free(peer->pending);
  free(peer);
}

static void serve(int epoll_fd, struct peer *peer, uint32_t events) {
  uint32_t before = peer->events;
  if (!peer->behaviour->on_ready(peer, events)) return close_peer(peer);
  if (peer->events != before) watch(epoll_fd, EPOLL_CTL_MOD, peer);
}

static void accept_batch(int epoll_fd, const struct peer *listener) {
  for (int i = 0; i < ACCEPT_BATCH; i++) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd == -1) return;
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) die("calloc");
    *peer = (struct peer){.fd = fd, .behaviour = listener->behaviour, .events = listener->behaviour->first_events};
    net_nodelay(fd);
    if (peer->behaviour->on_open != NULL && !peer->behaviour->on_open(peer)) {
      close_peer(peer);
      continue;
    }
    watch(epoll_fd, EPOLL_CTL_ADD, peer);
  }
}

static void listen_for(int epoll_fd, const char *ip, const struct behaviour *behaviour, const char *separator) {
  uint16_t port = 0;
  struct peer *listener = calloc(1, sizeof *listener);
  if (listener == NULL) die("calloc");
  int fd = behaviour->is_datagram ? net_bind_datagram(ntohl(inet_addr(ip)), &port) : net_listen(ip, &port);
  *listener = (struct peer){.fd = fd, .behaviour = behaviour, .events = EPOLLIN, .is_listener = !behaviour->is_datagram};
  watch(epoll_fd, EPOLL_CTL_ADD, listener);
  printf("%s\"%s\":%u", separator, behaviour->name, port);
}

static void raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == -1) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL); // never outlives a killed runner
  raise_file_limit();
  pattern_init();
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd == -1 || argc < 3) die("usage: backend ADDRESS KIND...");
  printf("{");
  for (int i = 2; i < argc; i++) {
    const struct behaviour *behaviour = behaviour_named(argv[i]);
    if (behaviour == NULL) {
      fprintf(stderr, "backend: unknown behaviour '%s'\n", argv[i]);
      return 2;
    }
    listen_for(epoll_fd, argv[1], behaviour, i == 2 ? "" : ",");
  }
  printf("}\n");
  fflush(stdout);
  struct epoll_event events[BATCH];
  for (;;) {
    int count = epoll_wait(epoll_fd, events, BATCH, -1);
    for (int i = 0; i < count; i++) {
      struct peer *peer = events[i].data.ptr;
      if (peer->is_listener)
        accept_batch(epoll_fd, peer);
      else
        serve(epoll_fd, peer, events[i].events);
    }
  }
}
