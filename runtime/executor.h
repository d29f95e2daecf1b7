/* executor.h - the loop of the process that runs user code on one slot. */
#ifndef SHEAF_EXECUTOR_H
#define SHEAF_EXECUTOR_H

#include "../jobs/job.h"
#include "../jobs/sheaf.h"
#include "wake.h"

/* All kept. */
struct executor_options {
    const struct job *job;
    const struct sheaf_plugin *table;
    bool has_merge;
    void *prepared; /* what prepare left in *shared */
    struct shared_slot *slot;
    struct rank_waker waker;
    uint32_t core_count;
};

/* Takes orders until one says QUIT. */
_Noreturn void executor_main(const struct executor_options *options);

#endif
