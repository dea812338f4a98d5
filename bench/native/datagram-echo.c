// Gives every datagram back to where it came from, in batches.
#define _GNU_SOURCE
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "behaviour.h"

enum { BATCH = 64, MOST_BYTES = 2048 };

static uint8_t bytes[BATCH][MOST_BYTES];
static struct sockaddr_in from[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr messages[BATCH];

bool datagram_echo(struct peer *peer, uint32_t events) {
  (void)events;
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = MOST_BYTES};
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &parts[i], .msg_iovlen = 1};
  }
  int count = recvmmsg(peer->fd, messages, BATCH, 0, NULL);
  for (int i = 0; i < count; i++) parts[i].iov_len = messages[i].msg_len;
  // One that cannot be sent is dropped, as by any network: the load generator counts it as lost.
  for (int sent = 0; sent < count;) {
    int more = sendmmsg(peer->fd, messages + sent, (unsigned)(count - sent), 0);
    sent += more > 0 ? more : 1;
  }
  return true;
}
