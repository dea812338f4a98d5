#include "behaviour.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "digest.h"
#include "net.h"
#include "pattern.h"

enum { BANNER_BYTES = 64, WWR_BYTES = 48 };

static const char http_response[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\r\nHello, world!";

static uint8_t buffer[PATTERN_CHUNK];

// 0 = nothing to do now, -1 = the connection is over (end or error), else the bytes in `buffer`.
static ssize_t receive(struct peer *peer) {
  ssize_t got = recv(peer->fd, buffer, sizeof buffer, 0);
  if (got > 0) return got;
  return got == -1 && errno == EAGAIN ? 0 : -1;
}

// Sends what the socket takes and keeps the rest; while there is a rest, nothing more is read.
static bool send_or_keep(struct peer *peer, const uint8_t *bytes, size_t length) {
  ssize_t sent = send(peer->fd, bytes, length, MSG_NOSIGNAL);
  if (sent == -1 && errno != EAGAIN) return false;
  size_t rest = length - (sent > 0 ? (size_t)sent : 0);
  if (rest > 0) {
    uint8_t *kept = malloc(rest);
    if (kept == NULL) die("malloc");
    memcpy(kept, bytes + (length - rest), rest);
    free(peer->pending);
    peer->pending = kept;
  } else if (peer->pending_length > 0) {
    free(peer->pending);
    peer->pending = NULL;
  }
  peer->pending_length = rest;
  peer->events = rest > 0 ? EPOLLOUT : EPOLLIN;
  return true;
}

static bool echo_ready(struct peer *peer, uint32_t events) {
  (void)events;
  if (peer->pending_length > 0) return send_or_keep(peer, peer->pending, peer->pending_length);
  ssize_t got = receive(peer);
  return got >= 0 && (got == 0 || send_or_keep(peer, buffer, (size_t)got));
}

static bool source_ready(struct peer *peer, uint32_t events) {
  (void)events;
  ssize_t sent = send(peer->fd, pattern_at(peer->offset), PATTERN_CHUNK, MSG_NOSIGNAL);
  if (sent == -1) return errno == EAGAIN;
  peer->offset += (uint64_t)sent;
  return true;
}

static bool sink_ready(struct peer *peer, uint32_t events) {
  (void)events;
  ssize_t got = recv(peer->fd, buffer, sizeof buffer, 0);
  if (got == -1) return errno == EAGAIN;
  if (got == 0) {
    uint64_t receipt[2] = {peer->offset, peer->wrong};
    (void)!send(peer->fd, receipt, sizeof receipt, MSG_NOSIGNAL);
    return false;
  }
  if (!pattern_matches(peer->offset, buffer, (size_t)got)) peer->wrong++;
  peer->offset += (uint64_t)got;
  return true;
}

static bool banner_open(struct peer *peer) {
  return send(peer->fd, pattern_at(0), BANNER_BYTES, MSG_NOSIGNAL) == BANNER_BYTES;
}

static bool until_end(struct peer *peer, uint32_t events) {
  (void)events;
  return receive(peer) >= 0;
}

// Answers when all parts are there, with the bytes that came: a wrong order shows at the client.
static bool wwr_ready(struct peer *peer, uint32_t events) {
  (void)events;
  ssize_t got = receive(peer);
  if (got <= 0) return got == 0;
  if (!pattern_matches(peer->offset, buffer, (size_t)got)) peer->wrong++;
  peer->offset += (uint64_t)got;
  if (peer->offset < WWR_BYTES) return true;
  peer->offset = 0;
  const uint8_t *reply = pattern_at(peer->wrong == 0 ? 0 : 1);
  return send(peer->fd, reply, WWR_BYTES, MSG_NOSIGNAL) == WWR_BYTES;
}

// A request ends with an empty line; `offset` holds how many bytes of CR LF CR LF were seen (no request has a body).
static bool http_ready(struct peer *peer, uint32_t events) {
  (void)events;
  ssize_t got = receive(peer);
  if (got <= 0) return got == 0;
  for (ssize_t i = 0; i < got; i++) {
    bool is_next = buffer[i] == (uint8_t)"\r\n\r\n"[peer->offset];
    peer->offset = is_next ? peer->offset + 1 : buffer[i] == '\r';
    if (peer->offset < 4) continue;
    peer->offset = 0;
    size_t length = sizeof http_response - 1;
    if (send(peer->fd, http_response, length, MSG_NOSIGNAL) != (ssize_t)length) return false;
  }
  return true;
}

// Answers a ClientHello, which is one TLS record, with the digest of all its bytes once they are there.
static bool hello_ready(struct peer *peer, uint32_t events) {
  (void)events;
  ssize_t got = receive(peer);
  if (got <= 0) return got == 0;
  if (peer->offset == 0) peer->digest = DIGEST_START;
  for (uint64_t i = 0; i < (uint64_t)got && peer->offset + i < sizeof peer->head; i++)
    peer->head[peer->offset + i] = buffer[i];
  peer->digest = digest_more(peer->digest, buffer, (size_t)got);
  peer->offset += (uint64_t)got;
  uint64_t record_bytes = sizeof peer->head + ((uint64_t)peer->head[3] << 8 | peer->head[4]);
  if (peer->offset < sizeof peer->head || peer->offset < record_bytes) return true;
  return send(peer->fd, &peer->digest, sizeof peer->digest, MSG_NOSIGNAL) == (ssize_t)sizeof peer->digest;
}

static const struct behaviour behaviours[] = {
    {"echo", false, EPOLLIN, NULL, echo_ready},    {"source", false, EPOLLOUT, NULL, source_ready},
    {"sink", false, EPOLLIN, NULL, sink_ready},    {"banner", false, EPOLLIN, banner_open, until_end},
    {"wwr", false, EPOLLIN, NULL, wwr_ready},      {"http", false, EPOLLIN, NULL, http_ready},
    {"hello", false, EPOLLIN, NULL, hello_ready},  {"datagram", true, EPOLLIN, NULL, datagram_echo},
};

const struct behaviour *behaviour_named(const char *name) {
  for (size_t i = 0; i < sizeof behaviours / sizeof behaviours[0]; i++)
    if (strcmp(behaviours[i].name, name) == 0) return &behaviours[i];
  return NULL;
}
