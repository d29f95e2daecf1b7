/* master_private.h - what the parts of the master share. */
#ifndef SHEAF_MASTER_PRIVATE_H
#define SHEAF_MASTER_PRIVATE_H

#include "../jobs/split.h"
#include "../scheduler/scheduler.h"
#include "control.h"
#include "exporter.h"
#include "failure_log.h"
#include "graph_file.h"
#include "input_store.h"
#include "journal.h"
#include "master.h"
#include "message.h"
#include "process_watch.h"
#include "publish.h"
#include "repetition.h"
#include "run_directory.h"
#include "walltime.h"

#include <bsd/sys/queue.h>

/* What the master knows of a rank beside the scheduler's state. */
/* A report of which a part has come: how fast the rest comes is seen from what came so far. */
struct arriving {
    uint64_t assignment; /* 0: none */
    uint64_t since_ns;   /* when the first part was seen ... */
    size_t since_bytes;  /* ... and so much was there */
};

struct member {
    bool is_known;                /* said HELLO */
    bool is_returning;            /* said GOODBYE, and will say HELLO */
    bool has_left;                /* said GOODBYE, and waits for the end */
    bool has_ended;               /* its process has */
    struct process_watch process; /* on this host, or of nothing */
    uint32_t node;
    uint32_t process_id;
    struct topology topology;
    struct placement placement;
    struct arriving arriving;
    size_t owed_credit_bytes;
    bool is_owed;
    TAILQ_ENTRY(member) owed;
};

/* A split under way: the built-in one walks, the plug-in's sends batches. */
struct splitting {
    struct split_walk *walk;
    struct input_writer *writer;
    uint64_t plain_count; /* tasks without input before the writer was needed */
    uint64_t assignment;  /* of WORK_SPLIT; batches of others are ignored */
};

/* Inputs that the plug-in's split has named are damaged. */
enum split_again {
    SPLIT_AGAIN_NONE = 0,
    SPLIT_AGAIN_WANTED, /* as soon as a task is to run */
    SPLIT_AGAIN_ASKED,  /* no task begins before it has answered */
};

/* Where inputs are made again, in the run directory. */
#define INPUTS_AGAIN_NAME "inputs.again"

/* Effects in the order in which they were decided. */
struct effect_queue {
    struct effect *items;
    size_t first;
    size_t count;
    size_t capacity;
};

struct master {
    const struct run_options *options;
    struct transport *transport;
    struct master_stage stage;
    uint32_t session; /* 1 and up; the stage's number */
    struct job job;
    struct range_set only; /* the tasks that this run is for, when options->only says so */
    struct plugin_hooks hooks;
    struct run_directory *directory;
    bool needs_stored_tasks;        /* the list is not what it was when the run began */
    struct graph_file stored_graph; /* of these tasks; empty without them, or when it is lost */
    struct journal *journal;
    int journal_event; /* eventfd */
    uint64_t world;    /* a random number of this start */
    bool has_past;     /* tasks of the run may have been started before this */
    struct scheduler *scheduler;
    struct output output;
    struct effect_queue effects;
    struct splitting splitting;
    struct input_store *inputs; /* NULL while, or because, tasks have none */
    enum split_again split_again;
    uint32_t splits_again_count;
    bool has_lost_inputs; /* some are damaged, and cannot be made again */
    struct publisher *publisher;
    struct exporter *exporter;         /* NULL: nobody wants more than the output */
    struct output_check *output_check; /* NULL: it is over, or there is nothing to look for */
    char *output_path;                 /* where the result is written */
    struct member *members;            /* one a rank */
    TAILQ_HEAD(, member) owed;
    uint32_t node_count;
    uint64_t now_ns;
    uint64_t start_ns;
    uint64_t next_ping_ns;
    uint64_t next_status_ns;
    uint64_t next_stop_check_ns;
    uint64_t next_handover_check_ns;
    uint64_t next_presence_ns;
    uint64_t next_told_ns; /* when to look for what the launcher tells of it */
    struct walltime walltime;
    uint64_t stop_deadline_ns; /* UINT64_MAX until a stop was asked for */
    uint64_t no_tick_before_ns;
    uint64_t last_poll_ns;
    uint64_t done_at_start; /* tasks done by earlier runs */
    bool was_finished;      /* by one of these, as it is now to be */
    struct failure_log *failures;
    struct repetition repetition; /* of messages about failures */
    struct run_summary summary;
    uint64_t slots_counted_ns; /* when the time of slots was added to it last */
    bool is_over;
    bool anybody_was_lost;
    bool is_worth_restarting; /* other processes could go on where these cannot */
    bool has_selection_ended; /* what --only names is done, and other tasks are left */
    int status;
};

/* One input: decides, journals what happened (with `payload`, which the report's partials refer
 * to), tells people, and queues what is to be done. */
void master_step(struct master *master, const struct input *input, const void *payload,
                 size_t payload_size);
/* Ends the run: nothing can be made durable, or nothing can go on. */
void master_fail(struct master *master, const struct sheaf_error *error);
void master_send(struct master *master, uint32_t rank, struct message *message);
uint64_t master_incarnation(const struct master *master);
/* Where requests to the run are. */
const char *master_request_dir(const struct master *master);

/* master_selection.c: the tasks that the user named with --only. */
void master_select_tasks(struct master *master);
/* USAGE when the job has not as many tasks. */
int master_check_selection(const struct master *master, struct sheaf_error *error);
/* All that the run was for has ended: says what failed. Returns the exit status. */
int master_end_selection(struct master *master);
/* What the run was for, and what is left. */
void master_describe_selection(const struct master *master, char *text, size_t size);

/* master_messages.c: tells workers how much of what they sent was taken in. While the journal is
 * behind nobody is told, and so nobody produces more. */
void master_pay_credit(struct master *master);

/* master_presence.c */
/* From the worker's HELLO on. */
void master_presence_watch(struct master *master, uint32_t rank);
void master_presence_close(struct member *member);
/* Loses those that have ended. Their messages are to be handled before. */
void master_presence_look(struct master *master);

/* master_export.c */
int master_export_open(struct master *master, struct sheaf_error *error);
/* Writes for others what is done. True while there is more. */
bool master_export(struct master *master);

/* master_effects.c: performs what is due. True when anything was performed. */
bool master_perform_effects(struct master *master);
void effect_queue_push(struct effect_queue *queue, const struct effect *effect);
void effect_queue_close(struct effect_queue *queue);

/* master_split.c */
int master_split_begin(struct master *master, struct sheaf_error *error);
/* True while the built-in split has more to do. */
bool master_split_continue(struct master *master);
void master_split_restart(struct master *master, uint64_t assignment);
void master_split_batch(struct master *master, const unsigned char *body, size_t body_size);
void master_split_end(struct master *master);
int master_inputs_open(struct master *master, struct sheaf_error *error);
/* What is stored of them is damaged: splits once more. DAMAGED when that gives something else. */
int master_inputs_make_again(struct master *master, struct sheaf_error *error);
void master_split_close(struct master *master);
int master_inputs_move(const char *folder, const char *dir, struct sheaf_error *error);

/* master_split_again.c */
/* The store is of no use. DAMAGED when that is so again and again. */
int master_split_want_again(struct master *master, struct sheaf_error *error);
/* A task is to run: true when it has to wait for its input. */
bool master_split_ask_again(struct master *master);
/* An empty folder for what the split names. */
int master_split_make_folder(struct master *master, struct sheaf_error *error);
/* All of it is there. */
void master_split_end_again(struct master *master, const struct fact_job_accepted *named);
/* Which tasks of the job come after others; NULL when none does. */
const struct task_graph *master_find_graph(const struct master *master);
/* Of that graph; 0 when there is none. */
uint64_t master_graph_fingerprint(const struct master *master);

/* master_outputs.c: before the scheduler starts. True when there are files to look for: then it is
 * to wait for RESULTS_CHECKED. */
bool master_outputs_begin(struct master *master);
/* True while there are more to look for. */
bool master_outputs_continue(struct master *master);
void master_outputs_end(struct master *master);
/* At the end of the run. */
void master_outputs_clean_up(struct master *master);

/* master_report.c: facts and figures for people. */
void master_tell(struct master *master, enum control_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void master_tell_goodbye(struct master *master, uint32_t rank, const struct message *goodbye);
void master_tell_fact(struct master *master, const struct fact *fact);
void master_tell_damage(struct master *master, const struct journal_damage *damage);
void master_tell_start(struct master *master, bool is_new);
void master_tell_placement(struct master *master, uint32_t rank);
/* Why a worker's host can hold no task. */
void master_tell_shortage(struct master *master, uint32_t rank);
void master_tell_status(struct master *master);
/* Adds the time of slots since the last call to the summary. */
void master_count_slots(struct master *master);
/* Why the run ends before the job does, where that has to be said. */
void master_tell_run_end(struct master *master, enum run_end end);
void master_tell_end(struct master *master);

#endif
