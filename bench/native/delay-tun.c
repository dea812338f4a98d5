// A network of its own in which one address is far away: usage: delay-tun DELAY_MS COMMAND [ARGUMENT...]
//
// COMMAND runs in a new network namespace with a loopback of its own and a tun device. Whatever it sends to FAR comes back
// from there DELAY_MS later, with source and destination exchanged:
//
//   connects from NEAR:p to FAR:80  ──tun──►  wait  ──tun──►  arrives as FAR:p to NEAR:80, where a server listens
//   and the server's answers take the same way back
//
// so a round trip takes twice the delay, over real packets and the kernel's own TCP. The exchange leaves every checksum
// right, for both addresses are summed. The namespace, and with it the device, goes when its last process ends; nothing
// outside is touched. Exit codes: that of COMMAND; UNAVAILABLE, with a line that says why, where there is no tun device or
// no right to make one.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net.h"

// As many as 1.5 Gb/s put into 50 ms; what goes beyond is dropped, as a router would.
enum { UNAVAILABLE = 3, MTU = 1500, QUEUE = 8192, PACKETS_PER_TURN = 64 };
#define NEAR "10.77.0.1"
#define DEVICE "delay0"

struct packet {
  uint64_t due_ns;
  uint32_t length;
  uint8_t bytes[MTU];
};

static struct packet queue[QUEUE];
static uint32_t first, count;

static void unavailable(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(UNAVAILABLE);
}

static void configure(int socket, unsigned long request, struct ifreq *change) {
  if (ioctl(socket, request, change) == -1) unavailable(change->ifr_name);
}

static void set_address(int socket, unsigned long request, const char *text) {
  struct ifreq change = {.ifr_name = DEVICE};
  struct sockaddr_in address = {.sin_family = AF_INET};
  inet_pton(AF_INET, text, &address.sin_addr);
  memcpy(&change.ifr_addr, &address, sizeof address);
  configure(socket, request, &change);
}

static void bring_up(int socket, const char *device) {
  struct ifreq change = {.ifr_flags = IFF_UP | IFF_RUNNING};
  strcpy(change.ifr_name, device);
  configure(socket, SIOCSIFFLAGS, &change);
}

static int make_network(void) {
  if (unshare(CLONE_NEWNET) == -1) unavailable("a network namespace");
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun == -1) unavailable("/dev/net/tun");
  struct ifreq wish = {.ifr_name = DEVICE, .ifr_flags = IFF_TUN | IFF_NO_PI};
  if (ioctl(tun, TUNSETIFF, &wish) == -1) unavailable("a tun device");
  int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd == -1) unavailable("socket");
  set_address(socket_fd, SIOCSIFADDR, NEAR);
  set_address(socket_fd, SIOCSIFNETMASK, "255.255.255.0");
  struct ifreq room = {.ifr_name = DEVICE, .ifr_qlen = QUEUE};
  configure(socket_fd, SIOCSIFTXQLEN, &room);
  bring_up(socket_fd, "lo");
  bring_up(socket_fd, DEVICE);
  close(socket_fd);
  return tun;
}

static pid_t start(char **command) {
  pid_t child = fork();
  if (child == -1) die("fork");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execvp(command[0], command);
  die(command[0]);
  return -1;
}

static void exchange_addresses(struct packet *packet) {
  struct iphdr header;
  memcpy(&header, packet->bytes, sizeof header);
  uint32_t source = header.saddr;
  header.saddr = header.daddr;
  header.daddr = source;
  memcpy(packet->bytes, &header, sizeof header);
}

static void take(int tun, uint64_t delay_ns) {
  for (int i = 0; i < PACKETS_PER_TURN; i++) {
    static struct packet dropped;
    struct packet *packet = count < QUEUE ? &queue[(first + count) % QUEUE] : &dropped;
    ssize_t length = read(tun, packet->bytes, MTU);
    if (length == -1) return;
    // IPv6 announces itself on every device; nobody here speaks it.
    bool is_ipv4 = length >= (ssize_t)sizeof(struct iphdr) && packet->bytes[0] >> 4 == 4;
    if (!is_ipv4 || packet == &dropped) continue;
    packet->length = (uint32_t)length;
    packet->due_ns = now_ns() + delay_ns;
    exchange_addresses(packet);
    count++;
  }
}

static void give_back_due(int tun) {
  uint64_t now = now_ns();
  for (; count > 0 && queue[first].due_ns <= now; count--, first = (first + 1) % QUEUE) {
    if (write(tun, queue[first].bytes, queue[first].length) == -1 && errno != EAGAIN) die("write to the tun device");
  }
}

static void wait_for_packets(struct pollfd *polled) {
  struct timespec timeout = {1, 0};
  if (count > 0) {
    uint64_t now = now_ns();
    uint64_t left_ns = queue[first].due_ns > now ? queue[first].due_ns - now : 0;
    timeout = (struct timespec){(time_t)(left_ns / 1000000000u), (long)(left_ns % 1000000000u)};
  }
  if (ppoll(polled, 2, &timeout, NULL) == -1 && errno != EINTR) die("ppoll");
}

int main(int argc, char **argv) {
  double delay_ms = argc > 2 ? strtod(argv[1], NULL) : 0;
  if (delay_ms <= 0) {
    fprintf(stderr, "usage: delay-tun DELAY_MS COMMAND [ARGUMENT...]\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGTERM); // never outlives a killed runner
  prctl(PR_SET_TIMERSLACK, 1UL);
  int tun = make_network();
  sigset_t ends;
  sigemptyset(&ends);
  for (const int *each = (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0}; *each != 0; each++) sigaddset(&ends, *each);
  sigprocmask(SIG_BLOCK, &ends, NULL);
  int signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals == -1) die("signalfd");
  pid_t child = start(argv + 2);
  struct pollfd polled[] = {{.fd = tun, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
  for (;;) {
    wait_for_packets(polled);
    take(tun, (uint64_t)(delay_ms * 1e6));
    give_back_due(tun);
    struct signalfd_siginfo signal;
    if (read(signals, &signal, sizeof signal) != sizeof signal) continue;
    if (signal.ssi_signo != SIGCHLD) kill(child, (int)signal.ssi_signo);
    int status;
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}
