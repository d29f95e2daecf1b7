/* sim_world.c - virtual time: the event queue, the network, and the runs one after the other. */
#include "sim.h"

#include "../../scheduler/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct range no_range;

struct message *message_create(enum message_kind kind)
{
    struct message *message = memory_allocate_zeroed(1, sizeof *message);
    message->kind = kind;
    return message;
}

struct message *message_copy(const struct message *message)
{
    struct message *copy = memory_copy(message, sizeof *message);
    copy->partials =
        memory_copy(message->partials, message->partial_count * sizeof *message->partials);
    copy->partial_capacity = message->partial_count;
    copy->payload = (struct byte_writer){0};
    byte_writer_put(&copy->payload, message->payload.data, message->payload.size);
    return copy;
}

void message_destroy(struct message *message)
{
    if (message == NULL)
        return;
    free(message->partials);
    byte_writer_close(&message->payload);
    free(message);
}

void message_add_partial(struct message *message, const struct partial *partial)
{
    void *partials = message->partials;
    memory_grow(&partials, &message->partial_capacity, message->partial_count + 1, sizeof *partial);
    message->partials = partials;
    message->partials[message->partial_count++] = *partial;
}

static bool is_before(const struct event *left, const struct event *right)
{
    if (left->time_ns != right->time_ns)
        return left->time_ns < right->time_ns;
    return left->number < right->number;
}

static void swap_events(struct event *left, struct event *right)
{
    struct event held = *left;
    *left = *right;
    *right = held;
}

void world_post(struct world *world, const struct event *event)
{
    void *events = world->events;
    memory_grow(&events, &world->event_capacity, world->event_count + 1, sizeof *event);
    world->events = events;
    size_t place = world->event_count++;
    world->events[place] = *event;
    if (event->number == 0)
        world->events[place].number = ++world->events_made;
    while (place > 0 && is_before(&world->events[place], &world->events[(place - 1) / 2])) {
        swap_events(&world->events[place], &world->events[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
}

static struct event take_event(struct world *world)
{
    struct event first = world->events[0];
    world->events[0] = world->events[--world->event_count];
    size_t place = 0;
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= world->event_count)
            return first;
        if (child + 1 < world->event_count &&
            is_before(&world->events[child + 1], &world->events[child]))
            child++;
        if (!is_before(&world->events[child], &world->events[place]))
            return first;
        swap_events(&world->events[child], &world->events[place]);
        place = child;
    }
}

static void print_entry(const struct trace_entry *entry)
{
    printf("%15" PRIu64 " ns  %-28s worker %-4" PRIu32 " number %-8" PRIu64 " [%" PRIu64
           ", %" PRIu64 ")\n",
           entry->time_ns, entry->what, entry->worker, entry->number, entry->range.first,
           range_end(entry->range));
}

void trace(struct world *world, const char *what, uint32_t worker, uint64_t number,
           struct range range)
{
    struct trace_entry *entry = &world->trace[world->trace_count++ % TRACE_KEPT];
    *entry = (struct trace_entry){world->now_ns, what, worker, number, range};
    uint64_t hash = world->trace_hash;
    hash = random_mix(hash ^ world->now_ns);
    hash = random_mix(hash ^ (number << 8) ^ (uint64_t)what[0]);
    hash = random_mix(hash ^ (range.first << 20) ^ range.count ^ ((uint64_t)worker << 40));
    world->trace_hash = hash;
    if (world->options.is_verbose)
        print_entry(entry);
}

void violate(struct world *world, const char *format, ...)
{
    const struct options *options = &world->options;
    char property[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(property, sizeof property, format, arguments);
    va_end(arguments);
    plan_print(&world->plan);
    printf("last events:\n");
    uint64_t first = world->trace_count > TRACE_KEPT ? world->trace_count - TRACE_KEPT : 0;
    for (uint64_t i = first; i < world->trace_count; i++)
        print_entry(&world->trace[i % TRACE_KEPT]);
    printf("not ok - seed %" PRIu64 " at %" PRIu64 " ns, step %" PRIu64 ": %s\n", options->seed,
           world->now_ns, world->step_count, property);
    printf("reproduce: sim --seed %" PRIu64, options->seed);
    if (options->worker_count > 0)
        printf(" --workers %" PRIu32, options->worker_count);
    if (options->has_task_count)
        printf(" --tasks %" PRIu64, options->task_count);
    printf(" --verbose\n");
    fflush(stdout);
    longjmp(world->on_violation, 1);
}

bool world_has_faults(const struct world *world)
{
    return world->now_ns < world->fault_end_ns;
}

static uint64_t draw_delay(struct world *world)
{
    return 300 + random_below(&world->random, world->plan.delay_ns_max + 1);
}

static uint64_t fifo_arrival(struct world *world, uint64_t *last_ns)
{
    uint64_t arrival_ns = world->now_ns + draw_delay(world);
    if (arrival_ns <= *last_ns)
        arrival_ns = *last_ns + 1;
    *last_ns = arrival_ns;
    return arrival_ns;
}

void world_send_to_master(struct world *world, struct sim_worker *worker, struct message *message)
{
    message->run = worker->run;
    message->worker = worker->rank;
    message->incarnation = worker->incarnation;
    struct event event = {
        .time_ns = fifo_arrival(world, &worker->to_master_ns),
        .kind = EVENT_TO_MASTER,
        .target = worker->index,
        .message = message,
    };
    bool is_repeatable = message->kind == MESSAGE_REPORT || message->kind == MESSAGE_RETURNED ||
                         message->kind == MESSAGE_FAILED;
    if (is_repeatable && world_has_faults(world) &&
        random_chance(&world->random, world->plan.duplicate_permille)) {
        struct event repeated = event;
        uint64_t late_ns = world->plan.delay_ns_max;
        if (random_chance(&world->random, 500))
            late_ns += world->plan.delay_ns_max + world->plan.silence_ns_max;
        repeated.time_ns += 1 + random_below(&world->random, late_ns);
        repeated.message = message_copy(message);
        world_post(world, &repeated);
    }
    world_post(world, &event);
}

void world_send_to_worker(struct world *world, struct sim_worker *worker, struct message *message)
{
    struct event event = {
        .time_ns = fifo_arrival(world, &worker->to_worker_ns),
        .kind = EVENT_TO_WORKER,
        .target = worker->index,
        .message = message,
    };
    world_post(world, &event);
}

struct sim_worker *world_get_worker(struct world *world, uint32_t rank)
{
    size_t first_of_run = world->worker_count - world->plan.worker_count;
    return world->workers[first_of_run + rank - 1];
}

struct sim_worker *world_find_worker(struct world *world, uint32_t rank)
{
    if (rank < 1 || rank > world->plan.worker_count)
        return NULL;
    struct sim_worker *worker = world_get_worker(world, rank);
    return worker->is_alive ? worker : NULL;
}

uint32_t world_node_of(const struct world *world, uint32_t rank)
{
    return rank % world->plan.node_count;
}

bool world_is_bad_node(const struct world *world, uint32_t rank)
{
    return world_node_of(world, rank) < world->plan.bad_nodes &&
           (!world->plan.bad_nodes_heal || world_has_faults(world));
}

static void launch(struct world *world)
{
    world->run++;
    world->lost_workers = 0;
    for (uint32_t rank = 1; rank <= world->plan.worker_count; rank++) {
        struct sim_worker *worker = worker_create(world, rank);
        void *workers = world->workers;
        memory_grow(&workers, &world->worker_capacity, world->worker_count + 1, sizeof worker);
        world->workers = workers;
        world->workers[world->worker_count++] = worker;
    }
    master_start(world);
}

void world_relaunch(struct world *world, const char *why)
{
    trace(world, why, 0, world->run, no_range);
    master_close(&world->master);
    for (size_t i = 0; i < world->worker_count; i++) {
        struct sim_worker *worker = world->workers[i];
        if (worker->run == world->run && worker->is_alive && !world->plan.lingers)
            worker_die(world, worker);
    }
    uint64_t wait_ns = 1 + random_below(&world->random, world->relaunch_ns_max);
    world_post(world, &(struct event){.time_ns = world->now_ns + wait_ns, .kind = EVENT_RELAUNCH});
}

static void handle(struct world *world, const struct event *event)
{
    if (fault_holds_message(world, event))
        return;
    switch (event->kind) {
    case EVENT_TO_WORKER:
    case EVENT_SLOT:
    case EVENT_HEARTBEAT:
        worker_handle(world, world->workers[event->target], event);
        return;
    case EVENT_FAULT:
        fault_strike(world, event);
        return;
    case EVENT_REVIVAL:
        worker_revive(world, world->workers[event->target]);
        return;
    case EVENT_RELAUNCH:
        launch(world);
        return;
    case EVENT_STOP:
    case EVENT_LOSS:
    case EVENT_TO_MASTER:
    case EVENT_TICK:
    case EVENT_SYNCED:
    case EVENT_ACCEPT_JOB:
    case EVENT_PUBLISHED:
    case EVENT_RESULT_LOST:
    case EVENT_STOP_AGAIN:
        master_handle(world, event);
        return;
    }
}

static void run_events(struct world *world)
{
    while (!world->is_over) {
        if (world->event_count == 0)
            violate(world, "nothing is left to happen, and the job is not finished");
        struct event event = take_event(world);
        if (event.time_ns > world->deadline_ns)
            violate(world, "the job is not finished by its deadline of %" PRIu64 " ns",
                    world->deadline_ns);
        if (++world->events_handled > EVENTS_MAX)
            violate(world, "more than %d events", (int)EVENTS_MAX);
        world->now_ns = event.time_ns;
        handle(world, &event);
        message_destroy(event.message);
    }
}

bool world_run(const struct options *options, struct world *world)
{
    *world = (struct world){.options = *options};
    if (setjmp(world->on_violation) != 0)
        return false;
    world->random = random_source_of(options->seed);
    plan_draw(&world->plan, options, &world->random);
    if (options->is_verbose)
        plan_print(&world->plan);
    sim_job_init(&world->job, &world->plan, &world->random);
    world->plan.config.graph = world->job.graph;
    sim_job_reference(&world->job, &world->reference);
    journal_init(&world->journal);
    shadow_reset(&world->shadow);
    fault_plan_time(world);
    launch(world);
    run_events(world);
    return true;
}

void world_close(struct world *world)
{
    for (size_t i = 0; i < world->event_count; i++)
        message_destroy(world->events[i].message);
    free(world->events);
    for (size_t i = 0; i < world->worker_count; i++)
        worker_destroy(world->workers[i]);
    free(world->workers);
    master_close(&world->master);
    journal_close(&world->journal);
    shadow_reset(&world->shadow);
    sim_job_close(&world->job);
    byte_writer_close(&world->reference);
    byte_writer_close(&world->published);
    *world = (struct world){0};
}
