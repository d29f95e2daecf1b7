/* launch.h - one mpirun, from its start until nothing of it is left. */
#ifndef SHEAF_LAUNCH_H
#define SHEAF_LAUNCH_H

#include "control.h"
#include "mpirun_complaint.h"
#include "options.h"
#include "progress_display.h"
#include "stop_request.h"

struct launch_options {
    const struct run_options *options;
    char *const *arguments;           /* of mpirun */
    const char *program;              /* what its ranks execute */
    uint32_t rank_count;              /* that this host will have; 0: not known */
    const char *dir;                  /* the run directory, which need not be there yet */
    struct status_mark status_before; /* of it */
    const char *world;                /* as of world_files_begin; may be NULL */
    const char *job_name;
    struct progress_display *display;
    struct stop_request *stop;
    uint64_t leave_ns; /* the run is ended then, if it has not ended before */
};

enum launch_end {
    LAUNCH_ENDED = 1, /* the master said so, and DIR/status.json as well unless it failed */
    LAUNCH_DIED,      /* mpirun or the master ended without having said so */
    LAUNCH_NO_START,  /* the master did not start in time */
    LAUNCH_SILENT,    /* the master said nothing for too long */
    LAUNCH_STOPPED,   /* ended here because the user asked, and the master did not end in time */
};

struct launch_result {
    enum launch_end how;
    bool was_started;
    uint64_t incarnation;    /* if it was started */
    bool has_progress;       /* `tasks_done` is known */
    uint64_t tasks_done;     /* the most that was reported */
    uint64_t tasks_at_first; /* the first that was reported: what was done before */
    int exit_status;         /* ENDED: of the job */
    bool has_output;
    bool is_worth_restarting;
    bool has_lost_host;                            /* mpirun has said so */
    char failed_host[MPIRUN_COMPLAINT_HOST_BYTES]; /* on which the start failed; "": not known */
    bool was_killed;               /* DIED: mpirun by a signal from somewhere else */
    bool has_mpirun_exited;        /* by itself: its daemons have cleaned up on their hosts */
    char text[CONTROL_TEXT_BYTES]; /* why; may be empty when ENDED */
};

/* Runs it. Every wait has a deadline; when this returns, no process of it is left on this host.
 * Fails only when mpirun cannot be started at all. */
int launch_run(const struct launch_options *options, struct launch_result *result,
               struct sheaf_error *error);

#endif
