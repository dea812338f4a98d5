// UDP echo in a closed loop: each of `connections` clients keeps `window` datagrams under way. One socket serves them all, so
// that the load generator works in batches as the proxy may: a client is an address of 127.16.0.0/12, which IP_PKTINFO names
// in both directions. What does not come back is counted as lost, what comes out of order or twice as wrong.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "net.h"
#include "pattern.h"

enum { BATCH = 64, MOST_BYTES = 2048, MOST_WINDOW = 64, WAIT_MS = 10, FIRST_CLIENT = 0x7f100001 };
static const uint64_t lost_ns = 1000000000u, drain_ns = 1000000000u;

// What every datagram begins with; the pattern follows.
struct serial {
  uint32_t client, number;
};

struct client {
  uint32_t sent, expected; // numbers of the next one to send and of the next one to come back
  uint64_t progress_ns;
  uint64_t sent_ns[MOST_WINDOW];
};

union control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct flow {
  const struct options *options;
  struct meter *meter;
  struct client *clients;
  struct sockaddr_in proxy;
  int socket;
  bool may_send;
  uint32_t under_way;
  // Datagrams waiting to be sent, and those that have come.
  uint32_t queued;
  struct mmsghdr out[BATCH], in[BATCH];
  struct iovec out_parts[BATCH], in_parts[BATCH];
  union control out_control[BATCH], in_control[BATCH];
  struct sockaddr_in from[BATCH];
  uint8_t out_bytes[BATCH][MOST_BYTES], in_bytes[BATCH][MOST_BYTES];
};

static void prepare_slots(struct flow *flow) {
  for (int i = 0; i < BATCH; i++) {
    flow->out_parts[i] = (struct iovec){.iov_base = flow->out_bytes[i], .iov_len = flow->options->size};
    flow->out[i].msg_hdr = (struct msghdr){.msg_name = &flow->proxy,
                                           .msg_namelen = sizeof flow->proxy,
                                           .msg_iov = &flow->out_parts[i],
                                           .msg_iovlen = 1,
                                           .msg_control = &flow->out_control[i],
                                           .msg_controllen = sizeof flow->out_control[i]};
    struct cmsghdr *header = CMSG_FIRSTHDR(&flow->out[i].msg_hdr);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    flow->in_parts[i] = (struct iovec){.iov_base = flow->in_bytes[i], .iov_len = MOST_BYTES};
  }
}

static void flush(struct flow *flow) {
  uint32_t sent = 0;
  while (sent < flow->queued) {
    int count = sendmmsg(flow->socket, flow->out + sent, flow->queued - sent, 0);
    if (count > 0) {
      sent += (uint32_t)count;
    } else if (errno != EINTR) {
      // An ICMP error of an earlier one, or no room: this one is lost, and counted when it is missed.
      sent++;
    }
  }
  flow->queued = 0;
}

static void send_next(struct flow *flow, uint32_t index, uint64_t now) {
  struct client *client = &flow->clients[index];
  if (flow->queued == BATCH) flush(flow);
  uint32_t slot = flow->queued++;
  struct in_pktinfo source = {.ipi_spec_dst.s_addr = htonl(FIRST_CLIENT + index)};
  memcpy(CMSG_DATA(CMSG_FIRSTHDR(&flow->out[slot].msg_hdr)), &source, sizeof source);
  struct serial serial = {index, client->sent};
  memcpy(flow->out_bytes[slot], &serial, sizeof serial);
  memcpy(flow->out_bytes[slot] + sizeof serial, pattern_at(client->sent), flow->options->size - sizeof serial);
  if (client->sent == client->expected) client->progress_ns = now;
  client->sent_ns[client->sent % MOST_WINDOW] = now;
  client->sent++;
  flow->under_way++;
}

static void lose(struct flow *flow, struct client *client, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) meter_error(flow->meter, FAIL_LOST);
  client->expected += count;
  flow->under_way -= count;
}

static void refill(struct flow *flow, uint32_t index, uint64_t now) {
  struct client *client = &flow->clients[index];
  while (flow->may_send && client->sent - client->expected < flow->options->window) send_next(flow, index, now);
}

static uint32_t addressed_client(const struct msghdr *message) {
  struct in_pktinfo info = {0};
  for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at != NULL; at = CMSG_NXTHDR((struct msghdr *)message, at))
    if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) memcpy(&info, CMSG_DATA(at), sizeof info);
  return ntohl(info.ipi_addr.s_addr) - FIRST_CLIENT;
}

static bool is_whole(const struct flow *flow, int slot, const struct serial *serial) {
  const struct sockaddr_in *from = &flow->from[slot];
  return flow->in[slot].msg_len == flow->options->size && serial->client < flow->options->connections &&
         addressed_client(&flow->in[slot].msg_hdr) == serial->client && from->sin_port == flow->proxy.sin_port &&
         from->sin_addr.s_addr == flow->proxy.sin_addr.s_addr &&
         pattern_matches(serial->number, flow->in_bytes[slot] + sizeof *serial, flow->options->size - sizeof *serial);
}

static void take(struct flow *flow, int slot, uint64_t now) {
  struct serial serial;
  memcpy(&serial, flow->in_bytes[slot], sizeof serial);
  if (!is_whole(flow, slot, &serial)) return meter_error(flow->meter, FAIL_WRONG_BYTES);
  struct client *client = &flow->clients[serial.client];
  uint32_t ahead = serial.number - client->expected;
  // Before what is expected: late after it was given up, twice, or out of order.
  if (ahead >= client->sent - client->expected) return meter_error(flow->meter, FAIL_WRONG_BYTES);
  lose(flow, client, ahead);
  client->expected++;
  client->progress_ns = now;
  flow->under_way--;
  meter_finish(flow->meter, client->sent_ns[serial.number % MOST_WINDOW], now);
  refill(flow, serial.client, now);
}

static void receive(struct flow *flow) {
  for (int i = 0; i < BATCH; i++)
    flow->in[i].msg_hdr = (struct msghdr){.msg_name = &flow->from[i],
                                          .msg_namelen = sizeof flow->from[i],
                                          .msg_iov = &flow->in_parts[i],
                                          .msg_iovlen = 1,
                                          .msg_control = &flow->in_control[i],
                                          .msg_controllen = sizeof flow->in_control[i]};
  int count = recvmmsg(flow->socket, flow->in, BATCH, MSG_DONTWAIT, NULL);
  uint64_t now = now_ns();
  for (int i = 0; i < count; i++) take(flow, i, now);
}

// Gives up on what has not come back for long, and begins anew.
static void look_after_all(struct flow *flow, uint64_t now) {
  for (uint32_t i = 0; i < flow->options->connections; i++) {
    struct client *client = &flow->clients[i];
    bool is_stuck = client->sent != client->expected && now > client->progress_ns + lost_ns;
    if (is_stuck) lose(flow, client, client->sent - client->expected);
    refill(flow, i, now);
  }
}

static void open_socket(struct flow *flow) {
  flow->socket = net_bind_datagram(INADDR_ANY, &(uint16_t){0});
  flow->proxy = (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(flow->options->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int on = 1;
  if (setsockopt(flow->socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == -1) die("IP_PKTINFO");
}

void run_datagram(const struct options *options, struct meter *meter) {
  static struct flow flow;
  flow = (struct flow){.options = options, .meter = meter, .may_send = true};
  flow.clients = calloc(options->connections, sizeof *flow.clients);
  if (flow.clients == NULL) die("calloc");
  open_socket(&flow);
  prepare_slots(&flow);
  meter_begin(meter, options->warmup_s, options->seconds);
  for (uint64_t next_look_ns = 0;;) {
    uint64_t now = now_ns();
    flow.may_send = meter_advance(meter, now);
    if (!flow.may_send && (flow.under_way == 0 || now > meter->window_end_ns + drain_ns)) break;
    if (now >= next_look_ns) {
      look_after_all(&flow, now);
      next_look_ns = now + lost_ns / 4;
    }
    flush(&flow);
    struct pollfd readable = {.fd = flow.socket, .events = POLLIN};
    if (poll(&readable, 1, WAIT_MS) == 1) receive(&flow);
  }
  for (uint32_t i = 0; i < options->connections; i++) {
    struct client *client = &flow.clients[i];
    lose(&flow, client, client->sent - client->expected);
  }
  close(flow.socket);
  free(flow.clients);
}
