/* wake.h - wakes a peer that sleeps: an executor by futex, the rank by eventfd.
 *
 * Both directions follow one protocol: the sleeper raises its flag, then looks for work again, then
 * sleeps; the waker publishes work, then looks at the flag. Both have a full fence in between, so
 * that at least one of them sees the other (Dekker). */
#ifndef SHEAF_WAKE_H
#define SHEAF_WAKE_H

#include "shared_slot.h"

#include <stdbool.h>

/* Rank side: call after writing to slot->orders or reading from slot->reports. */
void wake_executor(struct shared_slot *slot);

/* Executor side: spins a little, then sleeps until is_ready(context), for at most a second. Returns
 * is_ready(context). */
bool wake_wait_executor(struct shared_slot *slot, bool (*is_ready)(const struct shared_slot *slot));

/* How executors and the spawner wake the rank. User code may have closed the descriptor and opened
 * another file under its number, so its identity is kept. */
struct rank_waker {
    struct shared_rank *shared;
    int descriptor; /* eventfd */
    uint64_t device;
    uint64_t inode;
};

struct rank_waker rank_waker_of(struct shared_rank *shared, int descriptor);
/* Call after publishing what the rank waits for. */
void wake_rank(const struct rank_waker *waker);

#endif
