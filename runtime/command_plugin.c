/* command_plugin.c - runs a job's commands where others call a plug-in. */
#include "command_plugin.h"

#include "../jobs/command_record.h"
#include "../jobs/job_command.h"
#include "../jobs/quantity.h"
#include "../scheduler/memory.h"
#include "command_environment.h"
#include "command_line.h"
#include "command_outputs.h"
#include "command_process.h"
#include "context.h"
#include "failed_output.h"
#include "last_lines.h"
#include "memory_file.h"
#include "process_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HOST_BYTES = 256,
    TEXT_BYTES = 600,
    WORDS_BYTES = 250, /* of standard error, in the text of a failure: as much as a report keeps */
    EXIT_NOT_FOUND = 127, /* as shells say */
    EXIT_NOT_EXECUTABLE = 126,
    BUFFER_BYTES_KEPT = 1 << 20,
};

/* What an executor keeps between commands. */
struct command_runner {
    const struct command_setup *setup;
    struct command_template *command; /* NULL: each input is a command */
    struct command_template *merge;   /* NULL: results are collected */
    struct job_command_values values;
    struct job_command_values merge_values;
    struct command_words words;
    struct command_environment *environment;
    struct command_outputs *outputs;
    struct command_process process;
    uint64_t memory_bytes_max;
    const _Atomic uint32_t *is_stopping; /* NULL: not known */
    struct byte_writer head;
    struct byte_writer line; /* a command of a list, ended by NUL */
    char **arguments;
    size_t argument_capacity;
    char host[HOST_BYTES];
};

static int open_hook(struct sheaf_context *context, void **local)
{
    const struct command_setup *setup = sheaf_shared(context);
    const struct job *job = setup->job;
    struct command_template *command = NULL;
    struct command_template *merge = NULL;
    struct sheaf_error error;
    if (job->command.text != NULL && job_command_parse(job, &command, &error) != 0)
        return sheaf_fail(context, "%s", error.text);
    if (job->command.merge_text != NULL && job_command_parse_merge(job, &merge, &error) != 0)
        return sheaf_fail(context, "%s", error.text);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return sheaf_fail(context, "cannot become a subreaper: %s", strerror(errno));
    const struct command_surroundings surroundings = {
        .command = &job->command,
        .list_path = job->command.text == NULL ? job->source_path : NULL,
        .run_dir = setup->run_dir,
        .task_count = sheaf_task_count(context),
        .slot_number = setup->slot_number,
        .core_count = sheaf_core_count(context),
    };
    struct command_runner *runner = memory_allocate_zeroed(1, sizeof *runner);
    runner->setup = setup;
    runner->command = command;
    runner->merge = merge;
    runner->is_stopping = context->is_stopping;
    runner->memory_bytes_max = process_memory_limit(job->limits.task_memory_bytes);
    runner->environment = command_environment_create(&surroundings);
    job_command_values_init(&runner->values, job);
    job_command_values_init_merge(&runner->merge_values, job);
    runner->outputs = command_outputs_create(job, setup->run_dir, setup->staging_note);
    if (gethostname(runner->host, sizeof runner->host - 1) != 0)
        strcpy(runner->host, "unknown-host");
    *local = runner;
    return 0;
}

static void close_hook(struct sheaf_context *context, void *local)
{
    (void)context;
    struct command_runner *runner = local;
    command_template_destroy(runner->command);
    command_template_destroy(runner->merge);
    job_command_values_close(&runner->values);
    job_command_values_close(&runner->merge_values);
    command_words_close(&runner->words);
    command_outputs_destroy(runner->outputs);
    command_environment_destroy(runner->environment);
    command_process_close(&runner->process);
    byte_writer_close(&runner->head);
    byte_writer_close(&runner->line);
    free(runner->arguments);
    free(runner);
}

/* ---- before ---- */

/* *cause is that of an error. */
static int fill_template(struct command_runner *runner, const struct sheaf_task *task,
                         enum cause *cause, struct sheaf_error *error)
{
    char index[JOB_COMMAND_INDEX_BYTES];
    const struct command_value given = {task->input.data, task->input.size};
    const struct command_value input =
        job_command_input(runner->setup->job, task->index, given, index);
    int code = job_command_values_set(&runner->values, input, error);
    if (code != 0)
        return code;
    const struct command_values values = {
        .input = input,
        .named = runner->values.items,
        .task_number = task->index + 1,
        .slot_number = runner->setup->slot_number,
    };
    *cause = CAUSE_OUTPUT;
    code = command_outputs_begin(runner->outputs, task->index, &values, &runner->values, error);
    if (code != 0)
        return code;
    *cause = CAUSE_INPUT;
    return command_template_fill(runner->command, &values, &runner->words, error);
}

static int fill_line(struct command_runner *runner, const struct sheaf_task *task,
                     struct sheaf_error *error)
{
    if (task->input.size > 0 && memchr(task->input.data, '\0', task->input.size) != NULL)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "the command line holds a NUL byte");
    byte_writer_clear(&runner->line);
    byte_writer_put(&runner->line, task->input.data, task->input.size);
    byte_writer_put_u8(&runner->line, '\0');
    struct command_template *command;
    int code = job_command_parse_line(runner->setup->job, (const char *)runner->line.data, &command,
                                      error);
    if (code != 0)
        return code;
    const struct command_values none = {.task_number = task->index + 1};
    code = command_template_fill(command, &none, &runner->words, error);
    command_template_destroy(command);
    return code;
}

/* Pointers to the words, for exec. */
static void point_to_arguments(struct command_runner *runner)
{
    const struct command_words *words = &runner->words;
    void *arguments = runner->arguments;
    memory_grow(&arguments, &runner->argument_capacity, words->argument_count + 1,
                sizeof *runner->arguments);
    runner->arguments = arguments;
    for (size_t i = 0; i < words->argument_count; i++)
        runner->arguments[i] = (char *)words->bytes.data + words->starts[i];
    runner->arguments[words->argument_count] = NULL;
}

/* ---- after ---- */

/* As shells say it. */
static int status_of_start_failure(int start_errno)
{
    return start_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* True for a command that did what it should; fills in the failure otherwise. */
static bool judge(const struct command_runner *runner, char text[TEXT_BYTES],
                  struct attempt_failure *failure)
{
    const struct command_process *process = &runner->process;
    char words[WORDS_BYTES];
    char limit[QUANTITY_TEXT_BYTES];
    bool has_words = last_lines(process->err.data, process->err.size, words, sizeof words) > 0;
    snprintf(text, TEXT_BYTES, "%s", has_words ? words : "nothing on its standard error");
    *failure = (struct attempt_failure){.text = text};
    switch (process->end) {
    case COMMAND_NOT_STARTED:
        failure->cause = CAUSE_EXIT;
        failure->detail = status_of_start_failure(process->start_errno);
        snprintf(text, TEXT_BYTES, "cannot start %s%.200s: %s%s",
                 runner->words.is_script ? "the shell " : "", runner->arguments[0],
                 strerror(process->start_errno),
                 process->start_errno != ENOENT ? ""
                 : runner->words.is_script
                     ? " (install it on this host, or choose another by --shell)"
                     : " (is it installed on this host, and in its PATH?)");
        return false;
    case COMMAND_TIMED_OUT:
        failure->cause = CAUSE_TIMEOUT;
        failure->detail = SIGTERM;
        format_duration(runner->setup->job->limits.task_timeout_ns, limit);
        snprintf(text, TEXT_BYTES, "its limit is %s (--timeout)%s%s", limit,
                 has_words ? "; it wrote last: " : "", has_words ? words : "");
        return false;
    case COMMAND_WROTE_TOO_MUCH:
        failure->cause = CAUSE_LIMIT;
        snprintf(text, TEXT_BYTES,
                 "it wrote more than %d MiB to its standard output: let it write to a file",
                 COMMAND_OUT_BYTES_MAX >> 20);
        return false;
    case COMMAND_USED_TOO_MUCH_MEMORY:
        failure->cause = CAUSE_MEMORY;
        failure->detail = SIGKILL;
        format_size(runner->memory_bytes_max >> 20 << 20, limit);
        snprintf(text, TEXT_BYTES, "its processes together had more than %s (--memory)", limit);
        return false;
    case COMMAND_STOPPED:
        failure->cause = CAUSE_STOPPED;
        return false;
    case COMMAND_ENDED:
        break;
    }
    if (WIFSIGNALED(process->status)) {
        failure->cause = CAUSE_SIGNAL;
        failure->detail = WTERMSIG(process->status);
    } else if (WEXITSTATUS(process->status) != 0) {
        failure->cause = CAUSE_EXIT;
        failure->detail = WEXITSTATUS(process->status);
    }
    return failure->cause == CAUSE_NONE;
}

static struct command_record record_of(const struct command_runner *runner,
                                       const struct sheaf_task *task)
{
    const struct command_process *process = &runner->process;
    bool was_started = process->end != COMMAND_NOT_STARTED;
    int status = was_started ? process->status : status_of_start_failure(process->start_errno) << 8;
    return (struct command_record){
        .task = task->index,
        .attempt = task->attempt,
        .exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .start_unix_us = process->start_unix_ns / 1000,
        .duration_us = was_started ? process->duration_ns / 1000 : 0,
        .memory_bytes = was_started ? process->memory_bytes : 0,
        .host = runner->host,
        .host_bytes = strlen(runner->host),
        .out = process->out.data,
        .out_bytes = process->out.size,
        .err = process->err.data,
        .err_bytes = process->err.size,
    };
}

/* The command in words that can be typed: for the log. The caller owns the string. */
static char *type_words(const struct command_runner *runner)
{
    const struct command_words *words = &runner->words;
    int count = 0;
    char **typed =
        memory_allocate_zeroed(words->variable_count + words->argument_count + 1, sizeof *typed);
    char *env = memory_copy_string("env");
    if (words->variable_count > 0)
        typed[count++] = env;
    for (size_t i = 0; i < words->variable_count; i++)
        typed[count++] = (char *)words->bytes.data + words->starts[words->argument_count + i];
    for (size_t i = 0; i < words->argument_count; i++)
        typed[count++] = runner->arguments[i];
    char *line = command_line_format(typed, count);
    free(env);
    free(typed);
    return line;
}

static char *type_command(const struct command_runner *runner)
{
    return runner->command != NULL ? type_words(runner)
                                   : memory_copy_string((const char *)runner->line.data);
}

static void log_error_output(const unsigned char *data, size_t size_bytes)
{
    if (size_bytes > 0)
        fwrite(data, 1, size_bytes, stderr);
}

/* Where results are merged nobody will ask for what one task wrote to its standard error: the log
 * of the slot keeps it. */
static int emit(struct sheaf_context *context, struct command_runner *runner,
                struct command_record *record)
{
    if (runner->merge != NULL) {
        log_error_output(record->err, record->err_bytes);
        record->err_bytes = 0;
    }
    byte_writer_clear(&runner->head);
    command_record_put_head(record, &runner->head);
    int status = sheaf_emit(context, runner->head.data, runner->head.size);
    if (status == 0 && record->out_bytes > 0)
        status = sheaf_emit(context, record->out, record->out_bytes);
    if (status == 0 && record->err_bytes > 0)
        status = sheaf_emit(context, record->err, record->err_bytes);
    return status;
}

/* Attempts that fail leave no result, so what they wrote is kept in a file beside the journal. */
static int fail(struct sheaf_context *context, struct command_runner *runner,
                const struct command_record *record, const struct attempt_failure *failure)
{
    const struct failed_output_place place = {
        .run_dir = runner->setup->run_dir,
        .host = runner->host,
        .spawner = runner->setup->spawner,
        .slot = runner->setup->slot,
    };
    if (failure->cause != CAUSE_STOPPED) /* which is no failed attempt */
        failed_output_append(&place, record);
    return context_fail(context, failure);
}

static void forget_large_buffers(struct command_runner *runner)
{
    if (runner->process.out.capacity > BUFFER_BYTES_KEPT)
        byte_writer_close(&runner->process.out);
    if (runner->process.err.capacity > BUFFER_BYTES_KEPT)
        byte_writer_close(&runner->process.err);
}

/* Runs what stands in `words`. */
static void execute(struct command_runner *runner, uint64_t task, int input, size_t out_bytes_max)
{
    const struct job_limits *limits = &runner->setup->job->limits;
    point_to_arguments(runner);
    const struct command_process_options options = {
        .arguments = runner->arguments,
        .environment = command_environment_of(runner->environment, task, &runner->words),
        .input = input,
        .timeout_ns = limits->task_timeout_ns,
        .memory_bytes_max = runner->memory_bytes_max,
        .memory_look_ms =
            limits->task_memory_bytes > 0 ? PROCESS_MEMORY_LOOK_MS : PROCESS_MEMORY_LOOK_MS_DEFAULT,
        .is_stopping = runner->is_stopping,
        .session = runner->setup->session,
        .out_bytes_max = out_bytes_max,
        .err_bytes_max = COMMAND_ERR_BYTES_MAX,
    };
    command_process_run(&runner->process, &options);
}

static int end_run(struct sheaf_context *context, struct command_runner *runner,
                   const struct sheaf_task *task)
{
    char text[TEXT_BYTES];
    struct attempt_failure failure;
    struct sheaf_error error;
    bool is_success = judge(runner, text, &failure);
    if (is_success && command_outputs_publish(runner->outputs, &error) != 0) {
        is_success = false;
        failure = (struct attempt_failure){.cause = CAUSE_OUTPUT, .text = error.text};
    }
    char *typed = type_command(runner);
    struct command_record record = record_of(runner, task);
    record.command = typed;
    record.command_bytes = strnlen(typed, COMMAND_RECORD_TEXT_BYTES_MAX);
    if (runner->setup->ended != NULL)
        runner->setup->ended(runner->setup->ended_context, &record, is_success ? NULL : &failure);
    int status =
        is_success ? emit(context, runner, &record) : fail(context, runner, &record, &failure);
    free(typed);
    forget_large_buffers(runner);
    return status;
}

int command_plugin_type(const struct command_setup *setup, const struct sheaf_task *task,
                        char **text, struct sheaf_error *error)
{
    struct command_runner runner = {.setup = setup};
    enum cause ignored;
    int code = 0;
    runner.outputs = command_outputs_create_to_tell(setup->job);
    job_command_values_init(&runner.values, setup->job);
    if (setup->job->command.text != NULL)
        code = job_command_parse(setup->job, &runner.command, error);
    if (code == 0)
        code = runner.command != NULL ? fill_template(&runner, task, &ignored, error)
                                      : fill_line(&runner, task, error);
    if (code == 0) {
        point_to_arguments(&runner);
        *text = type_command(&runner);
    }
    command_outputs_destroy(runner.outputs);
    command_template_destroy(runner.command);
    job_command_values_close(&runner.values);
    command_words_close(&runner.words);
    byte_writer_close(&runner.line);
    free(runner.arguments);
    return code;
}

static int run(struct sheaf_context *context, struct command_runner *runner,
               const struct sheaf_task *task)
{
    struct sheaf_error error;
    enum cause cause = CAUSE_INPUT;
    if (sheaf_is_stopping(context))
        return context_fail(context, &(struct attempt_failure){.cause = CAUSE_STOPPED, .text = ""});
    int code = runner->command != NULL ? fill_template(runner, task, &cause, &error)
                                       : fill_line(runner, task, &error);
    if (code != 0)
        return context_fail(context, &(struct attempt_failure){.cause = cause, .text = error.text});
    int input = -1;
    if (runner->setup->job->command.is_piped) {
        input = memory_file_create(task->input.data, task->input.size);
        if (input < 0)
            return sheaf_fail(context, "no memory for the input of the command: %s",
                              strerror(errno));
    }
    execute(runner, task->index, input, COMMAND_OUT_BYTES_MAX);
    if (input >= 0)
        close(input);
    return end_run(context, runner, task);
}

static int run_hook(struct sheaf_context *context, const struct sheaf_task *task)
{
    struct command_runner *runner = sheaf_local(context);
    int status = run(context, runner, task);
    command_outputs_end(runner->outputs);
    return status;
}

/* ---- merging ---- */

enum { SIDE_PATH_BYTES = 32 };

/* One of the two results, as a file that the merge command can open. */
struct merge_side {
    int descriptor;
    char path[SIDE_PATH_BYTES];
};

static bool open_side(struct merge_side *side, const struct command_record *record)
{
    side->descriptor = memory_file_create_inherited(record->out, record->out_bytes);
    snprintf(side->path, sizeof side->path, "/dev/fd/%d", side->descriptor);
    return side->descriptor >= 0;
}

static void close_side(struct merge_side *side)
{
    if (side->descriptor >= 0)
        close(side->descriptor);
}

static int fill_merge(struct command_runner *runner, const struct merge_side sides[JOB_MERGE_SIDES],
                      uint64_t task, struct sheaf_error *error)
{
    for (size_t i = 0; i < JOB_MERGE_SIDES; i++)
        runner->merge_values.items[i] =
            (struct command_value){sides[i].path, strlen(sides[i].path)};
    const struct command_values values = {
        .named = runner->merge_values.items,
        .task_number = task + 1,
        .slot_number = runner->setup->slot_number,
    };
    return command_template_fill(runner->merge, &values, &runner->words, error);
}

/* Says that it was not a task's own command. */
static int fail_merge(struct sheaf_context *context, const struct attempt_failure *failure)
{
    const char *text = failure->text;
    int detail = failure->detail;
    if (failure->cause == CAUSE_EXIT)
        return sheaf_fail(context, "the merge command exited with status %d: %s", detail, text);
    if (failure->cause == CAUSE_SIGNAL)
        return sheaf_fail(context, "the merge command was killed by signal %d: %s", detail, text);
    return sheaf_fail(context, "the merge command: %s: %s", cause_text(failure->cause), text);
}

static int end_merge(struct sheaf_context *context, struct command_runner *runner, uint64_t task)
{
    char text[TEXT_BYTES];
    struct attempt_failure failure;
    bool is_success = judge(runner, text, &failure);
    int status;
    if (is_success) {
        char *typed = type_words(runner);
        struct command_record record = record_of(runner, &(struct sheaf_task){.index = task});
        record.command = typed;
        record.command_bytes = strnlen(typed, COMMAND_RECORD_TEXT_BYTES_MAX);
        status = emit(context, runner, &record);
        free(typed);
    } else {
        log_error_output(runner->process.err.data, runner->process.err.size);
        status = fail_merge(context, &failure);
    }
    forget_large_buffers(runner);
    return status;
}

static int merge_hook(struct sheaf_context *context, struct sheaf_bytes left,
                      struct sheaf_bytes right)
{
    struct command_runner *runner = sheaf_local(context);
    struct byte_reader readers[] = {byte_reader_of(left.data, left.size),
                                    byte_reader_of(right.data, right.size)};
    struct command_record records[JOB_MERGE_SIDES];
    struct merge_side sides[JOB_MERGE_SIDES] = {{.descriptor = -1}, {.descriptor = -1}};
    struct sheaf_error error;
    int status = 0;
    for (size_t i = 0; i < JOB_MERGE_SIDES; i++)
        if (!command_record_get(&readers[i], &records[i]))
            return sheaf_fail(context, "a result to be merged makes no sense");
    for (size_t i = 0; status == 0 && i < JOB_MERGE_SIDES; i++)
        if (!open_side(&sides[i], &records[i]))
            status =
                sheaf_fail(context, "no memory for a result to be merged: %s", strerror(errno));
    uint64_t task = records[JOB_MERGE_LEFT].task;
    if (status == 0 && fill_merge(runner, sides, task, &error) != 0)
        status = sheaf_fail(context, "%s", error.text);
    if (status == 0) {
        execute(runner, task, -1, COMMAND_MERGED_BYTES_MAX);
        status = end_merge(context, runner, task);
    }
    for (size_t i = 0; i < JOB_MERGE_SIDES; i++)
        close_side(&sides[i]);
    return status;
}

const struct sheaf_plugin *command_plugin_table(void)
{
    static const struct sheaf_plugin table = {
        .interface_version = SHEAF_INTERFACE_VERSION,
        .size_bytes = sizeof table,
        .open = open_hook,
        .close = close_hook,
        .run = run_hook,
        .merge = merge_hook,
    };
    return &table;
}
