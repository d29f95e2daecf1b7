/* rank_worker.c - takes orders from the master, feeds slots, reports what came out. */
#include "print_foreign.h"
#include "rank_worker_private.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "control.h"
#include "run_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EVENTS_PER_POLL = 64,
    /* The master counts as gone after this many times the span after which it would count a worker
     * as lost: a master that is merely slow must not lose its workers. */
    MASTER_PATIENCE_FACTOR = 6,
    /* Attempts to prepare, where the job does not say. */
    ATTEMPTS_DEFAULT = 3,
};

#define HEARTBEAT_NS_MAX      ((uint64_t)500 * 1000 * 1000)
/* A longer gap between two polls means that the process was stopped or starved. */
#define STOPPED_NS_MIN        ((uint64_t)1000 * 1000 * 1000)
#define LOST_AFTER_NS_DEFAULT ((uint64_t)10 * 1000 * 1000 * 1000)

size_t rank_worker_send(struct rank_worker *worker, struct message *message)
{
    message->session = worker->session;
    message->incarnation = worker->incarnation;
    struct byte_writer writer = {0};
    message_encode(message, &writer);
    size_t size = writer.size;
    transport_send(worker->transport, worker->master_rank, writer.data, size);
    return size;
}

void rank_worker_say_hello(struct rank_worker *worker)
{
    struct message hello = {.kind = MESSAGE_HELLO};
    hello.as.hello.topology = *worker->topology;
    hello.as.hello.process_id = (uint32_t)getpid();
    rank_worker_send(worker, &hello);
}

static void drop_queued(struct rank_worker *worker, struct queued_order *queued)
{
    TAILQ_REMOVE(&worker->queue, queued, entry);
    free(queued->message);
    free(queued);
}

static void drop_queue(struct rank_worker *worker)
{
    while (!TAILQ_EMPTY(&worker->queue))
        drop_queued(worker, TAILQ_FIRST(&worker->queue));
}

void rank_worker_say_goodbye(struct rank_worker *worker, struct message *goodbye, const char *text)
{
    goodbye->kind = MESSAGE_GOODBYE;
    goodbye->as.goodbye.text = text;
    goodbye->as.goodbye.text_size = strlen(text);
    rank_worker_send(worker, goodbye);
    worker->is_retired = !goodbye->as.goodbye.returns;
    worker->is_ready = false;
    drop_queue(worker);
}

void rank_worker_leave(struct rank_worker *worker, const char *text)
{
    struct message goodbye = {.as.goodbye.cause = CAUSE_EXIT};
    rank_worker_say_goodbye(worker, &goodbye, text);
}

struct rank_worker *rank_worker_create(const struct rank_worker_options *options, uint64_t now_ns)
{
    struct rank_worker *worker = memory_allocate_zeroed(1, sizeof *worker);
    worker->transport = options->transport;
    worker->spawner = options->spawner;
    worker->master_rank = options->master_rank;
    worker->lost_after_ns = LOST_AFTER_NS_DEFAULT;
    worker->is_under_launcher = options->is_under_launcher;
    worker->master_heard_ns = now_ns;
    worker->last_poll_ns = now_ns;
    worker->topology = options->topology;
    worker->mpi_environment = options->mpi_environment;
    worker->next_heartbeat_ns = UINT64_MAX;
    worker->failure = options->failure;
    TAILQ_INIT(&worker->queue);
    if (worker->failure != NULL)
        rank_worker_leave(worker, worker->failure);
    else
        rank_worker_say_hello(worker);
    return worker;
}

void rank_worker_destroy(struct rank_worker *worker)
{
    if (worker == NULL)
        return;
    drop_queue(worker);
    slot_set_destroy(worker->slots);
    free(worker->running);
    free(worker);
}

/* The first WELCOME brings the job. A later one says that this worker was believed lost and is
 * admitted again: the master has given its queued orders to others, and has thrown away what it had
 * to say: credits too, which would be waited for in vain. */
static void on_welcome(struct rank_worker *worker, const struct message *message, uint64_t now_ns)
{
    drop_queue(worker);
    worker->unacknowledged_bytes = 0;
    if (worker->slots != NULL || worker->is_retired || worker->return_ns != 0)
        return;
    struct sheaf_error error;
    if (spawner_order_successor(worker->spawner, &error) < 0) {
        rank_worker_leave(worker, error.text);
        return;
    }
    worker->incarnation = message->incarnation;
    worker->lost_after_ns = message->as.welcome.lost_after_ns;
    worker->window_bytes = message->as.welcome.window_bytes;
    const struct job_limits *limits = &message->as.welcome.job.limits;
    worker->attempts_max = limits->attempts_max > 0 ? limits->attempts_max : ATTEMPTS_DEFAULT;
    worker->crashes_max = limits->crashes_max > 0 ? limits->crashes_max : ATTEMPTS_DEFAULT;
    worker->next_heartbeat_ns = now_ns;
    const struct placement *placement = &message->as.welcome.placement;
    worker->running = memory_allocate_zeroed(placement->slot_count, sizeof *worker->running);
    char *run_dir = memory_allocate(message->as.welcome.run_dir_size + 1);
    memcpy(run_dir, message->as.welcome.run_dir, message->as.welcome.run_dir_size);
    run_dir[message->as.welcome.run_dir_size] = '\0';
    run_place_open(run_dir, NULL); /* who writes there says what is wrong */
    struct slot_set_options options = {
        .job = &message->as.welcome.job,
        .has_merge = message->as.welcome.has_merge,
        .slot_count = placement->slot_count,
        .places = placement->slots,
        .run_dir = run_dir,
        .mpi_environment = worker->mpi_environment,
        .world = message->as.welcome.world,
        .has_past = message->as.welcome.has_past || worker->has_past,
    };
    worker->has_past = true;
    if (slot_set_create(worker->spawner, &options, &worker->slots, &error) < 0)
        rank_worker_leave(worker, error.text);
    free(run_dir);
}

/* Whatever is not RUN is waited for by more than one slot: it goes first. */
static void on_order(struct rank_worker *worker, const struct work_order *order, uint64_t now_ns)
{
    if (worker->is_retired)
        return;
    struct queued_order *queued = memory_allocate_zeroed(1, sizeof *queued);
    queued->order = *order;
    queued->arrived_ns = now_ns;
    queued->message = transport_take_delivered(worker->transport); /* can be large: no copy */
    if (order->work == WORK_RUN)
        TAILQ_INSERT_TAIL(&worker->queue, queued, entry);
    else
        TAILQ_INSERT_HEAD(&worker->queue, queued, entry);
}

static struct queued_order *find_queued(const struct rank_worker *worker, uint64_t assignment)
{
    struct queued_order *queued;
    TAILQ_FOREACH (queued, &worker->queue, entry)
        if (queued->order.assignment == assignment)
            return queued;
    return NULL;
}

/* The slot that runs the assignment, or slot_set_count. */
static uint32_t find_running(const struct rank_worker *worker, uint64_t assignment)
{
    uint32_t count = worker->slots != NULL ? slot_set_count(worker->slots) : 0;
    for (uint32_t slot = 0; slot < count; slot++)
        if (worker->running[slot].is_busy && worker->running[slot].assignment == assignment)
            return slot;
    return count;
}

void rank_worker_send_returned(struct rank_worker *worker, uint64_t assignment, struct range range,
                               bool is_whole)
{
    struct message returned = {.kind = MESSAGE_RETURNED};
    returned.as.returned.assignment = assignment;
    returned.as.returned.range = range;
    returned.as.returned.is_whole = is_whole;
    rank_worker_send(worker, &returned);
}

/* The last half of a queued order; all of it when it is one task. */
static void take_back_queued(struct rank_worker *worker, struct queued_order *queued)
{
    struct range *range = &queued->order.range;
    uint64_t kept = queued->order.work == WORK_RUN ? range->count / 2 : 0;
    struct range taken = range_between(range->first + kept, range_end(*range));
    rank_worker_send_returned(worker, queued->order.assignment, taken, kept == 0);
    range->count = kept;
    if (kept == 0)
        drop_queued(worker, queued);
}

static void on_take_back(struct rank_worker *worker, uint64_t assignment)
{
    struct queued_order *queued = find_queued(worker, assignment);
    if (queued != NULL) {
        take_back_queued(worker, queued);
        return;
    }
    uint32_t slot = find_running(worker, assignment);
    struct range taken = {0};
    if (worker->slots != NULL && slot < slot_set_count(worker->slots) &&
        worker->running[slot].work == WORK_RUN) {
        taken = slot_set_take_back(worker->slots, slot);
        worker->running[slot].range.count -= taken.count;
    }
    rank_worker_send_returned(worker, assignment, taken, false);
}

static void on_cancel(struct rank_worker *worker, uint64_t assignment)
{
    struct queued_order *queued = find_queued(worker, assignment);
    if (queued != NULL) {
        drop_queued(worker, queued);
        return;
    }
    uint32_t slot = find_running(worker, assignment);
    if (worker->slots != NULL && slot < slot_set_count(worker->slots)) {
        slot_set_cancel(worker->slots, slot);
        worker->running[slot].is_busy = false;
    }
}

/* May be for results from before the last WELCOME, which do not count any more: then a little more
 * than the window gets under way, once. */
static void on_credit(struct rank_worker *worker, uint64_t bytes)
{
    uint64_t waited_for = worker->unacknowledged_bytes;
    worker->unacknowledged_bytes -= bytes < waited_for ? bytes : waited_for;
}

static void on_end(struct rank_worker *worker, bool is_clean, int status)
{
    worker->is_over = true;
    worker->ends_cleanly = is_clean;
    worker->status = status;
}

void rank_worker_drop_work(struct rank_worker *worker)
{
    drop_queue(worker);
    slot_set_destroy(worker->slots);
    worker->slots = NULL;
    free(worker->running);
    worker->running = NULL;
    worker->unacknowledged_bytes = 0;
    worker->is_ready = false;
}

/* Another master goes on, with the next stage of the job: what belonged to the one before is void,
 * and its user code ends here. A worker that has been told of no master yet has said HELLO to
 * whichever is there; only to the first one for certain. */
static void enter_session(struct rank_worker *worker, uint32_t session, uint64_t now_ns)
{
    bool is_expected = worker->session == 0 && session == 1;
    worker->session = session;
    if (is_expected)
        return;
    bool was_used = worker->slots != NULL || worker->is_retired || worker->return_ns != 0;
    rank_worker_drop_work(worker);
    worker->incarnation = 0;
    worker->is_retired = false;
    worker->has_past = false;
    worker->return_ns = 0;
    worker->prepare_failures = worker->spawners_lost = 0;
    if (worker->failure != NULL)
        rank_worker_leave(worker, worker->failure);
    else if (was_used)
        rank_worker_renew(worker, now_ns);
    else
        rank_worker_say_hello(worker);
}

void rank_worker_hear(struct rank_worker *worker, uint64_t now_ns)
{
    worker->master_heard_ns = now_ns;
}

void rank_worker_handle(struct rank_worker *worker, struct message *message, uint64_t now_ns)
{
    rank_worker_hear(worker, now_ns);
    if (message->session > worker->session && message->kind != MESSAGE_END)
        enter_session(worker, message->session, now_ns);
    if (message->session < worker->session && message->kind != MESSAGE_END)
        return;
    switch (message->kind) {
    case MESSAGE_WELCOME:
        on_welcome(worker, message, now_ns);
        return;
    case MESSAGE_ORDER:
        on_order(worker, &message->as.order, now_ns);
        return;
    case MESSAGE_TAKE_BACK:
        on_take_back(worker, message->as.assignment);
        return;
    case MESSAGE_CANCEL:
        on_cancel(worker, message->as.assignment);
        return;
    case MESSAGE_CREDIT:
        on_credit(worker, message->as.credit_bytes);
        return;
    case MESSAGE_STOP:
        if (worker->slots != NULL)
            slot_set_stop(worker->slots);
        return;
    case MESSAGE_END:
        on_end(worker, message->as.end.is_clean, message->as.end.status);
        return;
    case MESSAGE_PING:
    case MESSAGE_HELLO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_REPORT:
    case MESSAGE_RETURNED:
    case MESSAGE_FAILED:
    case MESSAGE_TASKS:
    case MESSAGE_GOODBYE:
        return;
    }
}

/* Results that the master has not taken in yet stay below the window, or nothing new begins: this
 * is how a slow disk slows the executors instead of filling memory. */
static bool may_produce(const struct rank_worker *worker)
{
    return worker->unacknowledged_bytes <= worker->window_bytes;
}

static bool start_orders(struct rank_worker *worker, uint64_t now_ns)
{
    bool did_something = false;
    uint32_t count = slot_set_count(worker->slots);
    for (uint32_t slot = 0; slot < count && !TAILQ_EMPTY(&worker->queue); slot++) {
        if (!slot_set_is_idle(worker->slots, slot) || worker->running[slot].is_busy)
            continue;
        struct queued_order *queued = TAILQ_FIRST(&worker->queue);
        uint64_t free_ns = worker->running[slot].free_ns;
        worker->running[slot] = (struct running_order){
            .is_busy = true,
            .assignment = queued->order.assignment,
            .work = queued->order.work,
            .range = queued->order.range,
            .arrived_ns = queued->arrived_ns,
            .idle_ns = free_ns != 0 ? now_ns - free_ns : 0,
        };
        slot_set_start(worker->slots, slot, &queued->order);
        drop_queued(worker, queued);
        did_something = true;
    }
    return did_something;
}

/* Where a launcher is it goes on without this rank, and says so itself; the words may reach it long
 * after. */
static void tell_silence(const struct rank_worker *worker, unsigned long long silence_s)
{
    int rank = transport_rank(worker->transport);
    if (worker->is_under_launcher)
        control_write_message(STDERR_FILENO, CONTROL_NOTE,
                              "rank %d has heard nothing from the master for %llu s and leaves",
                              rank, silence_s);
    else
        print_harmless(stderr,
                       "sheaf: rank %d has heard nothing from the master for %llu s and leaves; "
                       "repeat the command to continue the job\n",
                       rank, silence_s);
}

static void keep_contact(struct rank_worker *worker, uint64_t now_ns)
{
    /* Time in which this process was stopped is not silence of the master. */
    if (now_ns - worker->last_poll_ns > STOPPED_NS_MIN)
        worker->master_heard_ns = now_ns;
    worker->last_poll_ns = now_ns;
    if (now_ns >= worker->next_heartbeat_ns) {
        struct message heartbeat = {.kind = MESSAGE_HEARTBEAT};
        rank_worker_send(worker, &heartbeat);
        uint64_t interval_ns = worker->lost_after_ns / 5;
        worker->next_heartbeat_ns =
            now_ns + (interval_ns < HEARTBEAT_NS_MAX ? interval_ns : HEARTBEAT_NS_MAX);
    }
    uint64_t patience_ns = worker->lost_after_ns * MASTER_PATIENCE_FACTOR;
    if (now_ns - worker->master_heard_ns > patience_ns && !worker->is_over) {
        tell_silence(worker, patience_ns / 1000000000);
        on_end(worker, false, 4);
    }
}

bool rank_worker_poll(struct rank_worker *worker, uint64_t now_ns)
{
    keep_contact(worker, now_ns);
    if (worker->return_ns != 0 && now_ns >= worker->return_ns) {
        rank_worker_renew(worker, now_ns);
        return true;
    }
    if (worker->slots == NULL || worker->is_retired || !may_produce(worker))
        return false;
    bool did_something = false;
    struct slot_event event;
    for (int i = 0; i < EVENTS_PER_POLL && may_produce(worker); i++) {
        if (slot_set_poll(worker->slots, now_ns, &event) == 0)
            break;
        rank_worker_on_slot_event(worker, &event, now_ns);
        did_something = true;
        if (worker->is_retired || worker->slots == NULL)
            return true;
    }
    if (worker->is_ready && start_orders(worker, now_ns))
        did_something = true;
    return did_something;
}

bool rank_worker_is_busy(const struct rank_worker *worker)
{
    if (worker->slots == NULL || !may_produce(worker))
        return false;
    for (uint32_t slot = 0; slot < slot_set_count(worker->slots); slot++) {
        if (!worker->running[slot].is_busy)
            return false;
    }
    return true;
}

bool rank_worker_is_over(const struct rank_worker *worker)
{
    return worker->is_over;
}

bool rank_worker_ends_cleanly(const struct rank_worker *worker)
{
    return worker->ends_cleanly;
}

int rank_worker_status(const struct rank_worker *worker)
{
    return worker->status;
}

struct slot_set *rank_worker_find_slots(const struct rank_worker *worker)
{
    return may_produce(worker) ? worker->slots : NULL;
}
