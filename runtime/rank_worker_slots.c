/* rank_worker_slots.c - what slots say becomes messages to the master; and a spawner that has died
 * is replaced. */
#include "rank_worker_private.h"

#include <string.h>

enum {
    /* Spawners in a row that somebody kills, without a result in between: then the worker leaves.
     */
    SPAWNERS_LOST_MAX = 10,
    BODY_BYTES_COPIED = 1 << 20, /* of a smaller result the memory is used again */
};

/* From the loss of a spawner to the next one; doubles with each. */
#define RETURN_DELAY_NS     ((uint64_t)100 * 1000 * 1000)
#define RETURN_DELAY_NS_MAX ((uint64_t)1000 * 1000 * 1000)

static void on_slot_failed(struct rank_worker *worker, const struct slot_event *event)
{
    struct message failed = {.kind = MESSAGE_FAILED};
    failed.as.failed.assignment = event->assignment;
    failed.as.failed.work = event->work;
    failed.as.failed.range = event->range;
    failed.as.failed.cause = event->cause;
    failed.as.failed.detail = event->detail;
    failed.as.failed.is_crash = event->is_crash;
    failed.as.failed.is_for_good = event->is_for_good;
    failed.as.failed.is_open = event->is_open;
    failed.as.failed.text = event->text;
    failed.as.failed.text_size = strnlen(event->text, sizeof event->text);
    failed.as.failed.log = event->log;
    failed.as.failed.log_size = event->log_size;
    worker->unacknowledged_bytes += rank_worker_send(worker, &failed);
    if (event->is_crash || event->work != WORK_RUN)
        worker->running[event->slot].is_busy = false;
}

static void on_slot_tasks(struct rank_worker *worker, const struct slot_event *event)
{
    struct message tasks = {.kind = MESSAGE_TASKS};
    tasks.as.tasks.assignment = event->assignment;
    tasks.as.tasks.body = event->body;
    tasks.as.tasks.body_size = event->body_size;
    worker->unacknowledged_bytes += rank_worker_send(worker, &tasks);
}

/* A large result stays where it is. */
static size_t send_report(struct rank_worker *worker, struct message *report,
                          const struct slot_event *event)
{
    report->as.report.payload_size = event->body_size;
    if (event->body_size < BODY_BYTES_COPIED) {
        report->as.report.payload = event->body;
        return rank_worker_send(worker, report);
    }
    report->session = worker->session;
    report->incarnation = worker->incarnation;
    struct byte_writer head = {0};
    message_encode(report, &head);
    const struct transport_parts parts = {.data = head.data,
                                          .size = head.size,
                                          .memory = slot_set_take_body(worker->slots, event->slot),
                                          .body = event->body,
                                          .body_size = event->body_size};
    transport_send_parts(worker->transport, worker->master_rank, &parts);
    return head.size + event->body_size;
}

/* What the executor left undone goes back first: the report ends the assignment. */
static void on_slot_done(struct rank_worker *worker, const struct slot_event *event,
                         uint64_t now_ns)
{
    struct running_order *running = &worker->running[event->slot];
    if (event->work == WORK_RUN && range_end(event->range) < range_end(running->range))
        rank_worker_send_returned(worker, event->assignment,
                                  range_between(range_end(event->range), range_end(running->range)),
                                  false);
    struct message report = {.kind = MESSAGE_REPORT};
    report.as.report.assignment = event->assignment;
    report.as.report.work = event->work;
    report.as.report.tasks_run = event->tasks_run;
    report.as.report.busy_ns = event->busy_ns;
    report.as.report.idle_ns = running->idle_ns;
    report.as.report.held_ns = now_ns - running->arrived_ns;
    report.as.report.partial_count = event->partial_count;
    report.as.report.partials = (struct partial *)(uintptr_t)event->partials;
    worker->unacknowledged_bytes += send_report(worker, &report, event);
    running->is_busy = false;
    running->free_ns = now_ns;
    worker->spawners_lost = 0;
}

/* Another attempt a little later: twice the time after the last one. */
static void return_later(struct rank_worker *worker, uint32_t failures, uint64_t now_ns)
{
    uint64_t delay_ns = RETURN_DELAY_NS;
    for (uint32_t i = 1; i < failures && delay_ns < RETURN_DELAY_NS_MAX; i++)
        delay_ns *= 2;
    worker->return_ns = now_ns + (delay_ns < RETURN_DELAY_NS_MAX ? delay_ns : RETURN_DELAY_NS_MAX);
}

/* A prepare that fails has attempts, like a task. Who is killed by others costs none of them; but
 * if that goes on without an end, a new start of everything is better. */
static void on_spawner_failed(struct rank_worker *worker, const struct slot_event *event,
                              uint64_t now_ns)
{
    bool is_prepare_failure = !worker->is_ready && !event->is_foreign;
    uint32_t *count = is_prepare_failure ? &worker->prepare_failures : &worker->spawners_lost;
    uint32_t count_max = is_prepare_failure ? worker->attempts_max : SPAWNERS_LOST_MAX;
    if (is_prepare_failure && event->is_crash && worker->crashes_max < count_max)
        count_max = worker->crashes_max;
    (*count)++;
    bool is_last = *count >= count_max || event->cause == CAUSE_LIMIT;
    struct message goodbye = {.as.goodbye.cause = event->cause,
                              .as.goodbye.detail = event->detail,
                              .as.goodbye.prepare_failed = is_prepare_failure && is_last,
                              .as.goodbye.returns = !is_last};
    rank_worker_say_goodbye(worker, &goodbye, event->text);
    if (is_last)
        return;
    rank_worker_drop_work(worker);
    return_later(worker, *count, now_ns);
}

void rank_worker_renew(struct rank_worker *worker, uint64_t now_ns)
{
    struct sheaf_error error;
    worker->return_ns = 0;
    if (spawner_renew(worker->spawner, &error) == 0)
        rank_worker_say_hello(worker);
    else if (++worker->spawners_lost >= SPAWNERS_LOST_MAX)
        rank_worker_leave(worker, error.text);
    else
        return_later(worker, worker->spawners_lost, now_ns);
}

void rank_worker_on_slot_event(struct rank_worker *worker, const struct slot_event *event,
                               uint64_t now_ns)
{
    switch (event->kind) {
    case SLOT_EVENT_READY:
        worker->is_ready = true;
        worker->prepare_failures = 0;
        return;
    case SLOT_EVENT_PREPARE_FAILED:
        on_spawner_failed(worker, event, now_ns);
        return;
    case SLOT_EVENT_FAILED:
        on_slot_failed(worker, event);
        return;
    case SLOT_EVENT_TASKS:
        on_slot_tasks(worker, event);
        return;
    case SLOT_EVENT_DONE:
        on_slot_done(worker, event, now_ns);
        return;
    case SLOT_EVENT_NONE:
        return;
    }
}
