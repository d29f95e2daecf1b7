/* process_end.c - what the end of a process says about whose fault it was. */
#include "process_end.h"

#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

bool process_end_is_foreign(int status)
{
    static const int own[] = {SIGABRT, SIGBUS, SIGFPE,  SIGILL,  SIGPIPE,
                              SIGSEGV, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ};
    if (status == -1)
        return true;
    if (!WIFSIGNALED(status))
        return false;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i] == WTERMSIG(status))
            return false;
    return true;
}
