/* rank_witness.c - a process beside a rank that tells the launcher if the rank ends. */
#include "rank_witness.h"

#include "control.h"
#include "process_watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TELL_PATIENCE_MS = 2000 };

static void wait_for_end(pid_t process)
{
    struct process_watch rank;
    if (process_watch_open(&rank, process) && getppid() == process)
        process_watch_wait(&rank, -1);
}

/* In a session of its own, so that what ends the rank and its group leaves the witness. */
static _Noreturn void witness(pid_t process, int rank)
{
    setsid();
    close_range(STDERR_FILENO + 1, ~0U, 0);
    wait_for_end(process);
    struct control_line line = {.kind = CONTROL_RANK_ENDED, .as.rank_ended.rank = rank};
    gethostname(line.as.rank_ended.host, sizeof line.as.rank_ended.host - 1);
    control_write(STDERR_FILENO, &line, TELL_PATIENCE_MS);
    _exit(0);
}

pid_t rank_witness_start(int rank)
{
    pid_t process = getpid();
    fflush(NULL); /* or both processes would write what is buffered */
    pid_t child = fork();
    if (child == 0)
        witness(process, rank);
    return child > 0 ? child : 0;
}

void rank_witness_end(pid_t child)
{
    if (child == 0)
        return;
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}
