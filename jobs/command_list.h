/* command_list.h - what a list of commands says about itself: by which shell it wants to be run,
 * and which commands come after which. */
#ifndef SHEAF_COMMAND_LIST_H
#define SHEAF_COMMAND_LIST_H

#include "../scheduler/error.h"
#include "task_table.h"

/* Looks at the first line of a list. One such as `#!/bin/bash` names a shell: *shell is then its
 * path, or its name behind env(1), and the caller's; otherwise NULL. INPUT for a program in another
 * language, whose lines are no commands. `name` stands for the list in errors; NULL: it was on
 * standard input. */
int command_list_find_shell(const char *path, const char *name, char **shell,
                            struct sheaf_error *error);

/* The commands of a list that has barriers, each of which is a task of its own among the others;
 * NULL when it has none. *table is the caller's. INPUT when the list cannot be read, LIMIT when it
 * is too large to be held in memory. */
int command_list_find_barriers(const char *path, struct task_table **table,
                               struct sheaf_error *error);

#endif
