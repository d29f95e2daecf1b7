/* command_plugin.c - runs a job's commands where others call a plug-in. */
#include "command_plugin.h"

#include "../jobs/command_record.h"
#include "../jobs/job_command.h"
#include "../scheduler/memory.h"
#include "command_environment.h"
#include "command_line.h"
#include "command_process.h"
#include "context.h"
#include "failed_output.h"

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
    LINE_BYTES_MAX = 400, /* of standard error, in the text of a failure */
    EXIT_NOT_FOUND = 127, /* as shells say */
    EXIT_NOT_EXECUTABLE = 126,
    BUFFER_BYTES_KEPT = 1 << 20,
};

/* What an executor keeps between commands. */
struct command_runner {
    const struct command_setup *setup;
    struct command_template *command; /* NULL: each input is a command */
    struct job_command_values values;
    struct command_words words;
    struct command_environment *environment;
    struct command_process process;
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
    struct sheaf_error error;
    if (job->command.text != NULL && job_command_parse(job, &command, &error) != 0)
        return sheaf_fail(context, "%s", error.text);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return sheaf_fail(context, "cannot become a subreaper: %s", strerror(errno));
    const struct command_surroundings surroundings = {
        .command = &job->command,
        .task_count = sheaf_task_count(context),
        .slot_number = setup->slot_number,
        .core_count = sheaf_core_count(context),
    };
    struct command_runner *runner = memory_allocate_zeroed(1, sizeof *runner);
    runner->setup = setup;
    runner->command = command;
    runner->environment = command_environment_create(&surroundings);
    job_command_values_init(&runner->values, job);
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
    job_command_values_close(&runner->values);
    command_words_close(&runner->words);
    command_environment_destroy(runner->environment);
    command_process_close(&runner->process);
    byte_writer_close(&runner->head);
    byte_writer_close(&runner->line);
    free(runner->arguments);
    free(runner);
}

/* ---- before ---- */

static int fill_template(struct command_runner *runner, const struct sheaf_task *task,
                         struct sheaf_error *error)
{
    char index[24];
    struct command_value input = {task->input.data, task->input.size};
    const struct job *job = runner->setup->job;
    if (job->split.kind == SPLIT_RANGE) {
        input.size = (size_t)snprintf(index, sizeof index, "%" PRIu64, task->index);
        input.data = index;
    }
    int code = job_command_values_set(&runner->values, input, error);
    if (code != 0)
        return code;
    const struct command_values values = {
        .input = input,
        .named = runner->values.items,
        .task_number = task->index + 1,
        .slot_number = runner->setup->slot_number,
    };
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
    int code = job_command_parse_line((const char *)runner->line.data, &command, error);
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

/* The last line with anything in it: most programs end with what went wrong. */
static void last_line(const struct byte_writer *err, char text[LINE_BYTES_MAX + 1])
{
    size_t end = err->size;
    while (end > 0 && (err->data[end - 1] == '\n' || err->data[end - 1] == '\r'))
        end--;
    size_t start = end;
    while (start > 0 && err->data[start - 1] != '\n' && end - start < LINE_BYTES_MAX)
        start--;
    size_t size = end - start;
    for (size_t i = 0; i < size; i++) {
        unsigned char character = err->data[start + i];
        text[i] = character < ' ' || character == 0x7f ? ' ' : (char)character;
    }
    text[size] = '\0';
    if (size == 0)
        strcpy(text, "nothing on its standard error");
}

/* True for a command that did what it should; fills in the failure otherwise. */
static bool judge(const struct command_runner *runner, char text[TEXT_BYTES],
                  struct attempt_failure *failure)
{
    const struct command_process *process = &runner->process;
    char line[LINE_BYTES_MAX + 1];
    last_line(&process->err, line);
    snprintf(text, TEXT_BYTES, "%s", line);
    *failure = (struct attempt_failure){.text = text};
    switch (process->end) {
    case COMMAND_NOT_STARTED:
        failure->cause = CAUSE_EXIT;
        failure->detail = process->start_errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
        snprintf(text, TEXT_BYTES, "cannot start %.200s: %s%s", runner->arguments[0],
                 strerror(process->start_errno),
                 process->start_errno == ENOENT
                     ? " (is it installed on this host, and in its PATH?)"
                     : "");
        return false;
    case COMMAND_TIMED_OUT:
        failure->cause = CAUSE_TIMEOUT;
        failure->detail = SIGTERM;
        return false;
    case COMMAND_WROTE_TOO_MUCH:
        failure->cause = CAUSE_LIMIT;
        snprintf(text, TEXT_BYTES,
                 "it wrote more than %d MiB to its standard output: let it write to a file",
                 COMMAND_OUT_BYTES_MAX >> 20);
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
    int status = was_started ? process->status : EXIT_NOT_FOUND << 8;
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
static char *type_command(const struct command_runner *runner)
{
    if (runner->command == NULL)
        return memory_copy_string((const char *)runner->line.data);
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

static int emit(struct sheaf_context *context, struct command_runner *runner,
                const struct command_record *record)
{
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

static int run_hook(struct sheaf_context *context, const struct sheaf_task *task)
{
    struct command_runner *runner = sheaf_local(context);
    struct sheaf_error error;
    int code = runner->command != NULL ? fill_template(runner, task, &error)
                                       : fill_line(runner, task, &error);
    if (code != 0)
        return context_fail(context,
                            &(struct attempt_failure){.cause = CAUSE_INPUT, .text = error.text});
    point_to_arguments(runner);
    const struct command_process_options options = {
        .arguments = runner->arguments,
        .environment = command_environment_of(runner->environment, task->index, &runner->words),
        .timeout_ns = runner->setup->job->limits.task_timeout_ns,
        .out_bytes_max = COMMAND_OUT_BYTES_MAX,
        .err_bytes_max = COMMAND_ERR_BYTES_MAX,
    };
    command_process_run(&runner->process, &options);
    char text[TEXT_BYTES];
    struct attempt_failure failure;
    bool is_success = judge(runner, text, &failure);
    char *typed = type_command(runner);
    struct command_record record = record_of(runner, task);
    record.command = typed;
    record.command_bytes = strnlen(typed, COMMAND_RECORD_TEXT_BYTES_MAX);
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
    int code = 0;
    job_command_values_init(&runner.values, setup->job);
    if (setup->job->command.text != NULL)
        code = job_command_parse(setup->job, &runner.command, error);
    if (code == 0)
        code = runner.command != NULL ? fill_template(&runner, task, error)
                                      : fill_line(&runner, task, error);
    if (code == 0) {
        point_to_arguments(&runner);
        *text = type_command(&runner);
    }
    command_template_destroy(runner.command);
    job_command_values_close(&runner.values);
    command_words_close(&runner.words);
    byte_writer_close(&runner.line);
    free(runner.arguments);
    return code;
}

const struct sheaf_plugin *command_plugin_table(void)
{
    static const struct sheaf_plugin table = {
        .interface_version = SHEAF_INTERFACE_VERSION,
        .size_bytes = sizeof table,
        .open = open_hook,
        .close = close_hook,
        .run = run_hook,
    };
    return &table;
}
