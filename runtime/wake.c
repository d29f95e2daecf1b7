/* wake.c - wakes a peer that sleeps, and sleeps until woken. */
#include "wake.h"

#include "clock.h"

#include <linux/futex.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SPIN_NS = 5000,   /* about the cost of a futex sleep and wake-up */
    SPIN_CHECKS = 16, /* between two looks at the clock */
    SLEEP_MAX_S = 1,  /* a bound on every wait; nothing depends on it */
};

void wake_executor(struct shared_slot *slot)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&slot->executor_sleeping, memory_order_relaxed) == 0)
        return;
    if (atomic_exchange(&slot->executor_sleeping, 0) != 0)
        syscall(SYS_futex, &slot->executor_sleeping, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool spin(struct shared_slot *slot, bool (*is_ready)(const struct shared_slot *slot))
{
    uint64_t end_ns = clock_monotonic_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPIN_CHECKS; i++) {
            if (is_ready(slot))
                return true;
            ck_pr_stall();
        }
    } while (clock_monotonic_ns() < end_ns);
    return false;
}

bool wake_wait_executor(struct shared_slot *slot, bool (*is_ready)(const struct shared_slot *slot))
{
    if (spin(slot, is_ready))
        return true;
    atomic_store(&slot->executor_sleeping, 1);
    atomic_thread_fence(memory_order_seq_cst);
    struct timespec limit = {.tv_sec = SLEEP_MAX_S};
    if (!is_ready(slot))
        syscall(SYS_futex, &slot->executor_sleeping, FUTEX_WAIT, 1, &limit, NULL, 0);
    atomic_store(&slot->executor_sleeping, 0);
    return is_ready(slot);
}

struct rank_waker rank_waker_of(struct shared_rank *shared, int descriptor)
{
    struct rank_waker waker = {.shared = shared, .descriptor = descriptor};
    struct stat status;
    if (fstat(descriptor, &status) == 0) {
        waker.device = status.st_dev;
        waker.inode = status.st_ino;
    }
    return waker;
}

void wake_rank(const struct rank_waker *waker)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&waker->shared->is_sleeping, memory_order_relaxed) == 0)
        return;
    if (atomic_exchange(&waker->shared->is_sleeping, 0) == 0)
        return;
    struct stat status;
    uint64_t one = 1;
    if (fstat(waker->descriptor, &status) != 0 || status.st_dev != waker->device ||
        status.st_ino != waker->inode)
        return; /* the rank looks by itself within its longest sleep */
    if (write(waker->descriptor, &one, sizeof one) < 0)
        return; /* the counter is full: the descriptor is readable all the same */
}
