/* job_check.c - checks, before anything starts, that a job can run. */
#include "job.h"

#include "../scheduler/fact.h"
#include "../scheduler/memory.h"
#include "command_shell.h"
#include "job_command.h"
#include "output_template.h"
#include "split.h"
#include "stage_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_plugin(const struct job *job, struct sheaf_error *error)
{
    struct stat status;
    if (stat(job->plugin_path, &status) != 0 ||
        faccessat(AT_FDCWD, job->plugin_path, R_OK, AT_EACCESS) != 0)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN, "cannot read the plug-in %s: %s",
                               job->plugin_path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN, "the plug-in %s is not a file",
                               job->plugin_path);
    return 0;
}

/* Without a shell's help: whether the program is there is known where it runs. */
static int check_command(const struct job *job, struct sheaf_error *error)
{
    struct command_template *command = NULL;
    struct command_template *merge = NULL;
    if (job->command.output_count > 0 && job->command.text == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "a list of different commands has no common output files: give one "
                               "command by --command, and its inputs in the list");
    if (job->command.output_count > JOB_OUTPUTS_MAX)
        return sheaf_error_set(error, SHEAF_ERROR_JOB, "a task has at most %d output files",
                               JOB_OUTPUTS_MAX);
    int code = job->command.has_own_shell ? command_shell_check(job->command.shell, error) : 0;
    if (code == 0 && job->command.text != NULL)
        code = job_command_parse(job, &command, error);
    if (code == 0 && job->command.merge_text != NULL)
        code = job_command_parse_merge(job, &merge, error);
    command_template_destroy(command);
    command_template_destroy(merge);
    return code;
}

static int check_range(const struct job *job, struct sheaf_error *error)
{
    uint64_t tasks = job->split.tasks;
    if (tasks > 0 && tasks <= SHEAF_TASKS_MAX)
        return 0;
    if (job->command.is_there)
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "which inputs has the command? Give a list (- is standard input), "
                               "--input PATTERN, --param NAME=1,2,3 or --tasks N");
    if (job_is_plugin_only(job))
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "how many tasks? Say it with --tasks N, or describe the job in a "
                               "job file (plugin: %s, split: ...)",
                               job->plugin_path);
    return sheaf_error_set(error, SHEAF_ERROR_JOB,
                           "%s: how many tasks? Add \"split: {range: N}\" to it, or give --tasks N",
                           job->source_path);
}

/* One task may well write a file whose name is the same for each. */
static int check_outputs(const struct job *job, uint64_t task_count, struct sheaf_error *error)
{
    const char *common = task_count > 1 ? job_command_find_common_output(job) : NULL;
    if (common == NULL)
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_JOB,
                           "the output file \"%.200s\" is the same for each task: put a "
                           "replacement string into it, such as {/.} or {#}",
                           common);
}

/* Walks no task: that the patterns match, and that the tasks can be counted, is known before. */
static int check_split(const struct job *job, struct sheaf_error *error)
{
    struct split_walk *walk;
    int code = split_walk_create(&job->split, &walk, error);
    if (code != 0)
        return code;
    code = check_outputs(job, split_walk_task_count(walk), error);
    split_walk_destroy(walk);
    return code;
}

/* The output is written beside its place and renamed, so the directory must be writable. */
static int check_output(const char *path, struct sheaf_error *error)
{
    if (strcmp(path, "-") == 0)
        return 0;
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "the output %s is a directory; give the name of a file", path);
    const char *slash = strrchr(path, '/');
    char *directory = memory_copy_string(path);
    directory[slash == path ? 1 : slash - path] = '\0';
    int code = 0;
    if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0)
        code = sheaf_error_set_errno(
            error, errno,
            "cannot write the output to %s (make the directory writable, or change \"output\")",
            path);
    free(directory);
    return code;
}

int job_check_program(const struct job *job, struct sheaf_error *error)
{
    int code = job->command.is_there ? check_command(job, error) : check_plugin(job, error);
    if (code == 0 && job->split.kind == SPLIT_RANGE)
        code = check_range(job, error);
    return code != 0 ? code : check_output(job->output_path, error);
}

int job_check(const struct job *job, struct sheaf_error *error)
{
    if (job->plan != NULL) {
        int code = stage_plan_check(job->plan, error);
        return code != 0 ? code : check_output(job->output_path, error);
    }
    int code = job_check_program(job, error);
    if (code != 0)
        return code;
    switch (job->split.kind) {
    case SPLIT_RANGE:
    case SPLIT_LINES:
    case SPLIT_FILES:
    case SPLIT_PRODUCT:
    case SPLIT_ITEMS:
    case SPLIT_BLOCKS:
    case SPLIT_STORED_BLOCKS:
        code = check_split(job, error);
        break;
    case SPLIT_TASKS:
    case SPLIT_PLUGIN:
        break;
    }
    return code;
}
