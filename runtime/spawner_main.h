/* spawner_main.h - the spawner's process: loads the plug-in, prepares, forks executors. */
#ifndef SHEAF_SPAWNER_MAIN_H
#define SHEAF_SPAWNER_MAIN_H

#include "shared_slot.h"

#include <sys/types.h>

struct spawner_main_options {
    int socket; /* to the rank; SOCK_SEQPACKET */
    int wake;   /* eventfd of the rank */
    struct shared_rank *shared;
    pid_t rank_process;
    bool is_successor; /* says so first */
};

/* Called in the child of fork. */
_Noreturn void spawner_main(const struct spawner_main_options *options);

#endif
