/* process_memory.h - how much memory a process uses, and how much this node lets us use. */
#ifndef SHEAF_PROCESS_MEMORY_H
#define SHEAF_PROCESS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    /* Between looks at what a task has started; it costs what reading some small files does. */
    PROCESS_MEMORY_LOOK_MS = 50, /* with a limit of the job's own */
    PROCESS_MEMORY_LOOK_MS_DEFAULT = 1000,
};

/* A descriptor to ask about process `pid` (0: this one) again and again, or -1. The caller owns
 * it. */
int process_memory_open(pid_t pid);
/* Resident bytes; 0 when the process has ended. */
uint64_t process_memory_resident(int descriptor);
/* Bytes that the processes which `process` has started, and those which these have started, hold
 * for themselves: what is shared with files or others is not counted. */
uint64_t process_memory_of_descendants(pid_t process);
/* The same are more than so many, without what they share with `process` as forked from it. */
bool process_memory_is_exceeded_by_descendants(pid_t process, uint64_t bytes);
/* The memory that a task may use: what its job says, or, for 0, most of the node's. */
uint64_t process_memory_limit(uint64_t wanted_bytes);
/* The node's memory, or less where the control group of this process allows less. */
uint64_t node_memory_bytes(void);

/* What a file of the kernel's or of a control group limits something to: it holds a number, or
 * "max". UINT64_MAX when it does not limit it, or is not there. */
uint64_t process_limit_read(const char *path);

#endif
