/* run_job.c - reads the job that a command line names. */
#include "run_job.h"

#include "../jobs/command_shell.h"
#include "../jobs/job_path.h"
#include "../jobs/stage_plan.h"
#include "../jobs/suggest.h"
#include "../scheduler/memory.h"
#include "run_identity.h"
#include "run_place.h"
#include "stored_command.h"

#include <stdlib.h>
#include <string.h>

static int set_output(struct job *job, const char *output, struct sheaf_error *error)
{
    char *path = NULL;
    if (strcmp(output, "-") == 0) {
        path = memory_copy_string(output);
    } else {
        int code = job_path_absolute(output, &path, error);
        if (code != 0)
            return code;
    }
    free(job->output_path);
    job->output_path = path;
    return 0;
}

static void set_limits(struct job_limits *limits, const struct job_limits *given)
{
    if (given->task_timeout_ns != 0)
        limits->task_timeout_ns = given->task_timeout_ns;
    if (given->task_memory_bytes != 0)
        limits->task_memory_bytes = given->task_memory_bytes;
    if (given->attempts_max != 0)
        limits->attempts_max = given->attempts_max;
    if (given->crashes_max != 0)
        limits->crashes_max = given->crashes_max;
    if (given->failures_max != 0)
        limits->failures_max = given->failures_max;
    if (given->range_count_min != 0)
        limits->range_count_min = given->range_count_min;
    if (given->range_count_max != 0)
        limits->range_count_max = given->range_count_max;
    /* One bound from the command line, the other from the job file: the command line's holds. */
    if (limits->range_count_max != 0 && limits->range_count_min > limits->range_count_max) {
        if (given->range_count_max != 0)
            limits->range_count_min = limits->range_count_max;
        else
            limits->range_count_max = limits->range_count_min;
    }
}

static void set_resources(struct job_resources *resources, const struct job_resources *given)
{
    if (given->cores != 0)
        resources->cores = given->cores;
    if (given->gpus != 0)
        resources->gpus = given->gpus;
    if (given->memory_bytes != 0)
        resources->memory_bytes = given->memory_bytes;
}

/* What no job file refuses. */
static void override(struct job *job, const struct run_options *options)
{
    set_limits(&job->limits, &options->limits);
    set_resources(&job->resources, &options->resources);
    job->command.has_array_env = options->has_array_env;
    job->command.array_first = options->array_first;
}

static int set_merge_command(struct job *job, const char *text, struct sheaf_error *error)
{
    if (!job->command.is_there)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--merge-command belongs to commands; the plug-in of %s merges by "
                               "its own function",
                               job->source_path);
    free(job->command.merge_text);
    job->command.merge_text = memory_copy_string(text);
    return 0;
}

static int set_shell(struct job *job, const char *shell, struct sheaf_error *error)
{
    if (!job->command.is_there)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--shell is for commands: the tasks of %s are calls of a plug-in",
                               job->source_path);
    free(job->command.shell);
    job->command.shell = memory_copy_string(shell);
    job->command.has_own_shell = true;
    return 0;
}

/* Of all stages that have a command. */
static int override_shell(struct job *job, const char *shell, struct sheaf_error *error)
{
    if (job->plan == NULL)
        return set_shell(job, shell, error);
    for (size_t i = 0; i < job->plan->count; i++)
        if (job->plan->stages[i].job.command.is_there)
            set_shell(&job->plan->stages[i].job, shell, error);
    return 0;
}

static int set_output_files(struct job *job, const struct run_options *options,
                            struct sheaf_error *error)
{
    struct job_command *command = &job->command;
    if (!command->is_there)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--output-file belongs to commands, and %s has a plug-in",
                               job->source_path);
    for (size_t i = 0; i < command->output_count; i++)
        free(command->outputs[i]);
    free(command->outputs);
    command->output_count = options->output_file_count;
    command->outputs = memory_allocate_zeroed(command->output_count, sizeof *command->outputs);
    for (size_t i = 0; i < command->output_count; i++)
        command->outputs[i] = memory_copy_string(options->output_files[i]);
    return 0;
}

char *run_job_name_of_input(const struct run_options *options)
{
    return options->command != NULL ? job_command_line_name(options->command)
                                    : memory_copy_string("stdin");
}

/* The job of a run that is continued: its file, or its list, may be another one by now. */
static int read_stored(const struct run_options *options, struct job *job,
                       struct sheaf_error *error)
{
    struct stored_command stored = {0};
    int code = run_place_open(options->dir, error);
    if (code == 0)
        code = stored_command_read(options->dir, &stored, error);
    if (code != 0)
        return code;
    if (stored.kind == STORED_JOB_FILE)
        code = job_parse(stored.text, strlen(stored.text), options->job_path, job, error);
    else if (stored.kind == STORED_JOB_LIST)
        code = job_read_command_line(
            &(struct job_command_line){.list_path = options->job_path, .is_stored = true}, job,
            error);
    else
        code = job_read(options->job_path, job, error);
    stored_command_close(&stored);
    return code;
}

/* Names what is given on the command line; the job of a list is read like any other. */
static int read_named(const struct run_options *options, struct job *job, struct sheaf_error *error)
{
    bool is_input_standard = options->job_path != NULL && strcmp(options->job_path, "-") == 0;
    if (options->command == NULL && !is_input_standard)
        return options->is_continued ? read_stored(options, job, error)
                                     : job_read(options->job_path, job, error);
    if (is_input_standard && options->stored_input == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "ranks cannot read standard input: let `sheaf run` start mpirun, or "
                               "name a file instead of -");
    char *name = is_input_standard ? run_job_name_of_input(options) : NULL;
    const struct job_command_line line = {
        .text = options->command,
        .list_path = is_input_standard ? options->stored_input : options->job_path,
        .name = name,
        .patterns = options->inputs,
        .pattern_count = options->input_count,
        .assignments = options->parameters,
        .assignment_count = options->parameter_count,
        .is_nul_ended = options->is_nul_ended,
        .is_piped = options->is_piped,
        .is_list_private = is_input_standard,
        .block_bytes = options->block_bytes,
    };
    int code = job_read_command_line(&line, job, error);
    free(name);
    return code;
}

/* What is said on the command line of one list of tasks cannot be of several. */
static int check_stages(const struct run_options *options, struct sheaf_error *error)
{
    const struct {
        const char *option;
        bool is_given;
    } for_one[] = {
        {"--dry-run", options->is_dry},
        {"--joblog", options->log_path != NULL},
        {"--merge-command", options->merge_command != NULL},
        {"--only", options->only != NULL},
        {"--output-dir", options->output_dir != NULL},
        {"--output-file", options->output_file_count > 0},
    };
    for (size_t i = 0; i < sizeof for_one / sizeof *for_one; i++)
        if (for_one[i].is_given)
            return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                                   "%s is for jobs that are one; this job has stages, each with "
                                   "tasks of its own",
                                   for_one[i].option);
    return 0;
}

static void settle_shell(struct job *job, const struct run_options *options)
{
    bool is_fresh = options->is_fresh && !options->is_restart;
    char *dir = is_fresh ? NULL : run_job_directory(options, job->name);
    run_job_settle_shell(job, dir);
    free(dir);
}

/* The names are those of stages of the job. */
static int check_reruns(const struct run_options *options, const struct job *job,
                        struct sheaf_error *error)
{
    for (size_t i = 0; i < options->rerun_stage_count; i++) {
        const char *name = options->rerun_stages[i];
        if (job->plan == NULL)
            return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                                   "--rerun-stage %.100s: %s has no stages", name,
                                   job->source_path != NULL ? job->source_path : "the job");
        if (stage_plan_find(job->plan, name, strlen(name)) < job->plan->count)
            continue;
        const char *names[STAGES_MAX];
        for (size_t j = 0; j < job->plan->count; j++)
            names[j] = job->plan->stages[j].name;
        const char *nearest = suggest_nearest(name, names, job->plan->count);
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--rerun-stage: the job has no stage \"%.100s\"%s%s%s", name,
                               nearest != NULL ? "; did you mean " : "",
                               nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
    }
    return 0;
}

int run_job_read(const struct run_options *options, struct job *job, struct sheaf_error *error)
{
    struct job read = {.name = NULL};
    int code = read_named(options, &read, error);
    if (code != 0)
        return code;
    if (read.plan != NULL)
        code = check_stages(options, error);
    if (code == 0)
        code = check_reruns(options, &read, error);
    if (code == 0 && options->tasks != NULL)
        code = job_set_tasks(&read, options->tasks, error);
    for (size_t i = 0; code == 0 && options->command == NULL && i < options->parameter_count; i++)
        code = job_set_parameter(&read, options->parameters[i], error);
    if (code == 0 && options->merge_command != NULL)
        code = set_merge_command(&read, options->merge_command, error);
    if (code == 0 && options->shell != NULL)
        code = override_shell(&read, options->shell, error);
    if (code == 0 && options->output_file_count > 0)
        code = set_output_files(&read, options, error);
    if (code == 0 && options->output != NULL)
        code = set_output(&read, options->output, error);
    if (code != 0) {
        job_close(&read);
        return code;
    }
    if (!read.command.is_there && (options->output_dir != NULL || options->log_path != NULL)) {
        job_close(&read);
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--output-dir and --joblog are for commands: the tasks of this job "
                               "are calls of a plug-in");
    }
    override(&read, options);
    for (size_t i = 0; read.plan != NULL && i < read.plan->count; i++)
        override(&read.plan->stages[i].job, options);
    if (read.plan == NULL)
        settle_shell(&read, options);
    *job = read;
    return 0;
}

/* What a run that is continued has stored is all the input that it needs. */
int run_job_check(const struct run_options *options, const struct job *job,
                  struct sheaf_error *error)
{
    return options->is_continued && job_list_may_change(job) ? job_check_program(job, error)
                                                             : job_check(job, error);
}

static bool is_run_of(const struct run_identity *identity, const struct job *job)
{
    static const unsigned char none[JOB_IDENTITY_BYTES];
    unsigned char own[JOB_IDENTITY_BYTES];
    job_command_identity(job, own);
    bool has_commands = memcmp(identity->commands, none, sizeof none) != 0;
    if (has_commands && memcmp(own, none, sizeof own) != 0)
        return memcmp(own, identity->commands, sizeof own) == 0;
    return job_identity(job, own, NULL) == 0 && memcmp(own, identity->job, sizeof own) == 0;
}

/* The default depends on the host, and was another one in earlier versions. */
void run_job_settle_shell(struct job *job, const char *dir)
{
    struct job_command *command = &job->command;
    struct run_identity identity;
    if (!command->is_there || command->has_own_shell)
        return;
    if (command->shell == NULL)
        command->shell = memory_copy_string(command_shell_default());
    if (dir == NULL || run_identity_read(dir, &identity, NULL) != 0 || is_run_of(&identity, job))
        return;
    const char *const candidates[] = {COMMAND_SHELL_BASH, COMMAND_SHELL_POSIX};
    char *preferred = command->shell;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        command->shell = memory_copy_string(candidates[i]);
        if (is_run_of(&identity, job)) {
            free(preferred);
            return;
        }
        free(command->shell);
    }
    command->shell = preferred;
}

char *run_job_directory(const struct run_options *options, const char *job_name)
{
    if (options->dir != NULL)
        return memory_copy_string(options->dir);
    size_t size_bytes = strlen(job_name) + sizeof ".sheaf";
    char *dir = memory_allocate(size_bytes);
    snprintf(dir, size_bytes, "%s.sheaf", job_name);
    return dir;
}
