/* slot_set.c - a rank's slots as one: prepares, polls them in turn, and sleeps without a race. */
#include "slot_set.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "command_plugin.h"
#include "process_end.h"
#include "process_memory.h"
#include "slot.h"
#include "slot_failure.h"
#include "spawner_setup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_MS ((uint64_t)1000000)

enum {
    WATCH_MS_MAX = 100,   /* between looks, when only the default limit applies */
    WATCH_MS_MEMORY = 20, /* when the job sets a memory limit */
    WATCHES_PER_TIMEOUT = 16,
    LOGS_READ_MAX = 16, /* of tasks that report a failure: these, and then one a second, so that a
                           million of them do not read a million times */
};

#define LOG_INTERVAL_NS ((uint64_t)1000000000)

enum set_state {
    SET_PREPARING = 0,
    SET_PREPARED, /* READY is still to be told */
    SET_READY,
    SET_FAILED, /* for good; told */
};

struct slot_set {
    struct slot_group group;
    enum set_state state;
    struct slot *slots;
    uint32_t slot_count;
    char *run_dir;      /* NULL: there are no logs */
    uint32_t logs_read; /* lately */
    uint64_t log_read_ns;
    uint32_t next_slot; /* the one to poll first: each has its turn */

    /* The watch over prepare. */
    int memory;
    uint64_t resident_bytes_at_start;
    uint64_t prepare_start_ns; /* 0 before the first poll */
    uint64_t watched_ns;
    enum cause kill_cause;
    char prepare_text[FACT_TEXT_BYTES_MAX]; /* of a prepare that returned a failure */
    bool prepare_has_failed;
};

static uint64_t choose_watch_interval(const struct job_limits *limits)
{
    uint64_t interval_ns = WATCH_MS_MAX * NS_PER_MS;
    if (limits->task_memory_bytes > 0)
        interval_ns = WATCH_MS_MEMORY * NS_PER_MS;
    if (limits->task_timeout_ns > 0 && limits->task_timeout_ns / WATCHES_PER_TIMEOUT < interval_ns)
        interval_ns = limits->task_timeout_ns / WATCHES_PER_TIMEOUT;
    return interval_ns > NS_PER_MS ? interval_ns : NS_PER_MS;
}

/* Commands are watched by their executors; here only for those that do not. */
static void set_limits(struct slot_group *group, const struct job *job)
{
    const struct job_limits *limits = &job->limits;
    group->timeout_ns = limits->task_timeout_ns;
    group->task_timeout_ns = limits->task_timeout_ns;
    if (job->command.is_there && group->timeout_ns > 0)
        group->timeout_ns += COMMAND_TIMEOUT_SLACK_MS * NS_PER_MS;
    group->memory_bytes = process_memory_limit(limits->task_memory_bytes);
    if (!job->command.is_there)
        group->descendants_interval_ns =
            NS_PER_MS * (uint64_t)(limits->task_memory_bytes > 0 ? PROCESS_MEMORY_LOOK_MS
                                                                 : PROCESS_MEMORY_LOOK_MS_DEFAULT);
    group->watch_interval_ns = choose_watch_interval(limits);
}

int slot_set_create(struct spawner *spawner, const struct slot_set_options *options,
                    struct slot_set **slots, struct sheaf_error *error)
{
    CHECK(options->slot_count > 0);
    int setup = spawner_setup_write(options, error);
    if (setup < 0)
        return setup;
    struct slot_set *set = memory_allocate_zeroed(1, sizeof *set);
    set->group.spawner = spawner;
    set->group.has_merge = options->has_merge;
    if (options->run_dir != NULL)
        set->run_dir = memory_copy(options->run_dir, strlen(options->run_dir) + 1);
    set_limits(&set->group, options->job);
    set->slot_count = options->slot_count;
    set->slots = memory_allocate_zeroed(options->slot_count, sizeof *set->slots);
    for (uint32_t i = 0; i < options->slot_count; i++)
        slot_init(&set->slots[i], &set->group, i, &options->places[i]);
    set->memory = process_memory_open(spawner_process(spawner));
    set->resident_bytes_at_start = process_memory_resident(set->memory);
    struct spawner_command command;
    memset(&command, 0, sizeof command);
    command.kind = SPAWNER_PREPARE;
    spawner_send(spawner, &command, setup);
    *slots = set;
    return 0;
}

void slot_set_destroy(struct slot_set *slots)
{
    if (slots == NULL)
        return;
    for (uint32_t i = 0; i < slots->slot_count; i++)
        slot_close(&slots->slots[i]);
    if (slots->memory >= 0)
        close(slots->memory);
    free(slots->slots);
    free(slots->run_dir);
    free(slots);
}

uint32_t slot_set_count(const struct slot_set *slots)
{
    return slots->slot_count;
}

static struct slot *get_slot(struct slot_set *slots, uint32_t slot)
{
    CHECK(slot < slots->slot_count);
    return &slots->slots[slot];
}

bool slot_set_is_idle(const struct slot_set *slots, uint32_t slot)
{
    CHECK(slot < slots->slot_count);
    return slots->state == SET_READY && !slots->slots[slot].is_busy;
}

void slot_set_start(struct slot_set *slots, uint32_t slot, const struct work_order *order)
{
    CHECK(slot_set_is_idle(slots, slot));
    slot_give(get_slot(slots, slot), order);
}

struct range slot_set_take_back(struct slot_set *slots, uint32_t slot)
{
    return slot_take_back(get_slot(slots, slot));
}

void slot_set_cancel(struct slot_set *slots, uint32_t slot)
{
    slot_cancel(get_slot(slots, slot));
}

void slot_set_stop(struct slot_set *slots)
{
    slots->group.is_stopping = true;
    for (uint32_t i = 0; i < slots->slot_count; i++)
        slot_tell_stop(&slots->slots[i]);
    struct spawner_command command;
    memset(&command, 0, sizeof command);
    command.kind = SPAWNER_TERMINATE;
    spawner_send(slots->group.spawner, &command, -1);
}

/* ---- prepare ---- */

static void watch_prepare(struct slot_set *set, uint64_t now_ns)
{
    if (set->prepare_start_ns == 0)
        set->prepare_start_ns = set->watched_ns = now_ns > 0 ? now_ns : 1;
    if (set->kill_cause != CAUSE_NONE || now_ns - set->watched_ns < set->group.watch_interval_ns)
        return;
    set->watched_ns = now_ns;
    uint64_t timeout_ns = set->group.timeout_ns;
    uint64_t resident = process_memory_resident(set->memory);
    if (timeout_ns > 0 && now_ns - set->prepare_start_ns >= timeout_ns)
        set->kill_cause = CAUSE_TIMEOUT;
    else if (resident > set->resident_bytes_at_start &&
             resident - set->resident_bytes_at_start > set->group.memory_bytes)
        set->kill_cause = CAUSE_MEMORY;
    if (set->kill_cause != CAUSE_NONE)
        spawner_kill(set->group.spawner);
}

/* ---- the spawner ---- */

static void hear_spawner(struct slot_set *set, const struct spawner_event *event)
{
    if (event->kind == SPAWNER_PREPARED) {
        set->state = SET_PREPARED;
        for (uint32_t i = 0; i < set->slot_count; i++)
            slot_start_executor(&set->slots[i]);
        return;
    }
    if (event->kind == SPAWNER_PREPARE_FAILED) {
        set->prepare_has_failed = true;
        memcpy(set->prepare_text, event->text, sizeof set->prepare_text);
        return;
    }
    for (uint32_t i = 0; i < set->slot_count; i++) /* executors come and go rarely */
        if (set->slots[i].executor == event->executor)
            slot_hear(&set->slots[i], event);
}

/* True when the set is of no more use: then *status is the spawner's, if it has ended. */
static bool has_failed(struct slot_set *set, int *status)
{
    return set->prepare_has_failed || set->group.start_failures >= SLOT_START_FAILURES_MAX ||
           spawner_has_ended(set->group.spawner, status);
}

static void fill_failure(const struct slot_set *set, int status, struct slot_event *event)
{
    const char *prefix = set->state == SET_PREPARING ? "prepare: " : "the spawner: ";
    memset(event, 0, sizeof *event);
    event->kind = SLOT_EVENT_PREPARE_FAILED;
    if (set->prepare_has_failed) {
        event->cause = CAUSE_PLUGIN;
        memcpy(event->text, set->prepare_text, sizeof event->text);
    } else if (set->group.start_failures >= SLOT_START_FAILURES_MAX) {
        event->cause = CAUSE_LIMIT;
        snprintf(event->text, sizeof event->text,
                 "no process can be started for a slot: %.1900s; look at `ulimit -u` and -n",
                 set->group.start_failure);
    } else if (set->kill_cause != CAUSE_NONE) {
        event->is_crash = true;
        slot_failure_of_kill(
            event, prefix, set->kill_cause,
            (struct slot_failure_limits){set->group.task_timeout_ns, set->group.memory_bytes});
    } else {
        event->is_crash = true;
        event->is_foreign = process_end_is_foreign(status);
        slot_failure_of_status(event, prefix, status);
    }
}

static int poll_slots(struct slot_set *set, uint64_t now_ns, struct slot_event *event)
{
    for (uint32_t i = 0; i < set->slot_count; i++) {
        struct slot *slot = &set->slots[set->next_slot];
        set->next_slot = set->next_slot + 1 < set->slot_count ? set->next_slot + 1 : 0;
        if (slot_poll(slot, now_ns, event) != 0)
            return 1;
    }
    return 0;
}

/* A crash costs more than this; of failures that come by the thousand few are looked at. */
static bool may_read_log(struct slot_set *set, uint64_t now_ns, bool is_crash)
{
    if (set->run_dir == NULL)
        return false;
    uint64_t passed = (now_ns - set->log_read_ns) / LOG_INTERVAL_NS;
    if (passed > 0) {
        set->logs_read -= passed < set->logs_read ? (uint32_t)passed : set->logs_read;
        set->log_read_ns = now_ns;
    }
    if (!is_crash && set->logs_read >= LOGS_READ_MAX)
        return false;
    set->logs_read += !is_crash;
    return true;
}

static void read_log(struct slot_set *set, uint64_t now_ns, struct slot_event *event)
{
    struct executor_log_span span = event->log_span;
    if (span.first_bytes >= span.end_bytes || !may_read_log(set, now_ns, event->is_crash))
        return;
    char *path = executor_log_path(set->run_dir, spawner_process(set->group.spawner), event->slot);
    if (path != NULL)
        event->log_size = (uint32_t)executor_log_read(path, span, event->log, sizeof event->log);
    free(path);
}

int slot_set_poll(struct slot_set *slots, uint64_t now_ns, struct slot_event *event)
{
    struct spawner_event heard;
    if (slots->state == SET_FAILED)
        return 0;
    while (spawner_receive(slots->group.spawner, now_ns, &heard) != 0)
        hear_spawner(slots, &heard);
    int status = -1;
    if (has_failed(slots, &status)) {
        fill_failure(slots, status, event);
        slots->state = SET_FAILED;
        return 1;
    }
    switch (slots->state) {
    case SET_PREPARING:
        watch_prepare(slots, now_ns);
        return 0;
    case SET_PREPARED:
        slots->state = SET_READY;
        memset(event, 0, sizeof *event);
        event->kind = SLOT_EVENT_READY;
        return 1;
    case SET_READY:
        if (poll_slots(slots, now_ns, event) == 0)
            return 0;
        if (event->kind == SLOT_EVENT_FAILED)
            read_log(slots, now_ns, event);
        return 1;
    case SET_FAILED:
        return 0;
    }
    return 0;
}

/* ---- sleep ---- */

int slot_set_wake_descriptor(const struct slot_set *slots)
{
    return spawner_wake_descriptor(slots->group.spawner);
}

static bool has_news(const struct slot_set *set)
{
    if (set->state == SET_FAILED)
        return false;
    if (set->state == SET_PREPARED || spawner_has_news(set->group.spawner))
        return true;
    for (uint32_t i = 0; i < set->slot_count; i++)
        if (slot_has_news(&set->slots[i]))
            return true;
    return false;
}

bool slot_set_prepare_sleep(struct slot_set *slots)
{
    struct shared_rank *shared = spawner_shared_rank(slots->group.spawner);
    atomic_store(&shared->is_sleeping, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (!has_news(slots))
        return true;
    atomic_store(&shared->is_sleeping, 0);
    return false;
}

void slot_set_end_sleep(struct slot_set *slots)
{
    atomic_store(&spawner_shared_rank(slots->group.spawner)->is_sleeping, 0);
    spawner_drain_wakes(slots->group.spawner);
}

unsigned char *slot_set_take_body(struct slot_set *slots, uint32_t slot)
{
    return slot_take_body(&slots->slots[slot]);
}

uint64_t slot_set_next_poll_ns(const struct slot_set *slots)
{
    uint64_t next_ns = UINT64_MAX;
    if (slots->state == SET_PREPARING)
        return slots->watched_ns + slots->group.watch_interval_ns;
    for (uint32_t i = 0; i < slots->slot_count; i++) {
        uint64_t slot_ns = slot_next_poll_ns(&slots->slots[i]);
        if (slot_ns < next_ns)
            next_ns = slot_ns;
    }
    return next_ns;
}
