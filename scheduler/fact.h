/* fact.h - what has happened, as data: the only thing that changes the state, and what the journal
 * keeps.
 *
 * Facts are numbered 1, 2, 3, ... without gaps over all runs of a job. Each is self-contained: a
 * fact whose predecessors were lost to a damaged disk still says all that it changes. */
#ifndef SHEAF_FACT_H
#define SHEAF_FACT_H

#include "bytes.h"
#include "error.h"
#include "range.h"

/* What a slot can be asked to do. */
enum work {
    WORK_SPLIT = 1,  /* call the plug-in's split; tasks come out */
    WORK_RUN = 2,    /* run the tasks of a range */
    WORK_MERGE = 3,  /* join the partial results of one subtree into one */
    WORK_FINISH = 4, /* call the plug-in's finish on the merged result */
};

/* Why an attempt or a worker failed. X(name, what a user reads behind "task 7") */
#define SHEAF_CAUSES(X)                                                                            \
    X(PLUGIN, "reported a failure")                                                                \
    X(EXIT, "exited with a status other than 0")                                                   \
    X(SIGNAL, "was killed by a signal")                                                            \
    X(TIMEOUT, "ran longer than its time limit")                                                   \
    X(MEMORY, "used more memory than its limit")                                                   \
    X(WORKER_LOST, "lost its worker")                                                              \
    X(STOPPED, "was stopped on request")                                                           \
    X(INPUT, "could not read its input")                                                           \
    X(LIMIT, "exceeded a documented limit")                                                        \
    X(NODE_LOST, "lost its host")                                                                  \
    X(NOT_RUN, "was not run: a task that it comes after failed")                                   \
    X(OUTPUT, "could not write its output files")                                                  \
    X(OPEN, "could not begin")

enum cause {
    CAUSE_NONE = 0,
#define X(name, text) CAUSE_##name,
    SHEAF_CAUSES(X)
#undef X
        CAUSE_COUNT
};

/* In a snapshot: what was said by workers of an earlier run. */
#define WORKER_NONE UINT32_MAX

/* A result of the tasks of one subtree of the canonical tree (or, for a job that collects, of any
 * range). Its bytes are a slice of the payload of fact `payload_seq`. An absent partial has no
 * bytes: its tasks failed for good. */
struct partial {
    struct range range;
    uint64_t payload_seq; /* 0 in a fact: the payload is that of the fact itself */
    uint64_t offset_bytes;
    uint64_t size_bytes;
    bool is_absent;
};

enum fact_kind {
    FACT_RUN_STARTED = 1,
    FACT_JOB_ACCEPTED = 2,
    FACT_WORKER_JOINED = 3,
    FACT_WORKER_LOST = 4,
    FACT_ASSIGNED = 5,
    FACT_RESULT = 6,
    FACT_RETURNED = 7,
    FACT_ATTEMPT_FAILED = 8,
    FACT_RESULT_LOST = 9,
    FACT_JOB_FAILED = 10,
    FACT_JOB_FINISHED = 11,
    FACT_SNAPSHOT_END = 12,
    FACT_FAILURES = 20,
    FACT_NODE_BENCHED = 30,
    FACT_NODE_READMITTED = 31,
    FACT_FAILED_REOPENED = 40,
};

/* A master took over. All workers and assignments of earlier runs are gone, and nodes are numbered
 * anew. */
struct fact_run_started {
    uint64_t incarnation;
};

/* The tasks are known and their inputs are stored. */
struct fact_job_accepted {
    uint64_t task_count;
    uint64_t input_bytes; /* size of the stored inputs; 0 when tasks have none */
    uint32_t input_crc;   /* CRC-32 of the stored index of inputs */
    bool has_merge;       /* false: results are collected in index order */
    bool has_finish;
    uint64_t graph_fingerprint; /* of the task_graph; 0 when no task comes after another */
};

struct fact_worker_joined {
    uint32_t worker; /* MPI rank */
    uint32_t slot_count;
    uint32_t node; /* number of the host in order of joining */
};

/* Its host and what was out at it are said again: a snapshot tells nothing of workers. */
struct fact_worker_lost {
    uint32_t worker;
    enum cause cause;
    uint32_t order_count; /* assignments that end with it */
    uint32_t host_size;
    const char *host; /* borrowed; not NUL-terminated; empty when unknown */
};

/* The assignment is named by the sequence number of this fact. */
struct fact_assigned {
    uint32_t worker;
    enum work work;
    struct range range;
    uint32_t attempt; /* 1 for the first start, of each task of the range */
    uint64_t copy_of; /* assignment this one duplicates, or 0 */
};

/* Some partial results were accepted. Ends assignment `assignment` unless it is 0 or unknown.
 * For RUN, tasks of the assigned range that are neither covered by `partials`, nor done, nor in
 * flight elsewhere become open again. For MERGE the one partial replaces all partials inside it, if
 * all its tasks are done. For FINISH the one partial (range [0, task_count)) is the output. For
 * SPLIT there is none (JOB_ACCEPTED follows). */
struct fact_result {
    uint32_t worker;
    uint64_t assignment;
    enum work work;
    uint64_t tasks_run; /* what busy_ns was spent on */
    uint64_t busy_ns;
    uint32_t partial_count;
    const struct partial *partials; /* borrowed; ascending and disjoint */
};

/* The worker gives back the unstarted end of an assignment, or all of it. */
struct fact_returned {
    uint32_t worker;
    uint64_t assignment;
    struct range range;
    bool is_whole; /* nothing of the assignment is left with the worker */
};

/* One attempt at one task (work RUN), or at a split, merge or finish, failed. For the latter, and
 * for a crash of RUN, this ends the assignment: what a crash leaves of its range becomes open
 * again. When is_final, the task counts as done with an absent result; only then may the range of
 * RUN hold several tasks (a snapshot says so of neighbours). In a snapshot the assignment is 0: the
 * attempt is not one more, it is in a FAILURES. For NOT_RUN there was no attempt: the tasks of the
 * range come after one that failed for good, whose name is the text. */
struct fact_attempt_failed {
    uint32_t worker;
    uint64_t assignment;
    enum work work;
    struct range range; /* the task, or the subtree of a merge */
    enum cause cause;
    int32_t detail; /* exit status or signal number */
    bool is_crash;  /* the executor died of it */
    bool is_final;
    uint64_t not_before_ns; /* earliest next attempt, on the clock of this run */
    uint32_t text_size;
    const char *text; /* borrowed; what the plug-in said; not NUL-terminated */
    uint32_t host_size;
    const char *host; /* borrowed; of the worker; not NUL-terminated; empty when unknown */
    uint32_t log_size;
    const char *log; /* borrowed; the last lines that the executor wrote; not NUL-terminated */
};

/* An attempt, or the loss of a worker, that stands for others of its group. */
struct failure_example {
    uint32_t worker;
    uint32_t attempt;   /* of a lost worker the run, as it has the number in each; 0: not known */
    struct range range; /* what failed; empty for a lost worker */
    uint32_t text_size;
    const char *text; /* borrowed; not NUL-terminated */
};

/* So many attempts at `work` failed for one cause on one host, or, when work is 0, so many workers
 * were lost or left. Only in a snapshot, which says a group in as many facts as it has examples. */
struct fact_failures {
    enum work work;
    enum cause cause;
    int32_t detail;
    uint64_t count;       /* attempts or workers */
    uint64_t final_count; /* of the attempts: those after which none follows */
    uint64_t order_count; /* of lost workers: assignments that were out at them */
    bool has_example;
    struct failure_example example;
    uint32_t host_size;
    const char *host; /* borrowed; not NUL-terminated */
    uint32_t log_size;
    const char *log; /* borrowed; not NUL-terminated */
};

/* Stored bytes of these tasks were found damaged: they are open again, together with all tasks that
 * share a partial with them. While a job with finish is published, the range of all tasks means
 * the output alone: finish makes it again. */
struct fact_result_lost {
    struct range range;
};

/* The job cannot be completed: a split, merge, finish or prepare failed for good. */
struct fact_job_failed {
    enum work work; /* 0 for prepare */
    struct range range;
    enum cause cause;
    int32_t detail;
};

/* The output is published. */
struct fact_job_finished {
    uint64_t failed_task_count;
};

/* Different tasks failed on a node and passed elsewhere: it gets no work but probes. */
struct fact_node_benched {
    uint32_t node;
    uint32_t task_count; /* so many of them */
};

/* Why a node is no longer benched. X(name, what a user reads) */
#define SHEAF_READMISSIONS(X)                                                                      \
    X(PROBE_PASSED, "a task passed there")                                                         \
    X(TOO_FEW_LEFT, "no more than half of the hosts may be benched")

enum readmission {
    READMISSION_NONE = 0,
#define X(name, text) READMISSION_##name,
    SHEAF_READMISSIONS(X)
#undef X
        READMISSION_COUNT
};

struct fact_node_readmitted {
    uint32_t node;
    enum readmission reason;
};

/* On request, what failed for good within these tasks is open again, together with all tasks that
 * share a partial with it; a job that has ended goes on. With an empty range it goes on with what
 * it lacks alone: it is published again. */
struct fact_failed_reopened {
    struct range range;
};

struct fact {
    enum fact_kind kind;
    uint64_t seq;
    union {
        struct fact_run_started run_started;
        struct fact_job_accepted job_accepted;
        struct fact_worker_joined worker_joined;
        struct fact_worker_lost worker_lost;
        struct fact_assigned assigned;
        struct fact_result result;
        struct fact_returned returned;
        struct fact_attempt_failed attempt_failed;
        struct fact_result_lost result_lost;
        struct fact_job_failed job_failed;
        struct fact_job_finished job_finished;
        struct fact_failures failures;
        struct fact_node_benched node_benched;
        struct fact_node_readmitted node_readmitted;
        struct fact_failed_reopened failed_reopened;
    } as;
};

enum {
    FACT_PARTIALS_MAX = 4096, /* in one RESULT */
    FACT_TEXT_BYTES_MAX = 2048,
    FACT_HOST_BYTES_MAX = 64, /* longer names of hosts are cut */
    FACT_LOG_BYTES_MAX = 1024,
};

/* Largest number of tasks in a job: leaves room for the canonical tree's arithmetic. */
#define SHEAF_TASKS_MAX ((uint64_t)1 << 62)

/* Appends the encoding of a fact, without kind and seq: those are the record's. */
void fact_encode(const struct fact *fact, struct byte_writer *writer);

/* Decodes a record of `kind`. Partials are written into `partials` (room for FACT_PARTIALS_MAX);
 * the fact borrows it and `data`. Leaves fact->seq alone: that is the record's. Returns MALFORMED,
 * and leaves all of *fact alone, unless every field is in its range, partials ascend without
 * overlap, and nothing is left over. */
int fact_decode(uint8_t kind, const void *data, size_t size, struct partial *partials,
                struct fact *fact, struct sheaf_error *error);

/* One line for people: "result of [0, 512) from worker 2: 1 partial, 8 bytes". Returns the length,
 * like snprintf. */
int fact_describe(const struct fact *fact, char *text, size_t text_size);

/* The tasks that the fact is about; empty when none. Kept in block headers so that the loss of a
 * block can be told in tasks. */
struct range fact_range(const struct fact *fact);

/* False for causes that are nobody's fault: they use up none of a task's attempts. */
static inline bool cause_counts(enum cause cause)
{
    return cause != CAUSE_WORKER_LOST && cause != CAUSE_NODE_LOST && cause != CAUSE_STOPPED &&
           cause != CAUSE_OPEN;
}

/* Borrow static strings. */
const char *cause_text(enum cause cause);
/* The same with the detail: "was killed by signal 11". */
void cause_describe(enum cause cause, int32_t detail, char *text, size_t text_size);
/* The same of a worker that was lost or left, for behind a colon. */
const char *loss_text(enum cause cause);
const char *work_text(enum work work);
const char *readmission_text(enum readmission reason);

#endif
