/* master.h - the master's side of the run: owns the job's state, journals facts, performs effects.
 *
 * The loop is rank.c's: handle each message, then poll. Inputs go through one function,
 * master_step: scheduler -> journal -> queue of effects; effects are performed once the journal is
 * durable up to the fact that they rest on. */
#ifndef SHEAF_MASTER_H
#define SHEAF_MASTER_H

#include "message.h"
#include "options.h"
#include "plugin_probe.h"
#include "run_summary.h"
#include "transport.h"

struct master;

/* Which of the masters of a job in stages this is; all zero when the job is one. Borrowed, and to
 * outlive the master. */
struct master_stage {
    const char *name; /* NULL: the job is one */
    size_t number;    /* 1 and up, in the order in which they run */
    size_t count;
    const char *job_name;       /* of the whole job */
    const char *run_dir;        /* of the whole job: has its status and the requests to it */
    const char *dir;            /* of this stage */
    bool is_fresh;              /* what an earlier run left there is of no more use */
    uint64_t incarnation;       /* of the whole job's run */
    uint64_t start_ns;          /* likewise */
    uint64_t tasks_done_before; /* by stages that have ended */
};

/* What was read before MPI starts. */
struct master_job {
    struct job job; /* owned by the master from then on */
    struct plugin_hooks hooks;
    struct plugin_hooks *stage_hooks; /* of the job's stages; the caller frees it. NULL: none */
    uint64_t end_unix_ms;             /* when the run must be over; WALLTIME_NEVER */
    struct master_stage stage;
};

/* Reads, overrides and checks the job, looks at its plug-in (in a child process) and at the clock.
 */
int master_job_load(const struct run_options *options, struct master_job *job,
                    struct sheaf_error *error);

/* Opens the run directory and the journal, recovers, and starts the run. Keeps options and
 * transport; takes over *job in any case. */
int master_create(const struct run_options *options, struct master_job *job,
                  struct transport *transport, struct master **master, struct sheaf_error *error);
/* The run is over, or must be (`code` below 0: why): makes everything durable, writes the last
 * status, tells the launcher. Returns the exit status. */
int master_finish(struct master *master, int code);
/* Closes what is still open: journal, run directory. */
/* Keeps what is in the files that its tasks have declared, for the stages that read them. Calls
 * keep_contact(context) again and again meanwhile. */
int master_keep_output_digest(const struct master *master, void (*keep_contact)(void *context),
                              void *context, struct sheaf_error *error);
void master_destroy(struct master *master);

/* A part of a long message from a worker: it is not silent. */
void master_hear(struct master *master, int rank, uint64_t now_ns);
/* A message from a worker, decoded; `size` is that of its encoding. */
void master_handle(struct master *master, int rank, struct message *message, size_t size,
                   uint64_t now_ns);
/* Makes progress. True when there was something to do. After a failure that the run cannot survive
 * (disk full, ...) the master is over with status 4. */
bool master_poll(struct master *master, uint64_t now_ns, bool no_message_is_waiting);

/* The run ended: the exit status, and whether every rank is there to finalize. */
bool master_is_over(const struct master *master);
int master_status(const struct master *master);
bool master_ends_cleanly(const struct master *master);
/* Other processes could go on where these cannot. */
bool master_is_worth_restarting(const struct master *master);
/* Tasks that have ended, well or badly. */
uint64_t master_tasks_ended(const struct master *master);
/* What this run has done for the job, or for the stage, so far. */
struct run_summary master_summarize(const struct master *master);
/* Somebody could run more than there is for him at present. */
bool master_has_idle_slot(const struct master *master);
/* Borrowed. */
const char *master_run_directory(const struct master *master);
/* Where the published output is when it belongs on standard output; NULL otherwise. */
const char *master_result_path(const struct master *master);

/* Tells the launcher where the master is, and that it holds the run directory. */
void master_tell_presence(const struct run_options *options, uint64_t incarnation);

/* Readable when the journal has news, until master_woken. */
int master_wake_descriptor(const struct master *master);
void master_woken(struct master *master);
/* Asks the run to stop; safe in a signal handler. The launcher asks by SIGUSR1. */
void master_request_stop(int signal_number);

#endif
