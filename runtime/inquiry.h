/* inquiry.h - programs that are asked something: run side by side, each with a deadline. */
#ifndef SHEAF_INQUIRY_H
#define SHEAF_INQUIRY_H

#include "process_watch.h"
#include "stop_request.h"

#include <stddef.h>
#include <sys/types.h>

enum {
    INQUIRY_NEEDLESS = 125,
    INQUIRY_CANNOT_EXECUTE = 126,
    INQUIRY_NOT_FOUND = 127,
    INQUIRY_KILLED = 128, /* and the number of the signal */
    INQUIRY_ATTEMPTS_MAX = 3,
    INQUIRY_BOTH_STREAMS = -1,
};

struct inquiry {
    /* In. */
    const char *const *words; /* ended by NULL; the first is found in $PATH; borrowed */
    int stream;               /* STDOUT_FILENO, STDERR_FILENO or BOTH_STREAMS: what is kept */
    /* NULL, or called first, in the new process, where it may take its time: whether the inquiry
     * need not be executed. Then it ends with status NEEDLESS. */
    bool (*is_needless)(const void *context);
    const void *context;
    bool is_doubtful; /* it is not likely to end */
    char *text;       /* where to put what it says; borrowed. What is too much is dropped */
    size_t text_bytes;

    /* Out. */
    int start_errno; /* not 0: it could not be started, for want of processes or descriptors */
    bool has_ended;  /* by itself; if not, it was killed, or never started */
    int exit_status; /* if it has ended; 128 + N by signal N, as a shell says */

    /* Own. */
    pid_t process; /* 0 when none runs; leads a group of its own */
    int attempts;
    struct process_watch end;
    int text_descriptor; /* -1 when its stream has ended */
    size_t text_size;
    uint64_t deadline_ns;
    uint64_t last_deadline_ns; /* by its own time-out, whatever the others do */
};

/* How long is waited. */
struct inquiry_patience {
    uint64_t timeout_ns; /* for each */
    /* UINT64_MAX, or how long for any to end once one has ended well. */
    uint64_t quiet_ns;
    uint64_t doubtful_quiet_ns; /* the same, when only doubtful ones are left */
    struct stop_request *stop;  /* NULL: none */
};

/* Runs them, many at a time, and waits until each has ended or its time is up. One that somebody
 * kills is asked again, INQUIRY_ATTEMPTS_MAX times in all. Their input is empty. `stop` (NULL =
 * none): when it is asked, those that run are killed and no other starts. */
void inquiries_run(struct inquiry *inquiries, size_t count, uint64_t timeout_ns,
                   struct stop_request *stop);
void inquiries_run_patiently(struct inquiry *inquiries, size_t count,
                             const struct inquiry_patience *patience);

#endif
