/* job.h - what the user asks for: plug-in, split, parameters, limits and output. */
#ifndef SHEAF_JOB_H
#define SHEAF_JOB_H

#include "item_list.h"
#include "parameter.h"
#include "task_table.h"

#include <stdbool.h>

enum split_kind {
    SPLIT_RANGE = 1, /* `tasks` tasks without input */
    SPLIT_LINES,     /* text files cut into blocks at line ends */
    SPLIT_FILES,     /* one task a file; its input is the path */
    SPLIT_PRODUCT,   /* one task a combination of parameter values */
    SPLIT_PLUGIN,    /* the plug-in's split names them */
    SPLIT_ITEMS,  /* one task a line (or NUL-ended string) of list files; its input is the item */
    SPLIT_TASKS,  /* tasks that the job file lists; the input of each is its command */
    SPLIT_BLOCKS, /* text files cut exactly at line ends, for what reads its input once */
    SPLIT_STORED_BLOCKS, /* the same of files that the master alone may see */
};

/* One axis of a product: the task's input has a line `name=value` for each axis. */
struct split_axis {
    char *name;
    char **values;
    size_t value_count;
};

struct split {
    enum split_kind kind;
    uint64_t tasks;  /* RANGE */
    char **patterns; /* all that read files: paths or glob patterns, made absolute; in the order
                        given, matches of one pattern sorted bytewise */
    size_t pattern_count;
    uint64_t block_bytes; /* LINES, BLOCKS; default 1 MiB */
    char **result_paths;  /* files of the patterns that are results of other stages of the job,
                             which tells itself when these change: here they count by path */
    size_t result_count;
    enum item_form item_form; /* ITEMS */
    struct split_axis *axes;  /* PRODUCT: the last axis varies fastest */
    size_t axis_count;
    struct task_table *table; /* TASKS; NULL once the job was encoded and decoded */
};

/* Bounds that a user can set; 0 = the default of whoever reads it. */
struct job_limits {
    uint64_t task_timeout_ns; /* one attempt of a task, split, merge, prepare or finish; 0 = none */
    uint64_t task_memory_bytes; /* growth of one executor over its start; 0 = 90 % of the node */
    uint32_t attempts_max;
    uint32_t crashes_max;
    uint32_t failures_max; /* tasks that may fail for good before a run ends; 0 = all of them */
    uint64_t range_count_min;
    uint64_t range_count_max;
};

/* What one task needs for itself; 0 = nothing special: one core, no reserved memory, no GPU. */
struct job_resources {
    uint32_t cores;
    uint32_t gpus;
    uint64_t memory_bytes; /* of its host: bounds the number of slots, and no task */
};

enum { JOB_CORES_MAX = 4096, JOB_GPUS_MAX = 16 };
/* A limit below what a process needs by itself is one whose unit was forgotten. */
#define JOB_MEMORY_BYTES_MIN (UINT64_C(1) << 20)
enum { JOB_NAME_BYTES_MAX = 100, JOB_FILE_BYTES_MAX = 64 << 20 };
#define SPLIT_BLOCK_BYTES_DEFAULT ((uint64_t)1 << 20)
#define SPLIT_BLOCK_BYTES_MAX     ((uint64_t)1 << 30)
#define SPLIT_STORED_BYTES_MAX    ((uint64_t)512 << 20) /* of a block that travels with its task */

/* "range", "lines", ... Borrows a static. */
const char *split_kind_name(enum split_kind kind);

/* A job whose tasks are commands instead of calls of a plug-in. */
struct job_command {
    bool is_there;
    char *text;         /* with replacement strings; NULL: each item is a command of its own */
    char *shell;        /* path or name; NULL: the default (command_shell.h) */
    bool has_own_shell; /* it was asked for, so no other will do */
    bool is_piped;      /* the input is on standard input, not among the arguments */
    char *merge_text;   /* joins two results; NULL: results are collected */
    char **outputs;     /* files that each task writes: paths with replacement strings */
    size_t output_count;
    bool has_array_env;   /* tasks see the variables of a Slurm job array */
    uint64_t array_first; /* SLURM_ARRAY_TASK_ID of the first task */
};

struct stage_plan;

/* Owns everything it points to. All zero is a valid empty job. */
struct job {
    char *name;        /* default: the job file's name without directory and ending */
    char *source_path; /* absolute; the file it was read from */
    char *source_text; /* of the job file; NULL where there is none, and in a copy that travelled */
    char *plugin_path; /* absolute; found; NULL when tasks are commands */
    struct job_command command;
    struct split split;
    struct parameter_list parameters;
    struct job_limits limits;
    struct job_resources resources;
    char *output_path;       /* absolute, or "-" for standard output */
    struct stage_plan *plan; /* NULL: the job is one. Else its stages are jobs, which have all but
                                name, source and output (stage_plan.h) */
};

void job_close(struct job *job);

/* Reads `path`: a job file (.yaml, .yml), a plug-in (.so, then split is RANGE with 0 tasks until
 * --tasks is given), or else a list of command lines. Job file:
 *
 *     plugin: primes.so           # beside the job file, in $SHEAF_PLUGIN_PATH, or installed;
 *                                 # or command: "convert {} {/.}.png"
 *     name: primes                # optional
 *     split: {range: 100000}      # or lines: {files: [...], block: 1M} | files: [...] |
 *                                 #    product: {a: [1, 2], b: [x, y]} | plugin
 *     tasks:                      # instead of command and split
 *       - {name: a, command: "make a"}
 *       - {name: b, command: "make b", after: [a]}
 *     parameters: {limit: 1e9}
 *     limits: {timeout: 10s, memory: 1G, attempts: 3, crashes: 3, max_failures: 100}
 *     ranges: {min: 1, max: 10000}
 *     resources: {cores: 4, memory: 8G, gpus: 1}
 *     output: primes.txt          # relative to the working directory; default "-"
 *     stages:                     # instead of one job several, for which the keys above (but name
 *       - name: sieve             # and output) are defaults
 *         after: [first, second]  # others by name
 *         priority: 1
 *
 * Errors name file:line, the key, what was found and what is accepted (with a "did you mean" for
 * near misses). Unknown keys, duplicate keys, negative counts, wrong types are errors. */
int job_read(const char *path, struct job *job, struct sheaf_error *error);
/* Likewise for a job file's text; `path` stands in errors and tells where to look for files. */
int job_parse(const char *text, size_t size, const char *path, struct job *job,
              struct sheaf_error *error);

/* A job of one command with other inputs each time, from the command line. Borrows. */
struct job_command_line {
    const char *text;            /* NULL: the list's items are commands */
    const char *list_path;       /* of items; NULL: none */
    const char *name;            /* of the job; NULL: the list's, or the command's program */
    const char *const *patterns; /* of input files; their directory is the working directory */
    size_t pattern_count;
    const char *const *assignments; /* NAME=VALUE,VALUE,...: a grid */
    size_t assignment_count;
    bool is_nul_ended;    /* the list's items */
    bool is_piped;        /* files and list are text, cut into blocks for standard input */
    bool is_list_private; /* only the master can be sure to see the list's file */
    bool is_stored;       /* its lines are stored elsewhere: the list's file may be gone */
    uint64_t block_bytes; /* 0: the default */
};
/* The name of the job of a command. Returns a string the caller owns. */
char *job_command_line_name(const char *text);
int job_read_command_line(const struct job_command_line *line, struct job *job,
                          struct sheaf_error *error);

/* True for a job read from a plug-in: it has no job file that lists its parameters. */
bool job_is_plugin_only(const struct job *job);

/* Overrides, from the command line: "--tasks N" for split `range`, and "name=value". A name that
 * the job file does not list is an error; a job read from a plug-in takes any name. */
int job_set_tasks(struct job *job, const char *text, struct sheaf_error *error);
int job_set_parameter(struct job *job, const char *assignment, struct sheaf_error *error);

/* After the overrides: checks that the job can run (plug-in there, tasks > 0 or another split,
 * inputs there, output's directory writable). */
int job_check(const struct job *job, struct sheaf_error *error);
/* The part of it that does not depend on input files. */
int job_check_program(const struct job *job, struct sheaf_error *error);

/* JOB when nothing in a job of commands, or in none of its stages, uses one of its parameters. What
 * a plug-in reads is not known. */
int job_check_use(const struct job *job, struct sheaf_error *error);
/* Tells of words in braces that look like a mistake, and are passed on as they are: a few at most,
 * each by a call. */
typedef void job_warn_function(void *context, const char *text);
void job_warn(const struct job *job, job_warn_function *warn, void *context);

/* What travels to workers and is kept in the run directory. */
void job_encode(const struct job *job, struct byte_writer *writer);
/* Overwrites *job. MALFORMED, and *job as it was, unless the bytes are what encode writes. */
int job_decode(struct byte_reader *reader, struct job *job, struct sheaf_error *error);

enum { JOB_IDENTITY_BYTES = 32 };

/* SHA-256 over everything that the output depends on: plug-in file, split, parameters. Not over
 * limits, resources, output path and name. Files of LINES and FILES count by path, size and time of
 * change, not by content: they may be large. */
int job_identity(const struct job *job, unsigned char identity[JOB_IDENTITY_BYTES],
                 struct sheaf_error *error);
/* SHA-256 of a file's content. */
int job_identity_of_file(const char *path, unsigned char identity[JOB_IDENTITY_BYTES],
                         struct sheaf_error *error);

/* Whether another list of inputs makes the same tasks of what is in both: one command for each. */
bool job_list_may_change(const struct job *job);
/* The same for all jobs that differ in their lists alone; all zero where none may change. */
void job_command_identity(const struct job *job, unsigned char identity[JOB_IDENTITY_BYTES]);

enum { JOB_TASK_HASH_BYTES = 16 };

/* A task of a job whose list may change, for comparing. */
struct job_task {
    uint64_t index;
    bool has_input;           /* false: it is a number */
    struct byte_reader input; /* as it is stored */
};

/* Of the line that stands in the list for the task, wherever it stands, and whichever version of an
 * input file it names. */
void job_line_hash(const struct job *job, const struct job_task *task,
                   unsigned char hash[JOB_TASK_HASH_BYTES]);
/* Of what the task does: its input, and its index where that matters to the command; not of what it
 * comes after. */
void job_task_hash(const struct job *job, const struct job_task *task,
                   unsigned char hash[JOB_TASK_HASH_BYTES]);

#endif
