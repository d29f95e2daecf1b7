/* master_presence.c - sees at once that a worker beside the master has ended. Of one elsewhere the
 * launcher tells, or else its silence, after --lost-after. */
#include "master_private.h"

#include "process_children.h"
#include "rank_deaths.h"

#include <unistd.h>

#define LOOK_NS         (SHEAF_NS_PER_S / 10)
/* A file system of many hosts is asked each time. */
#define LOOK_AT_TOLD_NS (SHEAF_NS_PER_S / 4)

/* What has another parent may be in a container, where numbers mean other processes. */
void master_presence_watch(struct master *master, uint32_t rank)
{
    struct member *member = &master->members[rank];
    pid_t process = (pid_t)member->process_id;
    if (member->process.process != 0 || process == getpid() || process_parent(process) != getppid())
        return;
    process_watch_open(&member->process, process);
}

void master_presence_close(struct member *member)
{
    process_watch_close(&member->process);
}

/* All that it has said was read before: this is its goodbye. */
static void on_end(struct master *master, uint32_t rank)
{
    struct member *member = &master->members[rank];
    master_presence_close(member);
    member->has_ended = true;
    struct input input = {.kind = INPUT_GOODBYE, .now_ns = master->now_ns};
    input.as.goodbye = (struct input_goodbye){.worker = rank, .cause = CAUSE_WORKER_LOST};
    master_step(master, &input, NULL, 0);
}

static void on_told(void *context, uint32_t rank)
{
    struct master *master = context;
    if (rank < (uint32_t)transport_rank_count(master->transport) &&
        rank != (uint32_t)transport_rank(master->transport) && !master->members[rank].has_ended)
        on_end(master, rank);
}

/* Without a launcher the file would be one that an earlier one has left. */
static void look_at_told(struct master *master)
{
    if (!master->options->is_under_launcher || master->now_ns < master->next_told_ns)
        return;
    master->next_told_ns = master->now_ns + LOOK_AT_TOLD_NS;
    rank_deaths_read(master_request_dir(master), on_told, master);
}

void master_presence_look(struct master *master)
{
    if (master->now_ns < master->next_presence_ns)
        return;
    look_at_told(master);
    master->next_presence_ns = master->now_ns + LOOK_NS;
    for (int i = 0; i < transport_rank_count(master->transport); i++)
        if (process_watch_has_ended(&master->members[i].process))
            on_end(master, (uint32_t)i);
}
