/* command_environment.h - the environment of a command: ours, and what tells its task. */
#ifndef SHEAF_COMMAND_ENVIRONMENT_H
#define SHEAF_COMMAND_ENVIRONMENT_H

#include "../jobs/command_template.h"
#include "../jobs/job.h"

/* The same for all tasks of an executor. Borrows the job. */
struct command_surroundings {
    const struct job_command *command;
    const char *list_path; /* where the commands are listed; NULL: it is one for all inputs */
    const char *run_dir;   /* NULL: none */
    uint64_t task_count;
    uint64_t slot_number; /* from 1 */
    uint32_t core_count;
};

struct command_environment;

struct command_environment *command_environment_create(
    const struct command_surroundings *surroundings);
void command_environment_destroy(struct command_environment *environment);
/* The strings for a task, for execve: borrowed until the next call, those of `words` from there. */
char *const *command_environment_of(struct command_environment *environment, uint64_t index,
                                    const struct command_words *words);

#endif
