/* status.h - where a run stands, and the file DIR/status.json that says so. */
#ifndef SHEAF_STATUS_H
#define SHEAF_STATUS_H

#include "../scheduler/error.h"
#include "../scheduler/state.h"

#include <stdbool.h>
#include <stdint.h>

/* X(name, word) in the order of a run. */
#define STATUS_STATES(X)                                                                           \
    X(STARTING, "starting")                                                                        \
    X(SPLITTING, "splitting")                                                                      \
    X(RUNNING, "running")                                                                          \
    X(MERGING, "merging")                                                                          \
    X(PUBLISHING, "publishing")                                                                    \
    X(STOPPING, "stopping")                                                                        \
    X(FINISHED, "finished")                                                                        \
    X(FAILED, "failed")                                                                            \
    X(STOPPED, "stopped")                                                                          \
    X(INTERRUPTED, "interrupted")

enum status_state {
#define X(name, word) STATUS_##name,
    STATUS_STATES(X)
#undef X
        STATUS_STATE_COUNT
};

enum {
    STATUS_JOB_BYTES = 256,
    STATUS_HOST_BYTES = 256,
    STATUS_PATH_BYTES = 4096,
    STATUS_STAGE_BYTES = 68
};

/* All zero is a valid run that is starting. */
struct status {
    enum status_state state;
    uint64_t incarnation;
    struct task_counts tasks;
    uint32_t workers;
    uint64_t slots;
    uint64_t tasks_per_ks;       /* rate: tasks in 1000 seconds; 0 while not known */
    uint64_t remaining_ms;       /* estimate; 0 while not known */
    uint64_t elapsed_ms;         /* of this incarnation */
    uint64_t written_unix_s;     /* set by status_write */
    uint64_t stage_number;       /* of a job in stages: of that under way, in their order, from 1;
                                    the tasks above are its */
    uint64_t stage_count;        /* 0: the job is one */
    uint64_t stages_tasks_ended; /* tasks of stages that have ended */
    bool has_ended;
    int exit_status;                /* when it has ended */
    char stage[STATUS_STAGE_BYTES]; /* the name */
    char job[STATUS_JOB_BYTES];
    char output[STATUS_PATH_BYTES]; /* where the output goes; "-" for standard output */
    char host[STATUS_HOST_BYTES];   /* of the master; set by status_write */
    int64_t process_id;             /* of the master; set by status_write */
};

const char *status_state_word(enum status_state state);
/* Finished, failed, stopped or interrupted. */
bool status_state_is_end(enum status_state state);
/* By the journal alone, whether anybody works on the job or not. Where it has ended and tasks
 * failed it has failed, although there is a result without them. */
enum status_state status_state_of_job(const struct state *state);
/* Of a run that ended with this exit status. */
enum status_state status_state_of_exit(int exit_status);
/* Makes of what a run wrote last what is true now that nobody works on it. */
void status_abandon(struct status *status);
bool status_state_find(const char *word, enum status_state *state);

/* All members, for scripts; the caller owns it. NULL when memory is short. */
char *status_format_json(const struct status *status);
/* Replaces DIR/status.json, not synced: it is for people and may be lost. Borrows everything. */
int status_write(const char *dir, const struct status *status, struct sheaf_error *error);
/* Which DIR/status.json this is: each is a new file. All zero when there is none. */
struct status_mark {
    uint64_t file;
    int64_t changed_ns;
};
struct status_mark status_mark_of(const char *dir);
/* Whether a run that has written since `before` says that it has ended; *status is what it says. */
bool status_find_end(const char *dir, const struct status_mark *before, struct status *status);
/* NOT_FOUND when there is none, DAMAGED when it cannot be understood. */
int status_read(const char *dir, struct status *status, struct sheaf_error *error);

#endif
