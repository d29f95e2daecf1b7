/* process_detach.c - frees a new child from the signals and the terminal of its parent. */
#include "process_detach.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

bool process_detach(pid_t parent, int death_signal)
{
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    prctl(PR_SET_PDEATHSIG, death_signal);
    return getppid() == parent;
}
