/* error.h - the one table of operating errors, and the text that goes with each. */
#ifndef SHEAF_ERROR_H
#define SHEAF_ERROR_H

/* X(name, exit status, what it means). Exit statuses: 0 done; 1 finished but tasks failed; 2 wrong
 * usage or job; 3 stopped on request; 4 could not go on. 3 and 4 can be continued. */
#define SHEAF_ERRORS(X)                                                                            \
    X(USAGE, 2, "wrong usage")                                                                     \
    X(JOB, 2, "bad job file or parameter")                                                         \
    X(PLUGIN, 2, "bad plug-in")                                                                    \
    X(INPUT, 2, "bad or missing input")                                                            \
    X(IDENTITY, 2, "the run directory belongs to another job")                                     \
    X(IN_USE, 4, "the run directory is in use")                                                    \
    X(IO, 4, "input or output failed")                                                             \
    X(DISK_FULL, 4, "no space left")                                                               \
    X(PERMISSION, 4, "permission denied")                                                          \
    X(DAMAGED, 4, "stored data is damaged")                                                        \
    X(MALFORMED, 4, "a message or record cannot be understood")                                    \
    X(LIMIT, 4, "a documented limit was exceeded")                                                 \
    X(TRANSPORT, 4, "MPI failed")                                                                  \
    X(PROCESS, 4, "a process could not be started or controlled")                                  \
    X(NO_WORKERS, 4, "no worker is left")                                                          \
    X(TASKS_FAILED, 1, "tasks failed")                                                             \
    X(STOPPED, 3, "stopped on request")                                                            \
    X(TIMEOUT, 4, "a deadline passed")                                                             \
    X(NOT_FOUND, 4, "not found")

enum sheaf_error_index {
#define X(name, status, text) SHEAF_ERROR_INDEX_##name,
    SHEAF_ERRORS(X)
#undef X
        SHEAF_ERROR_COUNT
};

enum sheaf_error_code {
#define X(name, status, text) SHEAF_ERROR_##name = -1 - SHEAF_ERROR_INDEX_##name,
    SHEAF_ERRORS(X)
#undef X
};

enum { SHEAF_ERROR_TEXT_BYTES = 1024 };

/* Filled by a function that returns a negative code: what happened, where, and what to do next. */
struct sheaf_error {
    int code; /* 0 while nothing went wrong */
    char text[SHEAF_ERROR_TEXT_BYTES];
};

/* Sets code and text (error may be NULL) and returns the code, so that a caller can
 * `return sheaf_error_set(error, SHEAF_ERROR_IO, "cannot read %s: %s", path, strerror(errno));` */
int sheaf_error_set(struct sheaf_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like sheaf_error_set, with ": strerror(errno_value)" appended; the code is chosen by errno:
 * ENOSPC/EDQUOT -> DISK_FULL, EACCES/EPERM/EROFS -> PERMISSION, ENOENT -> NOT_FOUND, else IO. */
int sheaf_error_set_errno(struct sheaf_error *error, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Both borrow static strings. `code` must be negative and in the table. */
const char *sheaf_error_name(int code);
const char *sheaf_error_meaning(int code);
/* Exit status of the process for a code (0 for code 0). */
int sheaf_error_exit_status(int code);

#endif
