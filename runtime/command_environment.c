/* command_environment.c - builds the environment once, and sets for each task what differs. */
#include "command_environment.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NUMBER_BYTES = 64, NUMBERS_MAX = 16, DISBATCH_STRINGS = 3 };

struct command_environment {
    struct command_surroundings surroundings;
    char **strings; /* inherited ones, then those in `numbers`, then those of the words */
    size_t capacity;
    size_t inherited_count;
    char *list_name; /* of the variables for lists that were written for disBatch */
    char *list_job;
    char numbers[NUMBERS_MAX][NUMBER_BYTES];
    size_t number_count;
};

/* What a command must not find there from somebody else. */
static bool is_ours(const char *string, const struct command_surroundings *surroundings)
{
    bool has_array_env = surroundings->command->has_array_env;
    bool is_listed = surroundings->list_path != NULL;
    return strncmp(string, "SHEAF_TASK_INDEX=", strlen("SHEAF_TASK_INDEX=")) == 0 ||
           strncmp(string, "SHEAF_SLOT=", strlen("SHEAF_SLOT=")) == 0 ||
           strncmp(string, "SHEAF_VALUE_", strlen("SHEAF_VALUE_")) == 0 ||
           (is_listed && strncmp(string, "DISBATCH_", strlen("DISBATCH_")) == 0) ||
           (has_array_env && strncmp(string, "SLURM_ARRAY_", strlen("SLURM_ARRAY_")) == 0);
}

/* Returns NAME=VALUE with the last part of a path as its value; the caller owns it. */
static char *name_file(const char *name, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash != NULL ? slash + 1 : path;
    size_t size = strlen(name) + strlen(file) + sizeof "=";
    char *text = memory_allocate(size);
    snprintf(text, size, "%s=%s", name, file);
    return text;
}

/* As disBatch tells it, whose lists name files by it. */
static void add_list(struct command_environment *environment)
{
    static char no_repeat[] = "DISBATCH_REPEAT_INDEX=-1";
    const struct command_surroundings *surroundings = &environment->surroundings;
    const char *run_dir = surroundings->run_dir != NULL ? surroundings->run_dir : "none";
    environment->list_name = name_file("DISBATCH_NAMETASKS", surroundings->list_path);
    environment->list_job = name_file("DISBATCH_JOBID", run_dir);
    char *const strings[DISBATCH_STRINGS] = {environment->list_name, environment->list_job,
                                             no_repeat};
    for (size_t i = 0; i < DISBATCH_STRINGS; i++)
        environment->strings[environment->inherited_count++] = strings[i];
}

struct command_environment *command_environment_create(
    const struct command_surroundings *surroundings)
{
    struct command_environment *created = memory_allocate_zeroed(1, sizeof *created);
    created->surroundings = *surroundings;
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    created->capacity = count + DISBATCH_STRINGS + NUMBERS_MAX + 1;
    created->strings = memory_allocate_zeroed(created->capacity, sizeof *created->strings);
    for (size_t i = 0; i < count; i++)
        if (!is_ours(environ[i], surroundings))
            created->strings[created->inherited_count++] = environ[i];
    if (surroundings->list_path != NULL)
        add_list(created);
    return created;
}

void command_environment_destroy(struct command_environment *environment)
{
    if (environment == NULL)
        return;
    free(environment->strings);
    free(environment->list_name);
    free(environment->list_job);
    free(environment);
}

static void set_number(struct command_environment *environment, const char *name, uint64_t value)
{
    CHECK(environment->number_count < NUMBERS_MAX);
    char *number = environment->numbers[environment->number_count++];
    snprintf(number, NUMBER_BYTES, "%s=%" PRIu64, name, value);
}

/* As an array job's task finds them, so that its script runs unchanged. */
static void set_array(struct command_environment *environment, uint64_t index)
{
    uint64_t first = environment->surroundings.command->array_first;
    uint64_t count = environment->surroundings.task_count;
    const char *job = getenv("SLURM_JOB_ID");
    set_number(environment, "SLURM_ARRAY_TASK_ID", first + index);
    set_number(environment, "SLURM_ARRAY_TASK_COUNT", count);
    set_number(environment, "SLURM_ARRAY_TASK_MIN", first);
    set_number(environment, "SLURM_ARRAY_TASK_MAX", first + count - 1);
    set_number(environment, "SLURM_ARRAY_TASK_STEP", 1);
    set_number(environment, "SLURM_ARRAY_JOB_ID", job != NULL ? strtoull(job, NULL, 10) : 1);
    if (job == NULL)
        set_number(environment, "SLURM_JOB_ID", 1);
}

char *const *command_environment_of(struct command_environment *environment, uint64_t index,
                                    const struct command_words *words)
{
    environment->number_count = 0;
    set_number(environment, "SHEAF_TASK_INDEX", index);
    set_number(environment, "SHEAF_SLOT", environment->surroundings.slot_number);
    if (getenv("OMP_NUM_THREADS") == NULL)
        set_number(environment, "OMP_NUM_THREADS", environment->surroundings.core_count);
    if (environment->surroundings.list_path != NULL) {
        set_number(environment, "DISBATCH_TASKID", index);
        snprintf(environment->numbers[environment->number_count++], NUMBER_BYTES,
                 "DISBATCH_TASKID_ZP=%06" PRIu64, index);
    }
    if (environment->surroundings.command->has_array_env)
        set_array(environment, index);
    size_t count = environment->inherited_count;
    void *strings = environment->strings;
    memory_grow(&strings, &environment->capacity,
                count + environment->number_count + words->variable_count + 1,
                sizeof *environment->strings);
    environment->strings = strings;
    for (size_t i = 0; i < environment->number_count; i++)
        environment->strings[count++] = environment->numbers[i];
    for (size_t i = 0; i < words->variable_count; i++)
        environment->strings[count++] =
            (char *)words->bytes.data + words->starts[words->argument_count + i];
    environment->strings[count] = NULL;
    return environment->strings;
}
