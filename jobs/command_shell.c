/* command_shell.c - knows shells by the names of their programs. */
#include "command_shell.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FUNCTION_NAME_BYTES_MAX = 200, PATH_BYTES = 4096 };

static const char *const known_shells[] = {"sh",  "bash", "rbash", "dash",  "ash",  "zsh",
                                           "ksh", "mksh", "lksh",  "pdksh", "oksh", "yash"};

const char *command_shell_default(void)
{
    return access(COMMAND_SHELL_BASH, X_OK) == 0 ? COMMAND_SHELL_BASH : COMMAND_SHELL_POSIX;
}

const char *command_shell_name(const char *shell)
{
    const char *slash = strrchr(shell, '/');
    return slash != NULL ? slash + 1 : shell;
}

/* Without a version such as that of ksh93 or bash-5.2. */
static bool is_of_kind(const char *shell, const char *kind)
{
    const char *name = command_shell_name(shell);
    size_t length = 0;
    while (isalpha((unsigned char)name[length]))
        length++;
    return strlen(kind) == length && memcmp(name, kind, length) == 0;
}

bool command_shell_is_known(const char *shell)
{
    for (size_t i = 0; i < sizeof known_shells / sizeof *known_shells; i++)
        if (is_of_kind(shell, known_shells[i]))
            return true;
    return false;
}

bool command_shell_is_posix_like(const char *shell)
{
    return is_of_kind(shell, "bash") || is_of_kind(shell, "rbash") || is_of_kind(shell, "dash") ||
           is_of_kind(shell, "ash");
}

static bool is_there(const char *shell)
{
    if (strchr(shell, '/') != NULL)
        return access(shell, X_OK) == 0;
    const char *folder = getenv("PATH");
    while (folder != NULL) {
        char path[PATH_BYTES];
        size_t length = strcspn(folder, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)length, folder, shell);
        if (access(path, X_OK) == 0)
            return true;
        folder = folder[length] == ':' ? folder + length + 1 : NULL;
    }
    return false;
}

int command_shell_check(const char *shell, struct sheaf_error *error)
{
    if (!command_shell_is_known(shell))
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "\"%.100s\" is none of the shells that run commands: sh, bash, "
                               "dash, zsh, ksh and their like. Another program can be a part of "
                               "the command: --command 'PROGRAM -c \"...\"'",
                               shell);
    if (!is_there(shell))
        return sheaf_error_set(
            error, SHEAF_ERROR_USAGE,
            "the shell %.200s is not on this host: install it, or choose another "
            "by --shell (in a job file: `shell:`)",
            shell);
    return 0;
}

bool command_shell_has_function(const char *shell, const char *command)
{
    char variable[FUNCTION_NAME_BYTES_MAX + sizeof "BASH_FUNC_%%"];
    command += strspn(command, " \t");
    size_t length = strcspn(command, " \t");
    if (!is_of_kind(shell, "bash") || length == 0 || length > FUNCTION_NAME_BYTES_MAX)
        return false;
    snprintf(variable, sizeof variable, "BASH_FUNC_%.*s%%%%", (int)length, command);
    return getenv(variable) != NULL;
}
