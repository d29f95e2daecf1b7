/* start_watch.h - sees that a rank on this host ends while MPI starts.
 *
 * mpirun collects its ranks and, told to go on without those that die, says nothing: but those that
 * start MPI wait for the dead without an end. */
#ifndef SHEAF_START_WATCH_H
#define SHEAF_START_WATCH_H

#include "process_tree.h"

/* All zero but for the first two is a watch that has seen nothing. */
struct start_watch {
    const char *program; /* what ranks execute, as /proc says it; kept */
    uint32_t rank_count; /* that this host will have; 0: not known */
    pid_t *ranks;        /* that were seen; owned */
    size_t count;
    size_t capacity;
    size_t present_count; /* of them, at the last look */
    uint64_t looked_ns;   /* then */
    uint64_t changed_ns;  /* since then these are there */
    uint64_t settled_ns;  /* since then nobody starts another; 0: somebody may */
    uint64_t missed_ns;   /* since then one is missing that was seen; 0: none is */
};

void start_watch_close(struct start_watch *watch);
/* Looks now and then for the ranks among what `tree` has started. True when one has ended, and
 * nothing that it may have said can be under way any more. */
bool start_watch_look(struct start_watch *watch, const struct process_tree *tree, uint64_t now_ns);

#endif
