/* slot.c - feeds one executor with orders, reads its reports, watches it, and replaces it. */
#include "slot.h"

#include "../scheduler/check.h"
#include "print_foreign.h"
#include "process_memory.h"
#include "shared_memory.h"
#include "slot_failure.h"
#include "wake.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FRAGMENTS_PER_POLL = 2 * RING_FRAGMENTS, /* so that one slot does not hold up the others */
    START_RETRY_NS = 100000000,
};

void slot_init(struct slot *slot, struct slot_group *group, uint32_t number,
               const struct slot_place *place)
{
    *slot = (struct slot){.group = group, .number = number, .place = *place, .memory = -1};
}

/* ---- its executor ---- */

/* Forgets the executor, whatever it does. */
static void detach(struct slot *slot)
{
    if (slot->shared != NULL)
        munmap(slot->shared, sizeof *slot->shared);
    if (slot->memory >= 0)
        close(slot->memory);
    ring_message_close(&slot->incoming);
    slot->shared = NULL;
    slot->memory = -1;
    slot->executor = 0;
    slot->is_started = slot->has_ended = slot->is_watched = false;
    slot->kill_cause = CAUSE_NONE;
}

static void note_start_failure(struct slot *slot, const char *text)
{
    struct slot_group *group = slot->group;
    detach(slot);
    slot->retry_at_ns = 0; /* set by the next poll, which knows the time */
    if (group->start_failures < SLOT_START_FAILURES_MAX)
        group->start_failures++;
    snprintf(group->start_failure, sizeof group->start_failure, "%.*s",
             (int)sizeof group->start_failure - 1, text);
}

void slot_tell_stop(struct slot *slot)
{
    if (slot->shared != NULL)
        atomic_store(&slot->shared->is_stopping, slot->group->is_stopping);
}

/* A new executor gets new memory: nothing of the old one's can be left in it. */
static int create_shared(struct slot *slot)
{
    void *shared = NULL;
    int descriptor = shared_memory_create("sheaf-slot", sizeof *slot->shared, &shared);
    if (descriptor < 0)
        return -1;
    slot->shared = shared;
    ring_init(&slot->shared->orders);
    ring_init(&slot->shared->reports);
    slot_tell_stop(slot);
    return descriptor;
}

void slot_start_executor(struct slot *slot)
{
    CHECK(slot->executor == 0);
    int descriptor = create_shared(slot);
    if (descriptor < 0) {
        note_start_failure(slot, strerror(errno));
        return;
    }
    slot->executor = ++slot->group->executors_started;
    struct spawner_command command;
    memset(&command, 0, sizeof command);
    command.kind = SPAWNER_SPAWN;
    command.slot = slot->number;
    command.executor = slot->executor;
    command.place = slot->place;
    spawner_send(slot->group->spawner, &command, descriptor);
}

static void kill_executor(const struct slot *slot)
{
    const struct spawner_command command = {.kind = SPAWNER_KILL, .executor = slot->executor};
    spawner_send(slot->group->spawner, &command, -1);
}

void slot_hear(struct slot *slot, const struct spawner_event *event)
{
    switch (event->kind) {
    case SPAWNER_STARTED:
        slot->is_started = true;
        slot->process = event->process;
        slot->memory = process_memory_open(event->process);
        slot->group->start_failures = 0;
        return;
    case SPAWNER_NOT_STARTED:
        note_start_failure(slot, event->text);
        return;
    case SPAWNER_ENDED:
        slot->has_ended = true;
        slot->end_status = event->status;
        return;
    case SPAWNER_PREPARED:
    case SPAWNER_PREPARE_FAILED:
    case SPAWNER_SUCCEEDED:
        return;
    }
}

/* ---- its order ---- */

static void drop_order(struct slot *slot)
{
    slot->is_busy = false;
    slot->is_watched = false;
    slot->outgoing_sent = 0;
    if (slot->outgoing.capacity > RING_BUFFER_BYTES_KEPT)
        byte_writer_close(&slot->outgoing);
    byte_writer_clear(&slot->outgoing);
}

/* Writes what fits of the order. The executor must have been started: before, the order can still
 * go to another one. */
static void send_order(struct slot *slot)
{
    if (!slot->is_busy || !slot->is_started || slot->outgoing_sent == slot->outgoing.size)
        return;
    if (slot->outgoing_sent == 0)
        atomic_store(&slot->shared->claim, claim_make(0, (uint32_t)slot->order.range.count));
    size_t left = slot->outgoing.size - slot->outgoing_sent;
    size_t written =
        ring_write(&slot->shared->orders, slot->outgoing.data + slot->outgoing_sent, left, 0);
    slot->outgoing_sent += written;
    if (written > 0)
        wake_executor(slot->shared);
}

void slot_give(struct slot *slot, const struct work_order *order)
{
    CHECK(!slot->is_busy);
    struct slot_group *group = slot->group;
    slot->is_busy = true;
    slot->assignment = order->assignment;
    slot->order = (struct slot_order){
        .seq = ++group->orders_given,
        .work = order->work,
        .attempt = order->attempt,
        .range = order->range,
        .task_count = order->task_count,
        .body_size = order->body_size,
        .has_input = order->has_input,
        .may_merge = group->has_merge && !group->merge_is_suspect,
    };
    if (order->work == WORK_RUN && slot->order.range.count > CLAIM_COUNT_MAX)
        slot->order.range.count = CLAIM_COUNT_MAX;
    slot_order_encode(&slot->order, &slot->outgoing);
    byte_writer_put(&slot->outgoing, order->body, order->body_size);
    if (slot->executor == 0)
        slot_start_executor(slot);
    send_order(slot);
}

/* How many of `left` unstarted tasks stay. One stays when none has been started. */
static uint64_t kept_of(uint64_t left, bool has_started)
{
    uint64_t kept = left / 2;
    return kept == 0 && !has_started ? 1 : kept;
}

static struct range cut_order(struct slot *slot, uint64_t count)
{
    struct range *range = &slot->order.range;
    struct range taken = range_between(range->first + count, range_end(*range));
    range->count = count;
    return taken;
}

struct range slot_take_back(struct slot *slot)
{
    struct range *range = &slot->order.range;
    const struct range none = {range_end(*range), 0};
    if (!slot->is_busy || slot->order.work != WORK_RUN || slot->kill_cause != CAUSE_NONE)
        return none;
    if (slot->outgoing_sent == 0)
        return cut_order(slot, kept_of(range->count, false));
    uint64_t claim = atomic_load(&slot->shared->claim);
    uint32_t end;
    do {
        uint32_t next = claim_next(claim);
        if (next >= claim_end(claim) || claim_end(claim) > range->count)
            return none;
        end = next + (uint32_t)kept_of(claim_end(claim) - next, next > 0);
        if (end == claim_end(claim))
            return none;
    } while (!atomic_compare_exchange_weak(&slot->shared->claim, &claim,
                                           claim_make(claim_next(claim), end)));
    return cut_order(slot, end);
}

void slot_cancel(struct slot *slot)
{
    if (!slot->is_busy)
        return;
    bool is_with_executor = slot->outgoing_sent > 0;
    drop_order(slot);
    if (!is_with_executor)
        return;
    kill_executor(slot);
    detach(slot);
    slot_start_executor(slot);
}

/* ---- events ---- */

static void begin_event(const struct slot *slot, enum slot_event_kind kind,
                        struct slot_event *event)
{
    event->kind = kind;
    event->slot = slot->number;
    event->assignment = slot->assignment;
    event->work = slot->order.work;
    event->range = slot->order.range;
    event->cause = CAUSE_NONE;
    event->detail = 0;
    event->is_crash = event->is_for_good = event->is_open = false;
    event->text[0] = '\0';
    event->log_span = (struct executor_log_span){0};
    event->log_size = 0;
    event->tasks_run = event->busy_ns = 0;
    event->partials = NULL;
    event->partial_count = 0;
    event->body = NULL;
    event->body_size = 0;
}

/* The executor died in a merge that it did on the spot, after a task of a RUN order. */
static bool was_merging(const struct slot *slot)
{
    return slot->order.work == WORK_RUN && atomic_load(&slot->shared->order) == slot->order.seq &&
           (atomic_load(&slot->shared->step) & STEP_IS_MERGE) != 0;
}

/* The executor's end is the end of its order: what it was doing is to blame. */
static void fill_crash(const struct slot *slot, struct slot_event *event)
{
    const struct shared_slot *shared = slot->shared;
    bool was_taken_up = atomic_load(&shared->order) == slot->order.seq;
    uint32_t phase = atomic_load(&shared->phase);
    const char *prefix = "";
    begin_event(slot, SLOT_EVENT_FAILED, event);
    event->is_crash = true;
    event->log_span = (struct executor_log_span){atomic_load(&shared->log_bytes), UINT64_MAX};
    if (slot->order.work == WORK_RUN) {
        struct range task = {was_taken_up ? atomic_load(&shared->index) : slot->order.range.first,
                             1};
        if (!range_contains(slot->order.range, task))
            task.first = slot->order.range.first;
        event->range = task;
        if (was_merging(slot))
            prefix = "merge after this task: ";
    }
    event->is_open = was_taken_up && phase == EXECUTOR_OPEN;
    if (event->is_open)
        prefix = "open: ";
    if (slot->kill_cause == CAUSE_NONE)
        slot_failure_of_status(event, prefix, slot->end_status);
    else
        slot_failure_of_kill(
            event, prefix, slot->kill_cause,
            (struct slot_failure_limits){slot->group->task_timeout_ns, slot->group->memory_bytes});
}

/* It left by itself between two orders, and has not seen the next one. */
static bool has_left(const struct slot *slot)
{
    return slot->is_busy && slot->kill_cause == CAUSE_NONE && WIFEXITED(slot->end_status) &&
           WEXITSTATUS(slot->end_status) == 0 &&
           atomic_load(&slot->shared->order) != slot->order.seq &&
           atomic_load(&slot->shared->phase) == EXECUTOR_CLOSE;
}

/* The executor has ended and all its reports are read. 1 with an event if it was at work. */
static int end_executor(struct slot *slot, struct slot_event *event)
{
    bool is_event = slot->is_busy;
    if (has_left(slot)) {
        detach(slot);
        slot->outgoing_sent = 0; /* the order goes to the next one */
        slot_start_executor(slot);
        return 0;
    }
    if (is_event) {
        fill_crash(slot, event);
        if (was_merging(slot))
            slot->group->merge_is_suspect = true;
        drop_order(slot);
    }
    detach(slot);
    if (is_event) /* one that ended idle is replaced when it is needed: no loop of deaths */
        slot_start_executor(slot);
    return is_event ? 1 : 0;
}

/* The reports make no sense: the executor is out of its mind. */
static void kill_damaged(struct slot *slot)
{
    if (slot->kill_cause != CAUSE_NONE)
        return;
    slot->kill_cause = CAUSE_PLUGIN;
    kill_executor(slot);
}

static bool is_plausible(const struct slot *slot, const struct slot_report *report)
{
    if (report->kind == SLOT_REPORT_TASKS)
        return slot->order.work == WORK_SPLIT;
    if (!range_contains(slot->order.range, report->range))
        return false;
    return report->kind != SLOT_REPORT_DONE || report->range.first == slot->order.range.first;
}

static void fill_report(const struct slot *slot, const struct slot_report *report,
                        struct slot_event *event)
{
    static const enum slot_event_kind kinds[] = {[SLOT_REPORT_FAILED] = SLOT_EVENT_FAILED,
                                                 [SLOT_REPORT_TASKS] = SLOT_EVENT_TASKS,
                                                 [SLOT_REPORT_DONE] = SLOT_EVENT_DONE};
    begin_event(slot, kinds[report->kind], event);
    if (report->kind != SLOT_REPORT_TASKS)
        event->range = report->range;
    if (report->kind == SLOT_REPORT_FAILED) {
        event->cause = report->cause;
        event->detail = report->detail;
        event->is_for_good = report->is_for_good;
        event->is_open = report->is_open;
        memcpy(event->text, report->text, report->text_size);
        event->text[report->text_size] = '\0';
        event->log_span =
            (struct executor_log_span){report->log_first_bytes, report->log_end_bytes};
    }
    event->tasks_run = report->tasks_run;
    event->busy_ns = report->busy_ns;
    event->partials = report->partials;
    event->partial_count = report->partial_count;
    event->body = report->body;
    event->body_size = report->body_size;
}

static int handle_report(struct slot *slot, struct slot_event *event)
{
    struct byte_reader reader =
        byte_reader_of(slot->incoming.bytes.data, slot->incoming.bytes.size);
    struct slot_report report;
    if (!slot->is_busy || !slot_report_decode(&reader, slot->group->partials, &report) ||
        !is_plausible(slot, &report)) {
        kill_damaged(slot);
        return 0;
    }
    fill_report(slot, &report, event);
    bool ends_order = report.kind == SLOT_REPORT_DONE ||
                      (report.kind == SLOT_REPORT_FAILED && slot->order.work != WORK_RUN);
    if (ends_order)
        drop_order(slot);
    return 1;
}

static int read_reports(struct slot *slot, struct slot_event *event)
{
    if (slot->shared == NULL || slot->kill_cause == CAUSE_PLUGIN ||
        ring_is_empty(&slot->shared->reports))
        return 0;
    enum ring_status status =
        ring_read_message(&slot->shared->reports, &slot->incoming, FRAGMENTS_PER_POLL);
    wake_executor(slot->shared); /* it may wait for room */
    switch (status) {
    case RING_MESSAGE:
        return handle_report(slot, event);
    case RING_DAMAGED:
        kill_damaged(slot);
        return 0;
    case RING_NOTHING:
        return 0;
    }
    return 0;
}

/* ---- limits ---- */

static void kill_for(struct slot *slot, enum cause cause)
{
    slot->kill_cause = cause;
    kill_executor(slot);
}

/* Time counts while the executor is inside one step of the order and does not wait for us. No more
 * than half of the limit counts between two looks, so that a rank that was itself stopped does not
 * blame the task. */
static void watch_time(struct slot *slot, uint64_t elapsed_ns)
{
    const struct shared_slot *shared = slot->shared;
    uint64_t timeout_ns = slot->group->timeout_ns;
    uint64_t step = atomic_load(&shared->step);
    bool is_taken_up = atomic_load(&shared->order) == slot->order.seq;
    if (!is_taken_up || step != slot->step) {
        slot->step = step;
        slot->step_ns = 0;
        return;
    }
    if (atomic_load(&shared->executor_sleeping) != 0)
        return;
    slot->step_ns += elapsed_ns < timeout_ns / 2 ? elapsed_ns : timeout_ns / 2 + 1;
    if (slot->step_ns >= timeout_ns)
        kill_for(slot, CAUSE_TIMEOUT);
}

/* Of all processes that the task has started together with the executor. */
static void watch_memory(struct slot *slot, uint64_t now_ns)
{
    uint64_t start = atomic_load(&slot->shared->resident_bytes_at_start);
    if (start == 0 || slot->memory < 0)
        return;
    uint64_t limit = slot->group->memory_bytes;
    uint64_t interval_ns = slot->group->descendants_interval_ns;
    uint64_t resident = process_memory_resident(slot->memory);
    uint64_t growth = resident > start ? resident - start : 0;
    bool is_exceeded = growth > limit;
    if (!is_exceeded && interval_ns > 0 && now_ns - slot->descendants_watched_ns >= interval_ns) {
        slot->descendants_watched_ns = now_ns;
        is_exceeded = process_memory_is_exceeded_by_descendants(slot->process, limit - growth);
    }
    if (is_exceeded)
        kill_for(slot, CAUSE_MEMORY);
}

static void watch(struct slot *slot, uint64_t now_ns)
{
    if (!slot->is_busy || !slot->is_started || slot->kill_cause != CAUSE_NONE)
        return;
    if (!slot->is_watched) {
        slot->is_watched = true;
        slot->watched_ns = now_ns;
        slot->step = 0; /* of no step */
        slot->step_ns = 0;
        return;
    }
    uint64_t elapsed_ns = now_ns - slot->watched_ns;
    if (elapsed_ns < slot->group->watch_interval_ns)
        return;
    slot->watched_ns = now_ns;
    if (slot->group->timeout_ns > 0)
        watch_time(slot, elapsed_ns);
    if (slot->kill_cause == CAUSE_NONE)
        watch_memory(slot, now_ns);
}

/* After a failed start, while an order waits. */
static void retry_start(struct slot *slot, uint64_t now_ns)
{
    if (!slot->is_busy || slot->executor != 0)
        return;
    if (slot->retry_at_ns == 0)
        slot->retry_at_ns = now_ns + START_RETRY_NS;
    if (now_ns >= slot->retry_at_ns)
        slot_start_executor(slot);
}

/* The result of the task is its parent's, and counts. Once is enough. */
static void tell_of_copies(struct slot *slot)
{
    uint64_t task = slot->shared != NULL ? atomic_load(&slot->shared->copy_returned) : 0;
    if (task == 0 || slot->group->has_told_of_copies)
        return;
    slot->group->has_told_of_copies = true;
    print_harmless(
        stderr,
        "sheaf: warning: task %" PRIu64 " forked and returned in the copy, too: the copy was "
        "ended, the result of its parent counts. A forked copy must end by _exit; other tasks "
        "of this worker that do the same are told in their logs\n",
        task - 1);
}

int slot_poll(struct slot *slot, uint64_t now_ns, struct slot_event *event)
{
    tell_of_copies(slot);
    retry_start(slot, now_ns);
    send_order(slot);
    if (read_reports(slot, event) != 0)
        return 1;
    bool is_drained = slot->shared == NULL || slot->kill_cause == CAUSE_PLUGIN ||
                      ring_is_empty(&slot->shared->reports);
    if (slot->has_ended && is_drained)
        return end_executor(slot, event);
    watch(slot, now_ns);
    return 0;
}

unsigned char *slot_take_body(struct slot *slot)
{
    unsigned char *memory = slot->incoming.bytes.data;
    slot->incoming.bytes = (struct byte_writer){0};
    return memory;
}

bool slot_has_news(const struct slot *slot)
{
    if (slot->shared == NULL || slot->kill_cause == CAUSE_PLUGIN)
        return false;
    bool has_order_to_send = slot->is_busy && slot->is_started &&
                             slot->outgoing_sent < slot->outgoing.size &&
                             !ring_is_full(&slot->shared->orders);
    return has_order_to_send || slot->has_ended || !ring_is_empty(&slot->shared->reports);
}

uint64_t slot_next_poll_ns(const struct slot *slot)
{
    if (!slot->is_busy)
        return UINT64_MAX;
    if (slot->executor == 0)
        return slot->retry_at_ns;
    if (!slot->is_started)
        return UINT64_MAX;
    return slot->is_watched ? slot->watched_ns + slot->group->watch_interval_ns : 0;
}

void slot_close(struct slot *slot)
{
    if (slot->executor != 0 && (slot->is_busy || !slot->is_started)) {
        kill_executor(slot);
    } else if (slot->executor != 0 && !slot->has_ended) {
        const struct slot_order quit = {.seq = ++slot->group->orders_given,
                                        .work = SLOT_ORDER_QUIT};
        byte_writer_clear(&slot->outgoing);
        slot_order_encode(&quit, &slot->outgoing);
        ring_write(&slot->shared->orders, slot->outgoing.data, slot->outgoing.size, 0);
        wake_executor(slot->shared);
    }
    detach(slot);
    byte_writer_close(&slot->outgoing);
}
