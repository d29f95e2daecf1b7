/* options.c - reads the command line of `sheaf run`. */
#include "options.h"

#include "../jobs/suggest.h"
#include "../jobs/task_list.h"
#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "placement.h"

#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_form {
    OPTION_HEADING, /* of the help; no option */
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_PARAMETER,
    OPTION_INPUT,
    OPTION_OUTPUT_FILE,
    OPTION_ARRAY_ENV, /* its argument may be left out */
    OPTION_MPI_WORD,
    OPTION_RERUN_STAGE,
    OPTION_COUNT_32,
    OPTION_COUNT_64,
    OPTION_WORKERS,
    OPTION_SIZE,
    OPTION_DURATION,
    OPTION_HELP,
};

struct option_entry {
    enum option_form form;
    char letter; /* NUL = none */
    const char *name;
    const char *argument; /* NULL = takes none */
    const char *help;     /* NULL = internal */
    size_t offset;        /* of the member that it sets */
    uint64_t value_min;
    uint64_t value_max;
};

#define RANKS_MAX       1000000
#define RANGE_COUNT_MAX (UINT64_C(1) << 40)
#define BYTES_MAX       (UINT64_C(1) << 60)
#define TIME_MAX        (UINT64_C(1) << 60) /* 36 years in ns: sums of times do not overflow */

#define AT(member) offsetof(struct run_options, member)
#define HEADING(text)                                                                              \
    {                                                                                              \
        .form = OPTION_HEADING, .help = text                                                       \
    }
#define OPTION(form, letter, name, argument, ...)                                                  \
    {                                                                                              \
        OPTION_##form, letter, name, argument, __VA_ARGS__                                         \
    }

static const struct option_entry option_table[] = {
    HEADING("What to run"),
    OPTION(TEXT, 'c', "command", "TEXT", "run this command for each input; {} is the input",
           AT(command), 0, 0),
    OPTION(INPUT, 'i', "input", "PATTERN", "files that are the command's inputs; repeat for more",
           0, 0, 0),
    OPTION(FLAG, '0', "null", NULL, "inputs of a list end with NUL, not with a newline",
           AT(is_nul_ended), 0, 0),
    OPTION(TEXT, 0, "shell", "PATH", "runs commands that need a shell (bash, else sh)", AT(shell),
           0, 0),
    OPTION(FLAG, 0, "pipe", NULL, "feed it blocks of lines of its input on standard input",
           AT(is_piped), 0, 0),
    OPTION(SIZE, 0, "block", "SIZE", "most bytes of a block, unless a line is longer (1M)",
           AT(block_bytes), 1, SPLIT_BLOCK_BYTES_MAX),
    OPTION(TEXT, 0, "merge-command", "TEXT", "join two results by it: {left} {right} to its stdout",
           AT(merge_command), 0, 0),
    OPTION(OUTPUT_FILE, 0, "output-file", "PATH",
           "a file that each task writes, as {out1}, {out2}, ...; repeat", 0, 0, 0),
    OPTION(ARRAY_ENV, 0, "array-env", "FIRST",
           "set SLURM_ARRAY_TASK_ID and its like, from FIRST (0)", 0, 0, UINT64_C(1) << 62),
    OPTION(PARAMETER, 'p', "param", "NAME=VALUE", "set a parameter of the job; repeat for more", 0,
           0, 0),
    OPTION(TEXT, 't', "tasks", "N", "number of tasks, for jobs that split by range", AT(tasks), 0,
           0),
    OPTION(TEXT, 'o', "output", "PATH", "where the output goes; - is standard output", AT(output),
           0, 0),
    OPTION(TEXT, 0, "output-dir", "DIR", "write the output of each command to a file there",
           AT(output_dir), 0, 0),
    OPTION(TEXT, 0, "joblog", "PATH", "write a line for each command there, as GNU parallel",
           AT(log_path), 0, 0),
    OPTION(TEXT, 'd', "dir", "DIR", "run directory (NAME.sheaf)", AT(dir), 0, 0),
    OPTION(FLAG, 0, "shared-dir", NULL, "trust all who may write in the run directory",
           AT(is_shared), 0, 0),
    OPTION(TEXT, 0, "only", "LIST", "run only these tasks, such as 3-10,17 (from 0)", AT(only), 0,
           0),
    OPTION(FLAG, 0, "retry-failed", NULL, "try again what failed for good", AT(retries_failed), 0,
           0),
    OPTION(RERUN_STAGE, 0, "rerun-stage", "NAME", "run this stage anew; repeat for more", 0, 0, 0),
    OPTION(FLAG, 0, "fresh", NULL, "first delete what an earlier run left", AT(is_fresh), 0, 0),
    OPTION(FLAG, 0, "force", NULL, "continue although the job has changed", AT(is_forced), 0, 0),
    OPTION(FLAG, 0, "prune", NULL, "drop the results of lines that are in the list no more",
           AT(is_pruned), 0, 0),
    OPTION(FLAG, 0, "dry-run", NULL, "say what would run, and where; run nothing", AT(is_dry), 0,
           0),

    HEADING("Where to run it"),
    OPTION(COUNT_32, 'n', "ranks", "N", "number of ranks, master included, as for mpirun",
           AT(ranks), 1, RANKS_MAX),
    OPTION(WORKERS, 'w', "workers", "N", "number of workers: N + 1 ranks", AT(ranks), 1,
           RANKS_MAX - 1),
    OPTION(COUNT_32, 's', "slots", "N", "tasks at a time in a worker (one a core)",
           AT(slots_per_worker), 1, PLACEMENT_SLOTS_MAX),
    OPTION(COUNT_32, 0, "cores", "N", "cores of a task (1)", AT(resources.cores), 1, JOB_CORES_MAX),
    OPTION(COUNT_32, 0, "gpus", "N", "GPUs of a task (0)", AT(resources.gpus), 1, JOB_GPUS_MAX),
    OPTION(SIZE, 0, "reserve", "SIZE", "memory that each slot of a host must find there",
           AT(resources.memory_bytes), JOB_MEMORY_BYTES_MIN, BYTES_MAX),
    OPTION(TEXT, 0, "hostfile", "FILE", "hosts, as for mpirun", AT(hostfile), 0, 0),
    OPTION(TEXT, 'H', "host", "A,B,...", "hosts, as for mpirun", AT(host), 0, 0),
    OPTION(TEXT, 0, "mpirun", "PATH", "the mpirun to use (the first in $PATH)", AT(mpirun), 0, 0),
    OPTION(MPI_WORD, 0, "mpi-option", "WORD", "one more word for mpirun; repeat for more", 0, 0, 0),
    OPTION(FLAG, 0, "show-placement", NULL, "say which slot has which cores", AT(shows_placement),
           0, 0),

    HEADING("Limits of a task (before the job's own)"),
    OPTION(DURATION, 0, "timeout", "TIME", "longest time, such as 10s or 5min",
           AT(limits.task_timeout_ns), 1, TIME_MAX),
    OPTION(SIZE, 0, "memory", "SIZE", "most memory, such as 500M or 2G",
           AT(limits.task_memory_bytes), JOB_MEMORY_BYTES_MIN, BYTES_MAX),
    OPTION(COUNT_32, 0, "attempts", "N", "attempts before it counts as failed (3)",
           AT(limits.attempts_max), 1, 1000000),
    OPTION(COUNT_32, 0, "max-crashes", "N", "likewise, attempts that crashed (3)",
           AT(limits.crashes_max), 1, 1000000),
    OPTION(COUNT_32, 0, "max-failures", "N", "tasks failed for good that end the run (no limit)",
           AT(limits.failures_max), 1, 1000000000),

    HEADING("Scheduling"),
    OPTION(COUNT_64, 0, "range-min", "N", "fewest tasks handed out together (1)",
           AT(limits.range_count_min), 1, RANGE_COUNT_MAX),
    OPTION(COUNT_64, 0, "range-max", "N", "most tasks handed out together",
           AT(limits.range_count_max), 1, RANGE_COUNT_MAX),

    HEADING("Failures"),
    OPTION(DURATION, 0, "checkpoint", "TIME", "finished work that a crash may cost (1s)",
           AT(checkpoint_ns), 1, TIME_MAX),
    OPTION(DURATION, 0, "lost-after", "TIME", "silence that makes a worker lost (5s)",
           AT(lost_after_ns), 1, TIME_MAX),
    OPTION(DURATION, 0, "workers-timeout", "TIME",
           "without any worker, until all is started anew (30s)", AT(workers_timeout_ns), 1,
           TIME_MAX),
    OPTION(COUNT_32, 0, "restarts", "N", "restarts in a row without new results (10)",
           AT(restarts_max), 0, 1000000),
    OPTION(DURATION, 0, "grace", "TIME", "for running tasks to end when stopped (10s)",
           AT(grace_ns), 0, TIME_MAX),
    OPTION(DURATION, 0, "walltime", "TIME", "time for this run (in a Slurm job, what it has left)",
           AT(walltime_ns), 1, TIME_MAX),
    OPTION(DURATION, 0, "start-timeout", "TIME", "for mpirun to start the master (60s)",
           AT(start_timeout_ns), 1, TIME_MAX),
    OPTION(DURATION, 0, "silence-timeout", "TIME", "for the master to say anything (30s)",
           AT(silence_timeout_ns), 1, TIME_MAX),

    HEADING("What to say"),
    OPTION(FLAG, 'q', "quiet", NULL, "errors and warnings only", AT(is_quiet), 0, 0),
    OPTION(FLAG, 'v', "verbose", NULL, "all that mpirun and the ranks say", AT(is_verbose), 0, 0),
    OPTION(HELP, 'h', "help", NULL, "this text", 0, 0, 0),

    OPTION(TEXT, 0, "stored-input", "PATH", NULL, AT(stored_input), 0, 0),
    OPTION(TEXT, 0, "mpi-environment", "WORD", NULL, AT(mpi_environment), 0, 0),
    OPTION(TEXT, 0, "host-slots", "WORD", NULL, AT(host_slots), 0, 0),
    OPTION(TEXT, 0, "world", "PATH", NULL, AT(world), 0, 0),
    OPTION(FLAG, 0, "continued", NULL, NULL, AT(is_continued), 0, 0),
    OPTION(FLAG, 0, "under-launcher", NULL, NULL, AT(is_under_launcher), 0, 0),
    OPTION(FLAG, 0, "restart", NULL, NULL, AT(is_restart), 0, 0),
    OPTION(COUNT_64, 0, "end-at", "UNIX_MS", NULL, AT(end_unix_ms), 1, UINT64_MAX),
};

enum {
    OPTION_ENTRIES = sizeof option_table / sizeof *option_table,
    OPTION_VALUE_BASE = 256, /* what getopt_long returns is above all letters */
};

static int usage(struct sheaf_error *error, const char *what, const char *detail)
{
    return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                           "%s%.200s (`sheaf run --help` lists the options)", what, detail);
}

/* What getopt_long needs, from the table. */
static void build_getopt(struct option longs[OPTION_ENTRIES + 1], char letters[])
{
    size_t long_count = 0;
    size_t letter_count = 0;
    letters[letter_count++] = ':'; /* tell a missing argument from an unknown option */
    for (int i = 0; i < (int)OPTION_ENTRIES; i++) {
        const struct option_entry *entry = &option_table[i];
        if (entry->form == OPTION_HEADING)
            continue;
        longs[long_count++] =
            (struct option){.name = entry->name,
                            .has_arg = entry->form == OPTION_ARRAY_ENV ? optional_argument
                                       : entry->argument != NULL       ? required_argument
                                                                       : no_argument,
                            .val = OPTION_VALUE_BASE + i};
        if (entry->letter == '\0')
            continue;
        letters[letter_count++] = entry->letter;
        if (entry->argument != NULL)
            letters[letter_count++] = ':';
    }
    longs[long_count] = (struct option){.name = NULL};
    letters[letter_count] = '\0';
}

static const struct option_entry *find_entry(int value)
{
    if (value >= OPTION_VALUE_BASE)
        return &option_table[value - OPTION_VALUE_BASE];
    for (size_t i = 0; i < OPTION_ENTRIES; i++)
        if (option_table[i].letter == value)
            return &option_table[i];
    return NULL;
}

static int unknown_option(const char *argument, struct sheaf_error *error)
{
    const char *names[OPTION_ENTRIES];
    size_t count = 0;
    for (size_t i = 0; i < OPTION_ENTRIES; i++)
        if (option_table[i].form != OPTION_HEADING && option_table[i].help != NULL)
            names[count++] = option_table[i].name;
    char word[64] = "";
    if (strncmp(argument, "--", 2) == 0)
        snprintf(word, sizeof word, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
    const char *nearest = word[0] != '\0' ? suggest_nearest(word, names, count) : NULL;
    if (nearest == NULL)
        return usage(error, "unknown option ", argument);
    return sheaf_error_set(error, SHEAF_ERROR_USAGE, "unknown option %.200s; did you mean --%s?",
                           argument, nearest);
}

static void add_text(const char ***texts, size_t *count, const char *text)
{
    *texts = memory_resize(*texts, (*count + 1) * sizeof **texts);
    (*texts)[(*count)++] = text;
}

/* What the next run of the job is not told again: what it began with, and what is internal. */
static bool is_for_once(const struct option_entry *entry)
{
    static const char *const names[] = {"dir",   "only",  "retry-failed", "fresh",
                                        "force", "prune", "dry-run",      "help"};
    bool is_listed = entry->help == NULL;
    for (size_t i = 0; !is_listed && i < sizeof names / sizeof *names; i++)
        is_listed = strcmp(entry->name, names[i]) == 0;
    return is_listed;
}

static void add_word(struct run_options *options, const struct option_entry *entry,
                     const char *value)
{
    options->words =
        memory_resize(options->words, (options->word_count + 1) * sizeof *options->words);
    struct option_word *word = &options->words[options->word_count++];
    size_t size = strlen(entry->name) + (value != NULL ? strlen(value) : 0) + sizeof "--=";
    word->is_for_once = is_for_once(entry);
    word->text = memory_allocate(size);
    snprintf(word->text, size, "--%s%s%s", entry->name, value != NULL ? "=" : "",
             value != NULL ? value : "");
}

static void format_value(const struct option_entry *entry, uint64_t value,
                         char text[QUANTITY_TEXT_BYTES])
{
    if (entry->form == OPTION_DURATION)
        snprintf(text, QUANTITY_TEXT_BYTES, "%" PRIu64 "d", value / (24 * 3600 * SHEAF_NS_PER_S));
    else if (entry->form == OPTION_SIZE)
        format_size(value, text);
    else
        snprintf(text, QUANTITY_TEXT_BYTES, "%" PRIu64, value);
}

static int out_of_range(const struct option_entry *entry, const char *text, uint64_t value,
                        struct sheaf_error *error)
{
    char limit[QUANTITY_TEXT_BYTES];
    bool is_low = value < entry->value_min;
    format_value(entry, is_low ? entry->value_min : entry->value_max, limit);
    if (is_low && entry->value_min == JOB_MEMORY_BYTES_MIN)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--%s must be at least %s, and \"%.100s\" is %" PRIu64
                               " bytes: give it a unit, such as 10M or 10G",
                               entry->name, limit, text, value);
    if (is_low)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE, "--%s must be above 0, found \"%.100s\"",
                               entry->name, text);
    return sheaf_error_set(error, SHEAF_ERROR_USAGE, "--%s must be at most %s, found \"%.100s\"",
                           entry->name, limit, text);
}

static int parse_number(const struct option_entry *entry, const char *text, uint64_t *value,
                        struct sheaf_error *error)
{
    struct sheaf_error inner = {.code = 0};
    uint64_t parsed;
    int code = entry->form == OPTION_DURATION ? parse_duration(text, &parsed, &inner)
               : entry->form == OPTION_SIZE   ? parse_size(text, &parsed, &inner)
                                              : parse_count(text, &parsed, &inner);
    if (code != 0)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE, "--%s: %s", entry->name, inner.text);
    if (parsed < entry->value_min || parsed > entry->value_max)
        return out_of_range(entry, text, parsed, error);
    *value = parsed;
    return 0;
}

static int set_option(struct run_options *options, const struct option_entry *entry,
                      const char *text, struct sheaf_error *error)
{
    char *member = (char *)options + entry->offset;
    uint64_t number = 0;
    switch (entry->form) {
    case OPTION_HEADING:
        return 0;
    case OPTION_HELP:
        options->wants_help = true;
        return 0;
    case OPTION_FLAG:
        *(bool *)member = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)(void *)member = text;
        return 0;
    case OPTION_PARAMETER:
        add_text(&options->parameters, &options->parameter_count, text);
        return 0;
    case OPTION_INPUT:
        add_text(&options->inputs, &options->input_count, text);
        return 0;
    case OPTION_OUTPUT_FILE:
        add_text(&options->output_files, &options->output_file_count, text);
        return 0;
    case OPTION_ARRAY_ENV:
        options->has_array_env = true;
        return text != NULL ? parse_number(entry, text, &options->array_first, error) : 0;
    case OPTION_RERUN_STAGE:
        add_text(&options->rerun_stages, &options->rerun_stage_count, text);
        return 0;
    case OPTION_MPI_WORD:
        add_text(&options->mpi_options, &options->mpi_option_count, text);
        return 0;
    case OPTION_COUNT_32:
    case OPTION_COUNT_64:
    case OPTION_WORKERS:
    case OPTION_SIZE:
    case OPTION_DURATION:
        break;
    }
    int code = parse_number(entry, text, &number, error);
    if (code != 0)
        return code;
    if (entry->form == OPTION_COUNT_32)
        *(uint32_t *)(void *)member = (uint32_t)number;
    else if (entry->form == OPTION_WORKERS)
        *(uint32_t *)(void *)member = (uint32_t)number + 1;
    else
        *(uint64_t *)(void *)member = number;
    return 0;
}

static int parse_arguments(int argc, char **argv, struct run_options *options,
                           struct sheaf_error *error)
{
    struct option longs[OPTION_ENTRIES + 1];
    char letters[2 * OPTION_ENTRIES + 2];
    build_getopt(longs, letters);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    for (;;) {
        int at = optind > 0 ? optind : 1; /* of the argument that is looked at next */
        int value = getopt_long(argc, argv, letters, longs, NULL);
        if (value == -1)
            return 0;
        if (value == ':')
            return usage(error, "an argument is missing after ", argv[optind - 1]);
        if (value == '?') {
            char letter[] = {'-', (char)optopt, '\0'};
            bool is_letter = optopt > 0 && optopt < OPTION_VALUE_BASE;
            if (optopt >= OPTION_VALUE_BASE)
                return usage(error, "no argument belongs to ", argv[optind - 1]);
            return unknown_option(is_letter ? letter : argv[optind > at ? optind - 1 : at], error);
        }
        const struct option_entry *entry = find_entry(value);
        add_word(options, entry, optarg);
        int code = set_option(options, entry, optarg, error);
        if (code != 0)
            return code;
    }
}

static int check(const struct run_options *options, struct sheaf_error *error)
{
    const struct job_limits *limits = &options->limits;
    if (options->is_fresh && options->is_forced)
        return usage(error, "--fresh deletes the old results and --force keeps them: choose one",
                     "");
    if (limits->range_count_max != 0 && limits->range_count_min > limits->range_count_max)
        return usage(error, "--range-min is above --range-max", "");
    if (options->command == NULL && (options->input_count > 0 || options->is_nul_ended))
        return usage(error, "--input and --null belong to --command", "");
    struct task_list tasks = {0};
    struct sheaf_error list_error;
    if (options->only != NULL && task_list_parse(options->only, &tasks, &list_error) != 0)
        return usage(error, "--only: ", list_error.text);
    task_list_close(&tasks);
    if (options->command == NULL && options->is_piped)
        return usage(error, "--pipe belongs to --command (in a job file: `pipe: true`)", "");
    if (options->block_bytes != 0 && !options->is_piped)
        return usage(error, "--block belongs to --pipe", "");
    if (options->is_piped && options->is_nul_ended)
        return usage(error, "--pipe cuts at line ends, so --null is of no use with it", "");
    if (options->host != NULL && options->hostfile != NULL)
        return usage(error, "give the hosts by --host or by --hostfile, not both", "");
    return 0;
}

int options_parse(int argc, char **argv, struct run_options *options, struct sheaf_error *error)
{
    struct run_options parsed = {
        .checkpoint_ns = SHEAF_NS_PER_S,
        .lost_after_ns = 5 * SHEAF_NS_PER_S,
        .workers_timeout_ns = 30 * SHEAF_NS_PER_S,
        .grace_ns = 10 * SHEAF_NS_PER_S,
        .start_timeout_ns = 60 * SHEAF_NS_PER_S,
        .silence_timeout_ns = 30 * SHEAF_NS_PER_S,
        .restarts_max = 10,
        .arguments = argv + 1,
        .argument_count = argc - 1,
    };
    int code = parse_arguments(argc, argv, &parsed, error);
    if (code == 0 && !parsed.wants_help) {
        if (optind == argc && parsed.command == NULL)
            code = usage(error,
                         "which job? Give a job file (.yaml), a plug-in (.so) or a list of "
                         "command lines",
                         "");
        else if (optind + 1 < argc)
            code = usage(error, "one job at a time; this is one too many: ", argv[optind + 1]);
        else if (optind < argc)
            parsed.job_path = argv[optind];
    }
    if (code == 0)
        code = check(&parsed, error);
    if (code != 0) {
        options_close(&parsed);
        return code;
    }
    if (parsed.is_restart) {
        parsed.is_fresh = false;
        parsed.rerun_stage_count = 0;
        parsed.retries_failed = false;
    }
    *options = parsed;
    return 0;
}

void options_close(struct run_options *options)
{
    free(options->parameters);
    free(options->inputs);
    free(options->output_files);
    free(options->mpi_options);
    for (size_t i = 0; i < options->word_count; i++)
        free(options->words[i].text);
    free(options->words);
    options->words = NULL;
    options->word_count = 0;
    free(options->rerun_stages);
    options->rerun_stages = NULL;
    options->parameters = NULL;
    options->inputs = NULL;
    options->output_files = NULL;
    options->mpi_options = NULL;
}

void options_print_help(FILE *out)
{
    enum { HELP_COLUMN = 30 };
    fprintf(out,
            "Usage: sheaf run [options] JOB\n"
            "       sheaf run [options] --command TEXT [LIST]\n"
            "       sheaf run [options] DIR\n\n"
            "JOB is a job file (.yaml), a plug-in (.so) or a list of command lines; LIST holds\n"
            "an input a line; - is a list on standard input. The same command again continues\n"
            "where the run was interrupted; DIR is its run directory, and continues it with\n"
            "what is stored there.\n");
    for (size_t i = 0; i < OPTION_ENTRIES; i++) {
        const struct option_entry *entry = &option_table[i];
        if (entry->form == OPTION_HEADING) {
            fprintf(out, "\n%s:\n", entry->help);
            continue;
        }
        if (entry->help == NULL)
            continue;
        char letter[] = {entry->letter != '\0' ? '-' : ' ', entry->letter, '\0'};
        const char *before = entry->argument == NULL           ? ""
                             : entry->form == OPTION_ARRAY_ENV ? "[="
                                                               : " ";
        int width = fprintf(out, "  %-2s%c --%s%s%s%s", entry->letter != '\0' ? letter : "",
                            entry->letter != '\0' ? ',' : ' ', entry->name, before,
                            entry->argument != NULL ? entry->argument : "",
                            entry->form == OPTION_ARRAY_ENV ? "]" : "");
        fprintf(out, "%*s%s\n", width < HELP_COLUMN ? HELP_COLUMN - width : 1, "", entry->help);
    }
    fprintf(out, "\nExit status: 0 done; 1 finished, but tasks failed; 2 wrong usage or job;\n"
                 "3 stopped on request; 4 could not go on. 3 and 4: the same command continues.\n");
}
