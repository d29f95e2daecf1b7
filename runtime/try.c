/* try.c - runs one task in this process, so that a debugger sees all of it. */
#include "try.h"

#include "../jobs/command_record.h"
#include "../jobs/plugin.h"
#include "../jobs/split.h"
#include "../scheduler/memory.h"
#include "../scheduler/printable.h"
#include "clock.h"
#include "command_plugin.h"
#include "context.h"
#include "print_foreign.h"
#include "report.h"
#include "run_job.h"
#include "stored_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, DUMP_BYTES_MAX = 256, DUMP_LINE_BYTES = 16 };

static const char usage[] =
    "Usage: sheaf try --task I [options of sheaf run] JOB\n"
    "       sheaf try --task I [options of sheaf run] --command TEXT [LIST]\n"
    "Runs task I (from 0) of the job that `sheaf run` would run with the same words, here and "
    "alone,\n"
    "and prints its result. Works under a debugger:\n"
    "    gdb --args sheaf try PLUGIN --task I\n";

struct try_options {
    const char *task;
    char **arguments; /* those of sheaf run: owned array of borrowed strings */
    int argument_count;
    struct run_options run;
    char *stored_input; /* a list from standard input, alone in its folder; NULL: none */
};

/* Everything that a try needs; all zero is valid to close. */
struct trial {
    struct job job;
    const struct sheaf_plugin *table;
    struct command_setup commands; /* when tasks are commands */
    struct sheaf_context context;
    struct sheaf_task task;
    struct byte_writer stored; /* the task's input as split named it */
    struct byte_writer scratch;
    struct byte_writer input; /* aligned, as the plug-in sees it */
    bool is_found;
    bool is_quiet;
    bool has_ended; /* the command has, and what it wrote was printed */
    bool has_told;  /* that it failed */
    struct merge_item result;
    uint64_t elapsed_ns;
};

/* ---- the command line ---- */

static int complain(const struct sheaf_error *error)
{
    print_harmless(stderr, "sheaf try: %s\n", error->text);
    return EXIT_USAGE;
}

/* The value of an option --NAME VALUE or --NAME=VALUE at argv[*i], which then is the last word of
 * it; NULL when there is another option, or no value. */
static const char *find_value(int argc, char **argv, int *i, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(argv[*i], name, length) != 0)
        return NULL;
    if (argv[*i][length] == '=')
        return argv[*i] + length + 1;
    return argv[*i][length] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

/* Takes out what is not for `sheaf run`. */
static void take_task(int argc, char **argv, struct try_options *options)
{
    options->arguments = memory_allocate_zeroed((size_t)argc + 1, sizeof *options->arguments);
    for (int i = 0; i < argc; i++) {
        const char *task = find_value(argc, argv, &i, "--task");
        if (task != NULL)
            options->task = task;
        else
            options->arguments[options->argument_count++] = argv[i];
    }
}

/* 0, EXIT_USAGE, or -1 after --help. */
static int parse(int argc, char **argv, struct try_options *options)
{
    struct sheaf_error error;
    take_task(argc, argv, options);
    if (options_parse(options->argument_count, options->arguments, &options->run, &error) != 0) {
        complain(&error);
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (options->run.wants_help) {
        fputs(usage, stdout);
        return -1;
    }
    if (options->task == NULL) {
        fprintf(stderr, "sheaf try: --task is missing\n%s", usage);
        return EXIT_USAGE;
    }
    return 0;
}

/* A list is read more than once. */
static int store_input(struct try_options *options, struct sheaf_error *error)
{
    bool is_new; /* it goes in any case */
    char dir[] = "/tmp/sheaf-try-XXXXXX";
    if (options->run.job_path == NULL || strcmp(options->run.job_path, "-") != 0)
        return 0;
    if (mkdtemp(dir) == NULL)
        return sheaf_error_set_errno(error, errno, "cannot make a directory in /tmp");
    int code = stored_input_write(dir, STDIN_FILENO, &options->stored_input, &is_new, error);
    if (code != 0)
        rmdir(dir);
    options->run.stored_input = options->stored_input;
    return code;
}

static void close_options(struct try_options *options)
{
    if (options->stored_input != NULL) {
        unlink(options->stored_input);
        *strrchr(options->stored_input, '/') = '\0';
        rmdir(options->stored_input);
    }
    free(options->stored_input);
    options_close(&options->run);
    free(options->arguments);
}

static void warn(void *context, const char *text)
{
    (void)context;
    print_harmless(stderr, "sheaf try: warning: %s\n", text);
}

/* Reads the job as `sheaf run` does. One without a number of tasks has just as many as are needed.
 */
static int read_job(const struct try_options *options, struct trial *trial,
                    struct sheaf_error *error)
{
    int code = run_job_read(&options->run, &trial->job, error);
    if (code == 0 && trial->job.plan != NULL)
        code = sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "%s has stages, and a task of one could read what others have not "
                               "made yet: try its command or plug-in in a job file of its own",
                               options->run.job_path);
    if (code == 0 && parse_count(options->task, &trial->task.index, NULL) != 0)
        code = sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--task must be the index of a task (0 or more), found \"%.100s\"",
                               options->task);
    struct split *split = &trial->job.split;
    if (code == 0 && split->kind == SPLIT_RANGE && split->tasks == 0 &&
        !trial->job.command.is_there && trial->task.index < SHEAF_TASKS_MAX)
        split->tasks = trial->task.index + 1;
    if (code == 0)
        code = job_check(&trial->job, error);
    if (code == 0)
        code = job_check_use(&trial->job, error);
    return code;
}

/* What a command wrote goes where it would have gone; then how it ended is told. */
static void tell_end(void *context, const struct command_record *record,
                     const struct attempt_failure *failure)
{
    struct trial *trial = context;
    char end[200] = "exited with status 0";
    const char *text = "";
    trial->has_ended = true;
    trial->has_told = failure != NULL;
    print_content(stdout, record->out, record->out_bytes);
    fflush(stdout);
    print_content(stderr, record->err, record->err_bytes);
    if (failure != NULL) {
        bool is_last_line = failure->cause == CAUSE_EXIT || failure->cause == CAUSE_SIGNAL;
        report_describe_cause(failure->cause, failure->detail, end, sizeof end);
        text = is_last_line && record->err_bytes > 0 ? "" : failure->text;
    }
    if (trial->is_quiet && failure == NULL)
        return;
    print_harmless(stderr, "sheaf try: task %" PRIu64 " is: %.*s\n", record->task,
                   (int)record->command_bytes, record->command);
    print_harmless(stderr, "sheaf try: task %" PRIu64 " %s after %.3f s%s%s\n", record->task, end,
                   (double)record->duration_us / 1e6, text[0] != '\0' ? ": " : "", text);
}

static int load(struct trial *trial, struct sheaf_error *error)
{
    if (!trial->job.command.is_there)
        return plugin_load(trial->job.plugin_path, &trial->table, error);
    trial->commands = (struct command_setup){
        .job = &trial->job, .slot_number = 1, .ended = tell_end, .ended_context = trial};
    trial->context.shared = &trial->commands;
    trial->table = command_plugin_table();
    job_warn(&trial->job, warn, NULL);
    return 0;
}

/* ---- calls of the plug-in ---- */

static int call_prepare(void *argument)
{
    struct trial *trial = argument;
    return trial->table->prepare(&trial->context, &trial->context.shared);
}

static int call_open(void *argument)
{
    struct trial *trial = argument;
    return trial->table->open(&trial->context, &trial->context.local);
}

static int call_split(void *argument)
{
    struct trial *trial = argument;
    return trial->table->split(&trial->context);
}

static int call_run(void *argument)
{
    struct trial *trial = argument;
    return trial->table->run(&trial->context, &trial->task);
}

static int call_close(void *argument)
{
    struct trial *trial = argument;
    trial->table->close(&trial->context, trial->context.local);
    return 0;
}

/* True when the hook succeeded; complains otherwise. */
static bool call_hook(struct trial *trial, const char *hook, int (*call)(void *),
                      struct merge_item *result)
{
    struct sheaf_context *context = &trial->context;
    if (result != NULL)
        context_begin(context, hook, result);
    else
        context_begin_silent(context, hook);
    int status = context_call(context, call, trial);
    if (context_end(context, result, status))
        return true;
    if (!trial->has_told)
        print_harmless(stderr, "sheaf try: %s failed: %s\n", hook,
                       context_take_text(context, status));
    return false;
}

/* ---- the task's input ---- */

static void keep_input(struct trial *trial, const void *data, size_t size)
{
    byte_writer_put(&trial->stored, data, size);
    trial->is_found = true;
}

/* A context_take_tasks that looks for the one task. */
static void look_through(void *owner, const struct byte_writer *batch)
{
    struct trial *trial = owner;
    struct byte_reader reader = byte_reader_of(batch->data, batch->size);
    uint64_t count = byte_reader_get_u64(&reader);
    bool has_input = byte_reader_get_bool(&reader);
    uint64_t first = trial->context.task_count;
    trial->context.task_count += count;
    if (trial->task.index < first || trial->task.index >= first + count)
        return;
    const unsigned char *data = NULL;
    size_t size = 0;
    for (uint64_t i = first; has_input && i <= trial->task.index; i++)
        data = byte_reader_get_blob(&reader, &size);
    keep_input(trial, data, size);
}

static bool find_in_plugin_split(struct trial *trial)
{
    if (trial->table->split == NULL) {
        print_harmless(stderr,
                       "sheaf try: the job says `split: plugin`, but the plug-in has no split\n");
        return false;
    }
    trial->context.take_tasks = look_through;
    bool is_split = call_hook(trial, "split", call_split, NULL);
    if (is_split)
        context_flush_tasks(&trial->context);
    trial->context.take_tasks = NULL;
    return is_split;
}

static bool find_in_split(struct trial *trial)
{
    struct split_walk *walk;
    struct sheaf_error error = {0};
    if (split_walk_create(&trial->job.split, &walk, &error) != 0) {
        complain(&error);
        return false;
    }
    trial->context.task_count = split_walk_task_count(walk);
    struct byte_reader input = {0};
    if (!split_walk_has_input(walk)) {
        trial->is_found = trial->task.index < trial->context.task_count;
    } else if (trial->task.index < trial->context.task_count) {
        int code = 1;
        for (uint64_t i = 0; code == 1 && i <= trial->task.index; i++)
            code = split_walk_next(walk, &input, &error);
        if (code < 0) {
            split_walk_destroy(walk);
            complain(&error);
            return false;
        }
        keep_input(trial, input.data + input.position, byte_reader_left(&input));
    }
    split_walk_destroy(walk);
    return true;
}

/* Turns what split named into what the plug-in sees. */
static bool materialize(struct trial *trial)
{
    struct byte_reader bytes;
    struct sheaf_error error = {0};
    if (split_materialize(trial->job.split.kind,
                          byte_reader_of(trial->stored.data, trial->stored.size), &trial->scratch,
                          &bytes, &error) != 0) {
        complain(&error);
        return false;
    }
    byte_writer_put(&trial->input, bytes.data + bytes.position, byte_reader_left(&bytes));
    trial->task.input = (struct sheaf_bytes){trial->input.data, trial->input.size};
    return true;
}

/* ---- the task ---- */

static int run_found_task(struct trial *trial)
{
    if (trial->job.split.kind != SPLIT_RANGE && !materialize(trial))
        return EXIT_FAILED;
    uint64_t start_ns = clock_monotonic_ns();
    bool is_success = call_hook(trial, "run", call_run, &trial->result);
    trial->elapsed_ns = clock_monotonic_ns() - start_ns;
    if (trial->table->close != NULL)
        call_hook(trial, "close", call_close, NULL);
    return is_success ? EXIT_OK : EXIT_FAILED;
}

/* Calls the hooks in the order in which a run of the job does. Returns the exit status. */
static int run(struct trial *trial)
{
    const struct sheaf_plugin *table = trial->table;
    bool has_plugin_split = trial->job.split.kind == SPLIT_PLUGIN;
    if (table->prepare != NULL && !call_hook(trial, "prepare", call_prepare, NULL))
        return EXIT_FAILED;
    if (!has_plugin_split && !find_in_split(trial))
        return EXIT_USAGE;
    if (table->open != NULL && !call_hook(trial, "open", call_open, NULL))
        return EXIT_FAILED;
    if (has_plugin_split && !find_in_plugin_split(trial))
        return EXIT_FAILED;
    if (trial->is_found)
        return run_found_task(trial);
    print_harmless(
        stderr, "sheaf try: there is no task %" PRIu64 ": the job has %" PRIu64 " tasks, from 0\n",
        trial->task.index, trial->context.task_count);
    return EXIT_USAGE;
}

/* ---- the result ---- */

/* Without control characters but those that a text has. */
static bool is_text(const char *data, size_t size)
{
    char shown[PRINTABLE_BYTES];
    for (size_t i = 0, taken; i < size; i += taken) {
        size_t length = printable_character(data + i, size - i, shown, &taken);
        bool is_itself = length == taken && memcmp(shown, data + i, taken) == 0;
        if (!is_itself && (data[i] == '\0' || strchr("\n\t\r", data[i]) == NULL))
            return false;
    }
    return true;
}

static void dump(const unsigned char *data, size_t size)
{
    size_t shown = size < DUMP_BYTES_MAX ? size : DUMP_BYTES_MAX;
    for (size_t line = 0; line < shown; line += DUMP_LINE_BYTES) {
        printf("%04zx ", line);
        for (size_t i = line; i < line + DUMP_LINE_BYTES && i < shown; i++)
            printf(" %02x", data[i]);
        putchar('\n');
    }
    if (shown < size)
        printf("... %zu bytes more\n", size - shown);
}

static int print_result(const struct trial *trial)
{
    if (trial->has_ended)
        return ferror(stdout) ? EXIT_FAILED : EXIT_OK;
    const struct merge_item *result = &trial->result;
    fflush(stdout); /* what the plug-in has printed comes first */
    print_harmless(stderr, "task %" PRIu64 ": %zu bytes in %.3f ms\n", trial->task.index,
                   result->size, (double)trial->elapsed_ns / 1e6);
    if (result->size > 0 && is_text((const char *)result->data, result->size)) {
        fwrite(result->data, 1, result->size, stdout);
        if (result->data[result->size - 1] != '\n')
            putchar('\n');
    } else {
        dump(result->data, result->size);
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    print_harmless(stderr, "sheaf try: cannot write the result: %s\n", strerror(errno));
    return EXIT_FAILED;
}

static void close_trial(struct trial *trial)
{
    job_close(&trial->job);
    context_close(&trial->context);
    byte_writer_close(&trial->stored);
    byte_writer_close(&trial->scratch);
    byte_writer_close(&trial->input);
    merge_item_close(&trial->result);
    free(trial);
}

int try_command(int argc, char **argv)
{
    struct try_options options = {0};
    struct sheaf_error error = {0};
    struct trial *trial = memory_allocate_zeroed(1, sizeof *trial);
    int status = parse(argc, argv, &options);
    if (status != 0)
        goto close;
    if (store_input(&options, &error) != 0 || read_job(&options, trial, &error) != 0 ||
        load(trial, &error) != 0) {
        status = complain(&error);
        goto close;
    }
    trial->is_quiet = options.run.is_quiet;
    trial->task.attempt = 1;
    trial->context.parameters = &trial->job.parameters;
    trial->context.core_count = 1;
    trial->context.owner = trial;
    status = run(trial);
    if (status == EXIT_OK)
        status = print_result(trial);
close:
    close_trial(trial);
    close_options(&options);
    return status < 0 ? EXIT_OK : status;
}
