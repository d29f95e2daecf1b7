/* idling.h - how long a rank that has nothing to do sleeps before it looks for messages again.
 *
 * Nothing in stock MPI wakes a process that sleeps, and each look takes time from the tasks beside
 * it. So the pauses grow while nothing comes, and begin longer where messages are seldom and nobody
 * waits for one. */
#ifndef SHEAF_IDLING_H
#define SHEAF_IDLING_H

#include <stdbool.h>
#include <stdint.h>

struct idling {
    uint64_t since_ns;      /* there was something to do */
    uint64_t gap_ns;        /* usual time between such moments */
    uint64_t last_pause_ns; /* 0: none since then */
};

void idling_init(struct idling *idling, uint64_t now_ns);
/* There was something to do at now_ns. */
void idling_end(struct idling *idling, uint64_t now_ns);
/* There was nothing: how long to sleep, 0 for looking again at once. is_urgent: somebody has
 * nothing to do until a message has come. */
uint64_t idling_pause_ns(struct idling *idling, uint64_t now_ns, bool is_urgent);

#endif
