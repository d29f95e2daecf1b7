/* start_watch.c - sees that a rank on this host ends while MPI starts. */
#include "start_watch.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "process_children.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_NS       (100 * SHEAF_NS_PER_MS)
/* What a rank has said last may still be under way through mpirun: perhaps it left in order. */
#define LAST_WORDS_NS (500 * SHEAF_NS_PER_MS)
/* mpirun starts the ranks of a host one right after the other. One that has not come by then has
 * ended before it was seen; and so has one that is not there while mpirun waits for something else,
 * in each look of a second. */
#define COMPLETE_NS   (10 * SHEAF_NS_PER_S)
#define SETTLED_NS    (1 * SHEAF_NS_PER_S)

struct look {
    struct start_watch *watch;
    const struct process_tree *tree;
    size_t present_count;
    size_t new_count;
    pid_t starter; /* mpirun, or its daemon; 0: not known yet */
};

void start_watch_close(struct start_watch *watch)
{
    free(watch->ranks);
    watch->ranks = NULL;
}

static bool read_program(pid_t process, char program[PATH_MAX])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)process);
    ssize_t size = readlink(path, program, PATH_MAX - 1);
    program[size > 0 ? size : 0] = '\0';
    return size > 0;
}

static bool executes(pid_t process, const char *program)
{
    char target[PATH_MAX];
    return read_program(process, target) && strcmp(target, program) == 0;
}

static bool was_seen(const struct start_watch *watch, pid_t process)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->ranks[i] == process)
            return true;
    return false;
}

/* A rank is started by mpirun; what executes the same and was started by a rank is none. */
static void look_at(void *context, pid_t process, pid_t parent)
{
    struct look *look = context;
    struct start_watch *watch = look->watch;
    if (!executes(process, watch->program) || executes(parent, watch->program) ||
        !process_tree_contains(look->tree, process))
        return;
    look->present_count++;
    look->starter = parent;
    if (was_seen(watch, process))
        return;
    void *ranks = watch->ranks;
    memory_grow(&ranks, &watch->capacity, watch->count + 1, sizeof *watch->ranks);
    watch->ranks = ranks;
    watch->ranks[watch->count++] = process;
    look->new_count++;
}

struct starts {
    pid_t starter;
    bool has_any; /* a child that still executes what its parent does */
};

static void look_for_start(void *context, pid_t process, pid_t parent)
{
    struct starts *starts = context;
    char program[PATH_MAX];
    if (parent == starts->starter && read_program(parent, program) && executes(process, program))
        starts->has_any = true;
}

/* It sleeps, and no child of its is on the way to become a rank. */
static bool is_waiting(pid_t starter)
{
    struct starts starts = {.starter = starter};
    if (starter == 0 || process_state(starter) != 'S')
        return false;
    process_find_all(look_for_start, &starts);
    return !starts.has_any;
}

static bool is_short(struct start_watch *watch, const struct look *look, uint64_t now_ns)
{
    if (watch->count == 0 || watch->count >= watch->rank_count)
        return false;
    if (look->new_count > 0 || !is_waiting(look->starter))
        watch->settled_ns = 0;
    else if (watch->settled_ns == 0)
        watch->settled_ns = now_ns;
    bool is_settled = watch->settled_ns != 0 && now_ns - watch->settled_ns >= SETTLED_NS;
    return is_settled || now_ns - watch->changed_ns >= COMPLETE_NS;
}

bool start_watch_look(struct start_watch *watch, const struct process_tree *tree, uint64_t now_ns)
{
    if (now_ns - watch->looked_ns < LOOK_NS)
        return false;
    watch->looked_ns = now_ns;
    struct look look = {.watch = watch, .tree = tree};
    process_find_all(look_at, &look);
    if (look.new_count > 0 || look.present_count != watch->present_count)
        watch->changed_ns = now_ns;
    watch->present_count = look.present_count;
    if (watch->present_count == watch->count)
        watch->missed_ns = 0;
    else if (watch->missed_ns == 0)
        watch->missed_ns = now_ns;
    bool is_missing = watch->missed_ns != 0 && now_ns - watch->missed_ns >= LAST_WORDS_NS;
    return is_short(watch, &look, now_ns) || is_missing;
}
