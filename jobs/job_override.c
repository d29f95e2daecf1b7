/* job_override.c - changes a job by what the command line says. */
#include "job.h"

#include "../scheduler/fact.h"
#include "../scheduler/memory.h"
#include "stage_plan.h"
#include "suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool job_is_plugin_only(const struct job *job)
{
    return job->plugin_path != NULL && strcmp(job->source_path, job->plugin_path) == 0;
}

int job_set_tasks(struct job *job, const char *text, struct sheaf_error *error)
{
    if (job->plan != NULL)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--tasks is for jobs that are one; %s has stages, each with a split",
                               job->source_path);
    if (job->split.kind != SPLIT_RANGE)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--tasks is for jobs that split by range; %s splits by \"%s\", "
                               "which gives the number of tasks",
                               job->source_path, split_kind_name(job->split.kind));
    uint64_t tasks;
    if (parse_count(text, &tasks, NULL) != 0 || tasks == 0 || tasks > SHEAF_TASKS_MAX)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--tasks must be a count of tasks (1 or more, at most 2^62), found "
                               "\"%.100s\"",
                               text);
    job->split.tasks = tasks;
    return 0;
}

static int unknown_parameter(const struct job *job, const char *name, struct sheaf_error *error)
{
    const struct parameter_list *list = &job->parameters;
    if (job->command.is_there && job->command.text == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "\"%.100s\" is of no use here: each line of %s is a command of its "
                               "own, without parameters; --command TEXT has them",
                               name, job->source_path);
    if (list->count == 0)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "unknown parameter \"%.100s\": %s lists no parameters; add it there "
                               "under \"parameters\" first",
                               name, job->source_path);
    const char **names = memory_allocate_zeroed(list->count, sizeof *names);
    char listed[400] = "";
    size_t length = 0;
    for (size_t i = 0; i < list->count; i++) {
        names[i] = list->items[i].name;
        if (length < sizeof listed - 1)
            length += (size_t)snprintf(listed + length, sizeof listed - length, "%s%s",
                                       i > 0 ? ", " : "", names[i]);
    }
    const char *nearest = suggest_nearest(name, names, list->count);
    int code =
        sheaf_error_set(error, SHEAF_ERROR_USAGE, "unknown parameter \"%.100s\"%s%s%s; %s has %s%s",
                        name, nearest != NULL ? "; did you mean \"" : "",
                        nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "",
                        job->source_path, listed, length >= sizeof listed ? "..." : "");
    free(names);
    return code;
}

/* Each stage that lists the parameter takes the value. */
static int set_in_stages(struct job *job, const char *name, const char *value,
                         struct sheaf_error *error)
{
    int code = 0;
    bool is_known = false;
    for (size_t i = 0; code == 0 && i < job->plan->count; i++) {
        struct parameter_list *list = &job->plan->stages[i].job.parameters;
        if (parameter_list_find(list, name) == NULL)
            continue;
        is_known = true;
        code = parameter_list_set(list, name, value, error);
    }
    if (!is_known)
        code = sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "unknown parameter \"%.100s\": no stage of %s lists it; add it "
                               "there under \"parameters\" first",
                               name, job->source_path);
    return code;
}

int job_set_parameter(struct job *job, const char *assignment, struct sheaf_error *error)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "a parameter is set by name=value (such as limit=1000), found "
                               "\"%.100s\"",
                               assignment);
    char *name = memory_copy_string(assignment);
    name[equals - assignment] = '\0';
    int code;
    if (job->plan != NULL)
        code = set_in_stages(job, name, equals + 1, error);
    else if (!job_is_plugin_only(job) && parameter_list_find(&job->parameters, name) == NULL)
        code = unknown_parameter(job, name, error);
    else
        code = parameter_list_set(&job->parameters, name, equals + 1, error);
    free(name);
    return code;
}
