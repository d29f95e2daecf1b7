/* left_processes.c - looks through /proc for marked processes and kills them until none is left. */
#include "left_processes.h"

#include "../scheduler/bytes.h"
#include "../scheduler/memory.h"
#include "clock.h"
#include "process_files.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS ((uint64_t)1000000)

enum {
    READ_BYTES = 64 << 10,
    ENVIRONMENT_BYTES_MAX = 8 << 20,
    PAUSE_MS_MAX = 16, /* between two rounds; the first is 1 ms */
    ANCESTORS_MAX = 64,
    HOST_BYTES = 64,
    EARLIER_PATIENCE_MS = 5000,
};

struct candidate {
    pid_t process;
    pid_t parent;
    pid_t session;
    uint64_t start_ticks;
    bool is_condemned;
};

struct killed {
    pid_t process;
    uint64_t start_ticks;
};

struct search {
    const struct left_processes *order;
    const struct task_mark *mark;   /* of the order */
    struct byte_writer environment; /* of the one that is looked at; kept from one to the next */
    struct candidate *candidates;
    size_t count;
    size_t capacity;
    size_t condemned_count;
    struct killed *killed; /* that have not ended yet, as far as is known */
    size_t killed_count;
    size_t killed_capacity;
};

/* ---- by the mark ---- */

/* False when it is not this user's. Ends what was read with a NUL. */
static bool read_environment(struct search *search, int folder, const char *number)
{
    char name[32];
    struct stat status;
    struct byte_writer *writer = &search->environment;
    byte_writer_clear(writer);
    snprintf(name, sizeof name, "%.15s/environ", number);
    int descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool is_own = fstat(descriptor, &status) == 0 && status.st_uid == geteuid();
    ssize_t got = is_own ? READ_BYTES : 0;
    while (got == READ_BYTES && writer->size < ENVIRONMENT_BYTES_MAX) { /* less is the last */
        unsigned char *room = byte_writer_reserve(writer, READ_BYTES);
        got = read(descriptor, room, READ_BYTES);
        writer->size -= READ_BYTES - (size_t)(got > 0 ? got : 0);
    }
    close(descriptor);
    byte_writer_put_u8(writer, '\0');
    return is_own;
}

static bool is_condemned_by(const struct search *search, const char *value)
{
    const struct task_owner *own = &search->mark->owner;
    struct task_owner owner;
    if (search->order->whose == LEFT_BY_OWNER)
        return strcmp(value, search->mark->value) == 0;
    if (strcmp(value, search->mark->inherited) == 0 || !task_mark_read_owner(value, &owner) ||
        !task_mark_is_of_one_run(&owner, own))
        return false;
    return !process_is_alive((pid_t)owner.spawner, owner.spawner_start_ticks) ||
           (owner.world != own->world && owner.rank_start_ticks < own->rank_start_ticks);
}

/* A process may have two: what its program was started with, and what it has written itself. */
static bool is_condemned(const struct search *search)
{
    const char *text = (const char *)search->environment.data;
    size_t length = sizeof search->mark->name - 1;
    for (size_t at = 0; at + 1 < search->environment.size;) {
        const char *name =
            memmem(text + at, search->environment.size - at, search->mark->name, length);
        if (name == NULL)
            return false;
        at = (size_t)(name - text) + length;
        bool is_whole = (name == text || name[-1] == '\0') && text[at] == '=';
        if (is_whole && is_condemned_by(search, text + at + 1))
            return true;
    }
    return false;
}

static void look_at(struct search *search, int folder, const char *number)
{
    pid_t process = (pid_t)strtol(number, NULL, 10);
    if (process == getpid() || !read_environment(search, folder, number))
        return;
    void *candidates = search->candidates;
    memory_grow(&candidates, &search->capacity, search->count + 1, sizeof *search->candidates);
    search->candidates = candidates;
    bool is_to_end = is_condemned(search);
    search->candidates[search->count++] =
        (struct candidate){.process = process, .is_condemned = is_to_end};
    search->condemned_count += is_to_end;
}

/* ---- by descent ---- */

static void spare(struct search *search, pid_t process)
{
    for (size_t i = 0; i < search->count; i++) {
        if (search->candidates[i].process != process)
            continue;
        search->condemned_count -= search->candidates[i].is_condemned;
        search->candidates[i] = search->candidates[--search->count];
        return;
    }
}

static void spare_ancestors(struct search *search)
{
    struct process_stat stat = {.parent = getppid()};
    for (int i = 0; i < ANCESTORS_MAX && stat.parent > 1; i++) {
        pid_t ancestor = stat.parent;
        spare(search, ancestor);
        if (!process_stat_read(ancestor, &stat))
            return;
    }
}

/* Whether a condemned one has started it, or has made its session or was in it. */
static bool belongs_to_condemned(const struct search *search, const struct candidate *one)
{
    for (size_t i = 0; i < search->count; i++) {
        const struct candidate *other = &search->candidates[i];
        if (other->is_condemned && (other->process == one->parent ||
                                    (other->session > 0 && other->session == one->session)))
            return true;
    }
    return false;
}

/* Of a command of the spawner's, or its own: there plug-ins are. */
static bool is_session_of_owner(const struct search *search, pid_t session)
{
    const struct left_processes *order = search->order;
    if (session <= 0) /* it was begun outside of this namespace, or no slot runs a command */
        return false;
    for (uint32_t i = 0; i < order->session_count; i++)
        if (atomic_load(&order->sessions[i]) == session)
            return true;
    return order->whose == LEFT_BY_OWNER && session == (pid_t)search->mark->owner.spawner;
}

static void read_candidates(struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        struct process_stat stat;
        struct candidate *one = &search->candidates[i];
        one->parent = one->session = -1; /* of what has ended, too, if only as a zombie */
        if (!process_stat_read(one->process, &stat) || stat.state == 'Z' || stat.state == 'X')
            continue;
        one->parent = stat.parent;
        one->session = stat.session;
        one->start_ticks = stat.start_ticks;
        if (!one->is_condemned && is_session_of_owner(search, one->session)) {
            one->is_condemned = true;
            search->condemned_count++;
        }
    }
}

static void condemn_descendants(struct search *search)
{
    for (size_t before = 0; before != search->condemned_count;) {
        before = search->condemned_count;
        for (size_t i = 0; i < search->count; i++) {
            struct candidate *one = &search->candidates[i];
            if (one->is_condemned || one->parent < 0 || !belongs_to_condemned(search, one))
                continue;
            one->is_condemned = true;
            search->condemned_count++;
        }
    }
}

/* ---- rounds ---- */

static void kill_one(struct search *search, const struct candidate *one)
{
    void *killed = search->killed;
    kill(one->process, SIGKILL);
    memory_grow(&killed, &search->killed_capacity, search->killed_count + 1,
                sizeof *search->killed);
    search->killed = killed;
    search->killed[search->killed_count++] = (struct killed){one->process, one->start_ticks};
}

/* Kills what is there. */
static void go_through(struct search *search)
{
    search->count = search->condemned_count = 0;
    DIR *processes = opendir("/proc");
    if (processes == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(processes)) != NULL;)
        if (isdigit((unsigned char)entry->d_name[0]))
            look_at(search, dirfd(processes), entry->d_name);
    closedir(processes);
    if (search->condemned_count == 0 && search->order->whose == LEFT_BY_EARLIER)
        return;
    spare_ancestors(search);
    read_candidates(search);
    condemn_descendants(search);
    for (size_t i = 0; i < search->count; i++)
        if (search->candidates[i].is_condemned)
            kill_one(search, &search->candidates[i]);
}

/* One that dies shows no environment any more before it has let go of its files. */
static void forget_ended(struct search *search)
{
    size_t kept = 0;
    for (size_t i = 0; i < search->killed_count; i++)
        if (process_is_alive(search->killed[i].process, search->killed[i].start_ticks))
            search->killed[kept++] = search->killed[i];
    search->killed_count = kept;
}

/* One that was killed may have started another just before, and one that is being replaced by
 * another program shows no environment for a moment: what was there is gone when two rounds in
 * succession have found nobody. */
size_t left_processes_end(const struct left_processes *order, pid_t *left)
{
    struct search search = {.order = order, .mark = order->mark};
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)order->patience_ms * NS_PER_MS;
    int rounds = order->whose == LEFT_BY_OWNER ? 2 : 1; /* to go */
    long pause_ms = 1;
    for (;;) {
        go_through(&search);
        rounds = search.condemned_count > 0 ? 2 : rounds - 1;
        forget_ended(&search);
        if (search.killed_count > 0)
            rounds = 2;
        if (rounds == 0 || clock_monotonic_ns() >= end_ns)
            break;
        nanosleep(&(struct timespec){.tv_nsec = pause_ms * (long)NS_PER_MS}, NULL);
        pause_ms = pause_ms < PAUSE_MS_MAX ? 2 * pause_ms : pause_ms;
    }
    size_t count = search.killed_count;
    *left = count > 0 ? search.killed[0].process : 0;
    byte_writer_close(&search.environment);
    free(search.candidates);
    free(search.killed);
    return count;
}

void left_processes_end_earlier(const struct task_mark *mark)
{
    const struct left_processes order = {
        .mark = mark, .whose = LEFT_BY_EARLIER, .patience_ms = EARLIER_PATIENCE_MS};
    pid_t left;
    char host[HOST_BYTES] = "";
    if (left_processes_end(&order, &left) == 0)
        return;
    gethostname(host, sizeof host - 1);
    fprintf(stderr,
            "sheaf: warning: process %d on %s, of an earlier attempt, cannot be killed, and may "
            "run beside the next one: `ps -o stat,wchan,args -p %d` shows what it hangs in\n",
            (int)left, host, (int)left);
}
