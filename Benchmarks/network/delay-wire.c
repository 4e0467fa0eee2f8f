// Two network devices joined by a wire of the given delay: what one sends, the other receives that much later.
// Usage: delay-wire NAME NAME MICROSECONDS; as root, until it is killed. slow-link.sh puts the devices into namespaces.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

typedef struct Packet { struct Packet *next; long long due; ssize_t size; char bytes[]; } Packet;

static long long nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int device(const char *name) {
  struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  // Segments longer than a frame and checksums not yet made pass as they are, the header before each packet says which.
  if (file < 0 || ioctl(file, TUNSETIFF, &request) || ioctl(file, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4)) {
    perror(name);
    exit(1);
  }
  return file;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  struct pollfd ends[2] = { { device(arguments[1]), POLLIN, 0 }, { device(arguments[2]), POLLIN, 0 } };
  long long delay = atoll(arguments[3]) * 1000;
  Packet *first[2] = { NULL, NULL }, **last[2] = { &first[0], &first[1] };
  static char buffer[1 << 17];
  // The ranks poll without pause: at their priority a packet would wait for a core, not for its time.
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 });
  prctl(PR_SET_TIMERSLACK, 1);
  for (;;) {
    long long next = -1, now = nanoseconds();
    for (int from = 0; from < 2; from++) {
      for (ssize_t size; (size = read(ends[from].fd, buffer, sizeof buffer)) > 0;) {
        Packet *packet = malloc(sizeof(Packet) + size);
        if (!packet) return 1;
        *packet = (Packet){ NULL, nanoseconds() + delay, size };
        memcpy(packet->bytes, buffer, size);
        *last[from] = packet;
        last[from] = &packet->next;
      }
      for (Packet *packet; (packet = first[from]) && packet->due <= now; free(packet)) {
        // A device that is not up yet refuses; a packet lost is TCP's to send again.
        if (write(ends[1 - from].fd, packet->bytes, packet->size) < 0) {}
        if (!(first[from] = packet->next)) last[from] = &first[from];
      }
      if (first[from] && (next < 0 || first[from]->due < next)) next = first[from]->due;
    }
    long long pause = next - nanoseconds();
    if (pause < 0) pause = 0;
    ppoll(ends, 2, next < 0 ? NULL : &(struct timespec){ pause / 1000000000, pause % 1000000000 }, NULL);
  }
}
