/* command_process.h - runs one command to its end, with all that it starts, and keeps its output.
 *
 * The caller is a subreaper (prctl(2)) without children of its own: whatever the command leaves
 * behind becomes its child, and is killed before the command counts as ended. */
#ifndef SHEAF_COMMAND_PROCESS_H
#define SHEAF_COMMAND_PROCESS_H

#include "../scheduler/bytes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Borrows. */
struct command_process_options {
    char *const *arguments;    /* arguments[0] is looked for in $PATH; ends with NULL */
    char *const *environment;  /* ends with NULL */
    int input;                 /* its standard input; -1: that of this process */
    uint64_t timeout_ns;       /* then SIGTERM, and SIGKILL after COMMAND_TERM_MS; 0: none */
    uint64_t memory_bytes_max; /* of it and all that it starts, together; more ends it */
    uint32_t memory_look_ms;   /* how often that is looked at */
    const _Atomic uint32_t *is_stopping; /* raised: SIGTERM, and no result counts any more */
    _Atomic pid_t *session; /* holds the command's session while it runs; NULL: nobody asks */
    size_t out_bytes_max;   /* more ends it */
    size_t err_bytes_max;   /* more is passed over, but for the last part */
};

enum { COMMAND_TERM_MS = 1000 };

enum command_end {
    COMMAND_ENDED = 0,   /* by itself: see `status` */
    COMMAND_NOT_STARTED, /* see `start_errno` */
    COMMAND_TIMED_OUT,
    COMMAND_STOPPED, /* it was sent SIGTERM as the run is to stop, however it ended then */
    COMMAND_WROTE_TOO_MUCH,
    COMMAND_USED_TOO_MUCH_MEMORY,
};

/* All zero is valid; keep it from one command to the next. Owns the writers. */
struct command_process {
    enum command_end end;
    int status; /* as from waitpid */
    int start_errno;
    uint64_t start_unix_ns;
    uint64_t duration_ns;
    uint64_t memory_bytes;
    struct byte_writer out;
    struct byte_writer err;
    uint64_t err_bytes_lost; /* of its middle */

    /* While it runs. */
    pid_t process;
    int out_pipe;
    int err_pipe;
    int ended; /* a pidfd */
    uint64_t start_ns;
    uint64_t memory_looked_ns;
    bool was_warned;   /* by SIGTERM, as its time is up */
    bool is_abandoned; /* its own process has ended, some that it started go on */
};

/* From now on SIGTERM wakes this process up, to look at is_stopping. */
void command_process_watch_stops(void);

void command_process_run(struct command_process *command,
                         const struct command_process_options *options);
void command_process_close(struct command_process *command);

#endif
