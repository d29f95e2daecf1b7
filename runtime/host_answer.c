/* host_answer.c - what a host says when it is asked whether ranks can start there. */
#include "host_answer.h"

#include "../scheduler/memory.h"
#include "inquiry.h"
#include "installation.h"
#include "start_room.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_NAME_BYTES = 256 };

static const char can_mark[] = "can start on ";
static const char cannot_mark[] = "cannot start on ";

void host_answer_give(void)
{
    char reason[HOST_REASON_BYTES];
    char own[OWN_NAME_BYTES] = "";
    gethostname(own, sizeof own - 1);
    if (start_room_check(reason, sizeof reason))
        printf("%s%s\n", can_mark, own);
    else
        printf("%s%s: %s\n", cannot_mark, own, reason);
}

/* What follows the mark at the beginning of a line; NULL when no line has it. */
static const char *find_line(const char *text, const char *mark)
{
    size_t size = strlen(mark);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, mark, size) == 0)
            return line + size;
    }
    return NULL;
}

/* The last line that says anything. */
static void take_last_line(const struct host_answer *answer, struct host *host)
{
    const char *end = answer->text + strlen(answer->text);
    while (end > answer->text && strchr(" \t\r\n", end[-1]) != NULL)
        end--;
    const char *begin = end;
    while (begin > answer->text && begin[-1] != '\n')
        begin--;
    snprintf(host->reason, sizeof host->reason, "%.*s", (int)(end - begin), begin);
}

static void take_own_name(struct host *host, const char *name)
{
    size_t size = strcspn(name, ":\r\n");
    free(host->own_name);
    host->own_name = memory_allocate(size + 1);
    memcpy(host->own_name, name, size);
    host->own_name[size] = '\0';
}

/* The program has answered, whichever it is. */
static void take_version(const struct host_answer *answer, const char *version, struct host *host)
{
    size_t size = strcspn(version, "\r\n");
    const char *can = find_line(answer->text, can_mark);
    const char *cannot = find_line(answer->text, cannot_mark);
    host->has_answered = true;
    if (size != strlen(SHEAF_VERSION) || strncmp(version, SHEAF_VERSION, size) != 0) {
        host->is_gone = true;
        snprintf(host->reason, sizeof host->reason,
                 "%s there is version %.*s, and this one is " SHEAF_VERSION, answer->program,
                 size < 40 ? (int)size : 40, version);
    } else if (cannot != NULL) {
        const char *reason = cannot + strcspn(cannot, ":\n");
        reason += strspn(reason, ": ");
        host->is_gone = true;
        take_own_name(host, cannot);
        snprintf(host->reason, sizeof host->reason, "%.*s", (int)strcspn(reason, "\r\n"), reason);
    } else if (can != NULL) {
        take_own_name(host, can);
    }
}

void host_answer_take(const struct host_answer *answer, struct host *host)
{
    const char *version = find_line(answer->text, "sheaf ");
    bool is_lost = answer->exit_status == INQUIRY_NOT_FOUND && answer->text[0] != '\0';
    host->is_gone = false;
    if (version != NULL) {
        take_version(answer, version, host);
    } else if (answer->exit_status == 0 ||
               strstr(answer->text, "error while loading shared libraries") != NULL) {
        /* The way there hides what the program says; or mpirun knows where its libraries are. */
        host->has_answered = true;
    } else if (is_lost || (answer->exit_status == INQUIRY_CANNOT_EXECUTE && answer->text[0])) {
        host->has_answered = true;
        host->is_gone = true;
        snprintf(host->reason, sizeof host->reason, "%s %s there", answer->program,
                 is_lost ? "is not" : "cannot be executed");
    } else {
        host->is_gone = true;
        take_last_line(answer, host);
    }
}
