/* forwarder.c - a bad cable for tests: carries Ethernet frames between two interfaces late, some of
 * them never, and in one direction only if that is asked for.
 *
 *   forwarder A B SETTINGS
 *
 * SETTINGS is a file of one line, "DELAY_MS JITTER_MS LOSS_PERCENT CUT", read again whenever it has
 * changed: each frame is carried after DELAY_MS and up to JITTER_MS more, in order; CUT is `none`,
 * `to` (nothing arrives at A), `from` (nothing from A arrives) or `both`. What does not fit into
 * the queue is lost. Losses come from a fixed seed. Ends with its parent. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAME_BYTES_MAX = 66 * 1024, /* several TCP segments in one, and the header that says so */
    QUEUE_FRAMES = 4096,
    SETTINGS_CHECK_MS = 20,
};

struct frame {
    uint64_t due_ns;
    size_t size;
    unsigned char *bytes;
};

/* What comes in at one end, on its way to the other. */
struct direction {
    int from;
    int to;
    bool is_cut;
    struct frame queue[QUEUE_FRAMES]; /* a ring, in order of due_ns */
    size_t first;
    size_t count;
};

struct settings {
    unsigned delay_ms;
    unsigned jitter_ms;
    unsigned loss_percent;
    struct timespec changed;
};

static uint64_t random_state = 88172645463325252u;

/* xorshift64 (Marsaglia 2003). */
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Frames come with a header that tells what their sender has left to the card: segments to be cut,
 * checksums to be filled in. The other end takes it as it is. */
static int open_interface(const char *name)
{
    int one = 1;
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
    address.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(name);
    if (descriptor < 0 || address.sll_ifindex == 0 ||
        setsockopt(descriptor, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0 ||
        setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0 ||
        setsockopt(descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0 ||
        bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0)
        die(name);
    return descriptor;
}

static void take_frame(struct direction *direction, const struct settings *settings)
{
    static unsigned char bytes[FRAME_BYTES_MAX];
    ssize_t size = recv(direction->from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size <= 0 || direction->is_cut || direction->count == QUEUE_FRAMES ||
        next_random() % 100 < settings->loss_percent)
        return;
    uint64_t late_us = settings->jitter_ms > 0 ? next_random() % (settings->jitter_ms * 1000u) : 0;
    uint64_t due_ns = now_ns() + settings->delay_ms * (uint64_t)1000000 + late_us * 1000;
    if (direction->count > 0) {
        size_t last = (direction->first + direction->count - 1) % QUEUE_FRAMES;
        if (due_ns < direction->queue[last].due_ns)
            due_ns = direction->queue[last].due_ns;
    }
    struct frame *frame = &direction->queue[(direction->first + direction->count) % QUEUE_FRAMES];
    *frame = (struct frame){.due_ns = due_ns, .size = (size_t)size, .bytes = malloc((size_t)size)};
    if (frame->bytes == NULL)
        die("malloc");
    memcpy(frame->bytes, bytes, (size_t)size);
    direction->count++;
}

/* Carries what is due; returns when the next is. */
static uint64_t carry(struct direction *direction)
{
    while (direction->count > 0) {
        struct frame *frame = &direction->queue[direction->first];
        if (frame->due_ns > now_ns())
            return frame->due_ns;
        if (!direction->is_cut && send(direction->to, frame->bytes, frame->size, 0) < 0 &&
            errno != ENOBUFS && errno != ENETDOWN && errno != EAGAIN && errno != EMSGSIZE)
            die("send");
        free(frame->bytes);
        direction->first = (direction->first + 1) % QUEUE_FRAMES;
        direction->count--;
    }
    return UINT64_MAX;
}

/* A file that is just being written is read the next time. */
static void read_settings(const char *path, struct settings *settings, struct direction *directions)
{
    struct stat status;
    char cut[8];
    struct settings read = {0};
    if (stat(path, &status) < 0 ||
        memcmp(&status.st_mtim, &settings->changed, sizeof status.st_mtim) == 0)
        return;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    int count =
        fscanf(file, "%u %u %u %7s", &read.delay_ms, &read.jitter_ms, &read.loss_percent, cut);
    fclose(file);
    if (count != 4)
        return;
    read.changed = status.st_mtim;
    *settings = read;
    directions[0].is_cut = strcmp(cut, "from") == 0 || strcmp(cut, "both") == 0;
    directions[1].is_cut = strcmp(cut, "to") == 0 || strcmp(cut, "both") == 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: forwarder A B SETTINGS\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static struct direction directions[2];
    struct settings settings = {0};
    directions[0].from = directions[1].to = open_interface(argv[1]);
    directions[1].from = directions[0].to = open_interface(argv[2]);
    for (;;) {
        read_settings(argv[3], &settings, directions);
        uint64_t next_ns = now_ns() + SETTINGS_CHECK_MS * (uint64_t)1000000;
        for (int i = 0; i < 2; i++) {
            uint64_t due_ns = carry(&directions[i]);
            next_ns = due_ns < next_ns ? due_ns : next_ns;
        }
        struct pollfd ends[2] = {{.fd = directions[0].from, .events = POLLIN},
                                 {.fd = directions[1].from, .events = POLLIN}};
        uint64_t start_ns = now_ns();
        uint64_t pause_ns = next_ns > start_ns ? next_ns - start_ns : 0;
        struct timespec pause = {.tv_nsec = (long)pause_ns};
        if (ppoll(ends, 2, &pause, NULL) < 0 && errno != EINTR)
            die("ppoll");
        for (int i = 0; i < 2; i++)
            if (ends[i].revents != 0)
                take_frame(&directions[i], &settings);
    }
}
