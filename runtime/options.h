/* options.h - the command line of `sheaf run`, read the same way by launcher and ranks. */
#ifndef SHEAF_OPTIONS_H
#define SHEAF_OPTIONS_H

#include "../jobs/job.h"

#include <stdio.h>

/* An option as it was given, in the one form that all of them have: "--name" or "--name=value". */
struct option_word {
    char *text;
    bool is_for_once; /* says nothing of the runs that continue this one */
};

/* Strings are borrowed from argv, which must outlive this; the arrays are owned. */
struct run_options {
    const char *job_path; /* "-": a list on standard input; NULL: none, with a command */
    const char *command;  /* NULL = as the job says */
    const char **inputs;  /* patterns of the command's input files */
    size_t input_count;
    bool is_nul_ended;    /* the items of a list end with NUL instead of newline */
    bool is_piped;        /* the input is text, cut into blocks for the command's standard input */
    uint64_t block_bytes; /* 0: the default */
    const char *shell;    /* NULL = as the job says */
    const char *merge_command; /* NULL = as the job says */
    const char **output_files; /* that each task writes; none: as the job says */
    size_t output_file_count;
    bool has_array_env;
    uint64_t array_first;
    const char *dir;         /* NULL = NAME.sheaf in the working directory */
    const char *tasks;       /* NULL = as the job says */
    const char *output;      /* likewise */
    const char **parameters; /* NAME=VALUE, in the order given */
    size_t parameter_count;
    struct job_limits limits; /* 0 = as the job says */

    uint32_t ranks;                 /* master included; 0 = what suits the hosts */
    uint32_t slots_per_worker;      /* 0 = as many as fit */
    struct job_resources resources; /* of a task; 0 = as the job says */
    uint64_t checkpoint_ns;
    uint64_t lost_after_ns;
    uint64_t workers_timeout_ns; /* without any worker */
    uint64_t grace_ns;           /* for running tasks when asked to stop */
    uint64_t walltime_ns;        /* from the start; 0 = as the batch system says */
    bool is_fresh;
    bool is_forced;
    bool is_shared;            /* others may write in the run directory, and are trusted */
    bool is_pruned;            /* results of lines that are gone are not kept */
    const char **rerun_stages; /* run anew; none */
    size_t rerun_stage_count;
    bool retries_failed;    /* what failed for good is tried again */
    const char *output_dir; /* takes a file a task; NULL = none does */
    const char *log_path;   /* takes a line a task; NULL = none does */
    const char *only;       /* a list of tasks: no others are run; NULL = all are */
    bool shows_placement;
    bool is_dry; /* says what would run, and runs nothing */
    bool is_quiet;
    bool is_verbose;
    bool wants_help;

    /* For the launcher alone. */
    uint32_t restarts_max; /* in a row without new results */
    uint64_t start_timeout_ns;
    uint64_t silence_timeout_ns;
    const char *hostfile;
    const char *host;
    const char *mpirun;
    const char **mpi_options; /* words, in the order given */
    size_t mpi_option_count;

    /* From the launcher to the ranks, and from `sheaf run DIR` to itself. */
    bool is_continued;           /* the job is the one that is stored in the run directory */
    const char *stored_input;    /* where it has stored standard input; NULL: nowhere */
    const char *mpi_environment; /* mpi_environment.h; NULL: it had none */
    const char *host_slots;      /* as host_slots_find reads it; NULL: none are said */
    const char *world;           /* as of world_files_begin; NULL: no records are kept */
    bool is_under_launcher;      /* a launcher reads this rank's standard error */
    bool is_restart;      /* it started this run before: --fresh was obeyed then, and the lock
                             may still be held by what was just ended */
    uint64_t end_unix_ms; /* when the run must be over; 0 = find it out, UINT64_MAX = never */

    /* All arguments after "run", for passing on and for printing; borrowed. */
    char *const *arguments;
    int argument_count;
    struct option_word *words; /* all options among them, in their order; owned */
    size_t word_count;
};

/* Reads argv[1..argc-1] (argv[0] is "run"); reorders argv. USAGE with a text that names the
 * argument; then nothing is to be closed. */
int options_parse(int argc, char **argv, struct run_options *options, struct sheaf_error *error);
void options_close(struct run_options *options);

/* The help of `sheaf run`. */
void options_print_help(FILE *out);

#endif
