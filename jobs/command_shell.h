/* command_shell.h - the shells that run commands: which are known, and which one is taken when
 * nobody says. */
#ifndef SHEAF_COMMAND_SHELL_H
#define SHEAF_COMMAND_SHELL_H

#include "../scheduler/error.h"

#include <stdbool.h>

/* What ran all commands before a shell could be chosen; such runs go on with it. */
#define COMMAND_SHELL_POSIX "/bin/sh"
#define COMMAND_SHELL_BASH  "/bin/bash"

/* bash where there is one, else /bin/sh. Borrows a static. */
const char *command_shell_default(void);
/* Of the program, without its directory. Borrows from `shell`. */
const char *command_shell_name(const char *shell);
/* Whether it evaluates no arguments of its own commands, such as exit, as bash and dash do not. */
bool command_shell_is_posix_like(const char *shell);
/* Whether a path or name is that of a shell in which values are quoted right: sh, bash, dash, zsh,
 * ksh and the like, with a version behind it or not. */
bool command_shell_is_known(const char *shell);
/* USAGE when it is not known, or not on this host. A name without a slash is looked for in $PATH.
 */
int command_shell_check(const char *shell, struct sheaf_error *error);
/* Whether the first word of a command is a function that this process has from the bash that
 * exported it, and `shell` is a bash, too. */
bool command_shell_has_function(const char *shell, const char *command);

#endif
