/* slot_failure.c - the words for the end of an executor or a spawner. */
#include "slot_failure.h"

#include "../jobs/quantity.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* What the cause and its number say by themselves is said again only after a prefix. */
static void of_signal(struct slot_event *event, const char *prefix, int number)
{
    const char *name = sigabbrev_np(number);
    bool is_prefixed = prefix[0] != '\0';
    event->cause = CAUSE_SIGNAL;
    event->detail = number;
    snprintf(event->text, sizeof event->text, "%s%sSIG%s%s", prefix,
             is_prefixed ? "killed by " : "", name != NULL ? name : "?",
             number == SIGKILL ? "; if nobody did it on purpose, the node may be out of memory"
                               : "");
}

void slot_failure_of_status(struct slot_event *event, const char *prefix, int status)
{
    if (status != -1 && WIFSIGNALED(status)) {
        of_signal(event, prefix, WTERMSIG(status));
        return;
    }
    event->cause = CAUSE_EXIT;
    event->detail = status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (event->detail < 0)
        snprintf(event->text, sizeof event->text, "%sended, nobody knows how", prefix);
    else if (prefix[0] != '\0')
        snprintf(event->text, sizeof event->text,
                 "%sexited with status %d: a plug-in returns, it does not exit", prefix,
                 event->detail);
    else
        snprintf(event->text, sizeof event->text, "a plug-in returns, it does not exit");
}

void slot_failure_of_kill(struct slot_event *event, const char *prefix, enum cause cause,
                          struct slot_failure_limits limits)
{
    event->cause = cause;
    event->detail = SIGKILL;
    char limit[QUANTITY_TEXT_BYTES];
    if (cause == CAUSE_TIMEOUT) {
        format_duration(limits.timeout_ns, limit);
        snprintf(event->text, sizeof event->text, "%skilled at its limit of %s (--timeout)", prefix,
                 limit);
    } else if (cause == CAUSE_MEMORY) {
        format_size(limits.memory_bytes >> 20 << 20, limit);
        snprintf(event->text, sizeof event->text,
                 "%skilled as it grew by more than its limit of %s (--memory)", prefix, limit);
    } else {
        snprintf(event->text, sizeof event->text,
                 "%swrote over memory that Sheaf shares with it: look for a wild pointer", prefix);
    }
}
