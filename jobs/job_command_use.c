/* job_command_use.c - whether the parameters of commands are used, and words that resemble them. */
#include "job_command.h"

#include "../scheduler/memory.h"
#include "command_braces.h"
#include "command_replacement.h"
#include "stage_plan.h"
#include "suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNINGS_MAX = 3, WARNING_BYTES = 1000, NAMES_BYTES = 200 };

/* ---- use ---- */

/* What reads the parameters of a job. All zero is valid to close. */
struct users {
    struct command_template *command;
    struct command_template *merge;
};

static void close_users(struct users *users)
{
    command_template_destroy(users->command);
    command_template_destroy(users->merge);
}

static int parse_users(const struct job *job, struct users *users, struct sheaf_error *error)
{
    int code = 0;
    if (job->command.text != NULL)
        code = job_command_parse(job, &users->command, error);
    if (code == 0 && job->command.merge_text != NULL)
        code = job_command_parse_merge(job, &users->merge, error);
    return code;
}

static bool is_in_outputs(const struct job *job, size_t name)
{
    struct job_command_names list = job_command_names_of(job);
    const struct command_names names = {list.names, list.count, job->split.axis_count};
    bool is_found = false;
    for (size_t i = 0; i < job->command.output_count; i++)
        for (const char *at = job->command.outputs[i]; *at != '\0'; at++) {
            struct found_replacement found = replacement_find(at, &names);
            is_found = is_found || (found.kind == REPLACEMENT_NAMED && found.name == name) ||
                       (name < names.axis_count && replacement_is_of_input(found.kind));
        }
    job_command_names_close(&list);
    return is_found;
}

/* The input of a task of a grid is all of its values. */
static bool is_used(const struct job *job, const struct users *users, size_t name)
{
    size_t axis_count = job->split.axis_count;
    if (users->command != NULL &&
        (command_template_uses(users->command, name) ||
         (name < axis_count && command_template_uses_input(users->command))))
        return true;
    if (users->merge != NULL && name >= axis_count &&
        command_template_uses(users->merge, JOB_MERGE_SIDES + name - axis_count))
        return true;
    return is_in_outputs(job, name);
}

/* The path of a stage's result, which the stage need not name. */
static bool is_result(const char *name)
{
    static const char ending[] = ".result";
    size_t length = strlen(name);
    return length >= strlen(ending) && strcmp(name + length - strlen(ending), ending) == 0;
}

/* The first name of a job that nothing uses; NULL when all are used. */
static const char *find_unused(const struct job *job, const struct users *users)
{
    for (size_t i = 0; i < job->split.axis_count; i++)
        if (!is_used(job, users, i))
            return job->split.axes[i].name;
    for (size_t i = 0; i < job->parameters.count; i++)
        if (!is_result(job->parameters.items[i].name) &&
            !is_used(job, users, job->split.axis_count + i))
            return job->parameters.items[i].name;
    return NULL;
}

/* The braces that were meant to be {NAME}, with what is to be said about them; empty: none. */
static void explain_unused(const struct job *job, const char *name, char text[NAMES_BYTES])
{
    const char *const names[] = {name};
    const struct command_names wanted = {names, 1, 0};
    const struct command_template_options options = {.names = wanted};
    struct braces_walk walk = {
        .start = job->command.text, .at = job->command.text, .options = &options};
    struct literal_braces braces;
    const char *nearest;
    text[0] = '\0';
    while (job->command.text != NULL && braces_walk_next(&walk, &braces))
        if (literal_braces_are_doubtful(&braces, job->command.text, &wanted, &nearest) &&
            nearest != NULL) {
            snprintf(text, NAMES_BYTES, " (it has %.*s)",
                     (int)(braces.size_bytes < 100 ? braces.size_bytes : 100), braces.text);
            return;
        }
}

static int refuse_unused(const struct job *job, const char *name, struct sheaf_error *error)
{
    char found[NAMES_BYTES];
    explain_unused(job, name, found);
    return sheaf_error_set(error, SHEAF_ERROR_JOB,
                           "nothing uses the parameter \"%s\": write {%s} where the command is to "
                           "have its value%s, or leave it out%s",
                           name, name, found,
                           job->split.axis_count > 0 ? "; --tasks N runs a command N times" : "");
}

/* Of a stage: whether it uses the parameter, or may do so. */
static bool is_used_by(const struct job *job, const char *name)
{
    struct users users = {0};
    bool may_use = !job->command.is_there || parse_users(job, &users, NULL) != 0;
    for (size_t i = 0; !may_use && i < job->parameters.count; i++)
        may_use = strcmp(job->parameters.items[i].name, name) == 0 &&
                  is_used(job, &users, job->split.axis_count + i);
    close_users(&users);
    return may_use;
}

static int check_stages(const struct stage_plan *plan, struct sheaf_error *error)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct job *job = &plan->stages[i].job;
        struct users users = {0};
        int code = job->command.is_there ? parse_users(job, &users, error) : 0;
        const char *unused = code == 0 && job->command.is_there ? find_unused(job, &users) : NULL;
        bool is_used_elsewhere = false;
        for (size_t j = 0; unused != NULL && !is_used_elsewhere && j < plan->count; j++)
            is_used_elsewhere = is_used_by(&plan->stages[j].job, unused);
        close_users(&users);
        if (code == 0 && unused != NULL && !is_used_elsewhere)
            code = refuse_unused(job, unused, error);
        if (code != 0)
            return code;
    }
    return 0;
}

int job_check_use(const struct job *job, struct sheaf_error *error)
{
    if (job->plan != NULL)
        return check_stages(job->plan, error);
    if (!job->command.is_there || job->command.text == NULL)
        return 0;
    struct users users = {0};
    int code = parse_users(job, &users, error);
    const char *unused = code == 0 ? find_unused(job, &users) : NULL;
    close_users(&users);
    return unused != NULL ? refuse_unused(job, unused, error) : code;
}

/* ---- words that resemble names ---- */

static void list_names(const struct command_names *names, char text[NAMES_BYTES])
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < names->count && length < NAMES_BYTES; i++)
        length += (size_t)snprintf(text + length, NAMES_BYTES - length, "%s{%s}", i > 0 ? ", " : "",
                                   names->names[i]);
}

static void warn_of(const struct literal_braces *braces, const struct command_names *names,
                    const char *nearest, char text[WARNING_BYTES])
{
    int size = braces->size_bytes < 100 ? (int)braces->size_bytes : 100;
    char listed[NAMES_BYTES];
    list_names(names, listed);
    if (nearest != NULL)
        snprintf(text, WARNING_BYTES,
                 "the command gets %.*s as it stands; did you mean {%.100s}? ({''%.*s says that it "
                 "is meant so)",
                 size, braces->text, nearest, size - 1, braces->text + 1);
    else
        snprintf(text, WARNING_BYTES,
                 "the command gets %.*s as it stands: no value has that name, but %s has. ({''%.*s "
                 "says that it is meant so)",
                 size, braces->text, listed, size - 1, braces->text + 1);
}

static void warn_of_command(const struct job *job, const char *stage, job_warn_function *warn,
                            void *context)
{
    const char *start = job->command.text;
    struct job_command_names list = job_command_names_of(job);
    const struct command_template_options options = job_command_options(job, &list);
    struct command_names meant = options.names;
    meant.count = job->split.axis_count + job->parameters.count;
    struct braces_walk walk = {.start = start, .at = start, .options = &options};
    struct literal_braces braces;
    const char *nearest;
    for (int i = 0; i < WARNINGS_MAX && meant.count > 0 && braces_walk_next(&walk, &braces);) {
        char text[WARNING_BYTES];
        char whole[WARNING_BYTES + STAGE_NAME_BYTES_MAX + 16];
        if (!literal_braces_are_doubtful(&braces, start, &meant, &nearest))
            continue;
        warn_of(&braces, &meant, nearest, text);
        snprintf(whole, sizeof whole, "%s%s%s%s", stage != NULL ? "stage " : "",
                 stage != NULL ? stage : "", stage != NULL ? ": " : "", text);
        warn(context, whole);
        i++;
    }
    job_command_names_close(&list);
}

void job_warn(const struct job *job, job_warn_function *warn, void *context)
{
    if (job->command.text != NULL)
        warn_of_command(job, NULL, warn, context);
    for (size_t i = 0; job->plan != NULL && i < job->plan->count; i++)
        if (job->plan->stages[i].job.command.text != NULL)
            warn_of_command(&job->plan->stages[i].job, job->plan->stages[i].name, warn, context);
}
