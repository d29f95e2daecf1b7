/* sim_master.c - the master's loop around the real scheduler: inputs in, facts to the journal,
 * effects out when the journal allows, and death at any point between. */
#include "sim.h"

#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

enum { TICKS_AT_ONCE_MAX = 1000 };

#define PUBLISH_NS    ((uint64_t)2 * 1000 * 1000)
#define ACCEPT_NS_MAX ((uint64_t)5 * 1000 * 1000)
#define STOP_AGAIN_NS ((uint64_t)5 * 1000 * 1000 * 1000)
#define TICK_LATE_NS  ((uint64_t)50 * 1000)

static const struct range no_range;

static const struct state *state_of(const struct world *world)
{
    return scheduler_state(world->master.scheduler);
}

/* Posts an event that is void once this master is gone. */
static void post_own(struct world *world, enum event_kind kind, uint64_t delay_ns,
                     struct range range)
{
    world_post(world, &(struct event){
                          .time_ns = world->now_ns + delay_ns,
                          .kind = kind,
                          .detail = world->run,
                          .range = range,
                      });
}

void master_close(struct master *master)
{
    if (master->scheduler != NULL)
        scheduler_destroy(master->scheduler);
    output_close(&master->output);
    free(master->effects);
    *master = (struct master){0};
}

static void crash(struct world *world)
{
    journal_crash(world);
    trace(world, "fault: master crashes, kept", 0, world->journal.count, no_range);
    world_relaunch(world, "relaunch after a crash");
}

/* One of the places at which a master may die. True when it did. */
static bool crashes_here(struct world *world)
{
    struct master *master = &world->master;
    if (master->crash_countdown == 0 || --master->crash_countdown > 0)
        return false;
    crash(world);
    return true;
}

/* The bytes of all partials in `range`, which must have no gap. False when some are damaged: then
 * the loss is on its way to the scheduler. */
static bool read_partials(struct world *world, struct range range, struct message *into)
{
    uint64_t task = range.first;
    while (task < range_end(range)) {
        const struct partial *partial = state_find_partial(state_of(world), task);
        if (partial == NULL || partial->range.first != task ||
            !range_contains(range, partial->range))
            violate(world, "the results of [%llu, %llu) are wanted, but there is a gap at %llu",
                    (unsigned long long)range.first, (unsigned long long)range_end(range),
                    (unsigned long long)task);
        struct partial copy = *partial;
        copy.offset_bytes = into->payload.size;
        if (!journal_read(world, partial, &into->payload)) {
            trace(world, "stored result is damaged", 0, partial->payload_seq, partial->range);
            post_own(world, EVENT_RESULT_LOST, 0, partial->range);
            return false;
        }
        message_add_partial(into, &copy);
        task = range_end(partial->range);
    }
    return true;
}

static struct message *message_for(const struct world *world, const struct effect *effect,
                                   enum message_kind kind)
{
    struct message *message = message_create(kind);
    message->run = world->run;
    message->worker = effect->worker;
    message->incarnation = state_incarnation(state_of(world));
    message->assignment = effect->assignment;
    message->work = effect->work;
    message->range = effect->range;
    message->attempt = effect->attempt;
    return message;
}

static void send_order(struct world *world, const struct effect *effect, struct sim_worker *worker)
{
    bool is_known = state_find_assignment(state_of(world), effect->assignment) != NULL;
    if (!is_known && (effect->work != WORK_RUN || random_chance(&world->random, 500)))
        return;
    struct message *order = message_for(world, effect, MESSAGE_ASSIGN);
    if (effect->work == WORK_MERGE || effect->work == WORK_FINISH) {
        if (!read_partials(world, effect->range, order)) {
            message_destroy(order);
            return;
        }
    }
    if (worker == NULL)
        message_destroy(order);
    else
        world_send_to_worker(world, worker, order);
}

static bool read_output(struct world *world, struct message *into)
{
    uint64_t task_count = world->plan.task_count;
    if (!world->plan.has_finish)
        return read_partials(world, (struct range){0, task_count}, into);
    const struct partial *output = state_output(state_of(world));
    if (output == NULL)
        violate(world, "the output is to be published, but finish had no result");
    if (journal_read(world, output, &into->payload))
        return true;
    trace(world, "stored output is damaged", 0, output->payload_seq, output->range);
    post_own(world, EVENT_RESULT_LOST, 0, output->range);
    return false;
}

static void publish(struct world *world)
{
    if (state_phase(state_of(world)) != PHASE_PUBLISHING)
        return;
    struct message *output = message_create(MESSAGE_REPORT);
    if (read_output(world, output)) {
        byte_writer_clear(&world->published);
        byte_writer_put(&world->published, output->payload.data, output->payload.size);
        if (output->payload.size != world->reference.size ||
            (output->payload.size > 0 &&
             memcmp(output->payload.data, world->reference.data, world->reference.size) != 0))
            violate(world, "the published %zu bytes differ from the %zu of a serial run",
                    output->payload.size, world->reference.size);
        post_own(world, EVENT_PUBLISHED, PUBLISH_NS, no_range);
    }
    message_destroy(output);
}

static void end_run(struct world *world, enum run_end end)
{
    check_end(world, end);
    if (end == RUN_END_STOPPED || end == RUN_END_NO_WORKERS || end == RUN_END_UNOPENED) {
        journal_cut(&world->journal, world->journal.count);
        world_relaunch(world, "relaunch after the run ended");
        return;
    }
    if (end == RUN_END_JOB_FAILED || world->is_finished || !world->plan.restarts_finished_job) {
        world->is_over = true;
        world->master.is_up = false;
        return;
    }
    world->is_finished = true;
    journal_cut(&world->journal, world->journal.count);
    world_relaunch(world, "finished job is started again");
}

static void perform(struct world *world, const struct effect *effect)
{
    static const char *const names[] = {
        [EFFECT_WELCOME] = "welcome",     [EFFECT_ASSIGN] = "assign",
        [EFFECT_TAKE_BACK] = "take back", [EFFECT_CANCEL] = "cancel",
        [EFFECT_PUBLISH] = "publish",     [EFFECT_END] = "end",
    };
    trace(world, names[effect->kind], effect->worker, effect->assignment, effect->range);
    check_effect(world, effect);
    struct sim_worker *worker = world_find_worker(world, effect->worker);
    switch (effect->kind) {
    case EFFECT_WELCOME:
        world->incarnation_max = state_incarnation(state_of(world));
        if (worker != NULL)
            world_send_to_worker(world, worker, message_for(world, effect, MESSAGE_WELCOME));
        return;
    case EFFECT_ASSIGN:
        send_order(world, effect, worker);
        return;
    case EFFECT_TAKE_BACK:
        if (worker != NULL)
            world_send_to_worker(world, worker, message_for(world, effect, MESSAGE_TAKE_BACK));
        return;
    case EFFECT_CANCEL:
        if (worker != NULL)
            world_send_to_worker(world, worker, message_for(world, effect, MESSAGE_CANCEL));
        return;
    case EFFECT_PUBLISH:
        publish(world);
        return;
    case EFFECT_END:
        end_run(world, effect->end);
        return;
    }
}

/* What one sync takes: long, while the disk stalls. */
static uint64_t draw_sync_ns(struct world *world)
{
    uint64_t sync_ns = 1 + random_below(&world->random, world->plan.sync_ns);
    uint64_t until_ns = world->disk_stalls_until_ns;
    return until_ns > world->now_ns ? until_ns - world->now_ns + sync_ns : sync_ns;
}

static void post_sync(struct world *world, uint64_t delay_ns)
{
    world->journal.sync_generation++;
    world_post(world, &(struct event){
                          .time_ns = world->now_ns + delay_ns,
                          .kind = EVENT_SYNCED,
                          .detail = world->run,
                          .generation = world->journal.sync_generation,
                      });
}

/* Begins a sync at once when an effect waits for it, else after the interval. */
static void plan_sync(struct world *world)
{
    struct journal *journal = &world->journal;
    const struct master *master = &world->master;
    if (journal->durable_seq == journal->count || journal->syncing_seq > 0)
        return;
    bool is_wanted = master->effect_count > 0;
    if (is_wanted) {
        journal->is_sync_waiting = false;
        journal->syncing_seq = journal->count;
        post_sync(world, draw_sync_ns(world));
    } else if (!journal->is_sync_waiting) {
        journal->is_sync_waiting = true;
        post_sync(world, world->plan.sync_interval_ns);
    }
}

static void perform_effects(struct world *world)
{
    struct master *master = &world->master;
    while (master->effect_count > 0) {
        struct effect effect = master->effects[master->effect_first];
        if (effect.after_seq > world->journal.durable_seq)
            break;
        master->effect_first++;
        master->effect_count--;
        perform(world, &effect);
        if (!master->is_up || crashes_here(world))
            return;
    }
    if (master->effect_count == 0)
        master->effect_first = 0;
    plan_sync(world);
}

static void queue_effects(struct master *master)
{
    for (size_t i = 0; i < master->output.effect_count; i++) {
        void *effects = master->effects;
        size_t end = master->effect_first + master->effect_count;
        memory_grow(&effects, &master->effect_capacity, end + 1, sizeof *master->effects);
        master->effects = effects;
        master->effects[end] = master->output.effects[i];
        master->effect_count++;
    }
}

static void plan_tick(struct world *world)
{
    struct master *master = &world->master;
    uint64_t tick_ns = scheduler_next_tick_ns(master->scheduler);
    if (tick_ns == master->tick_ns)
        return;
    master->tick_ns = tick_ns;
    master->tick_generation++;
    if (tick_ns == UINT64_MAX)
        return;
    uint64_t late_ns =
        random_chance(&world->random, 500) ? random_below(&world->random, TICK_LATE_NS) : 0;
    world_post(world, &(struct event){
                          .time_ns = (tick_ns > world->now_ns ? tick_ns : world->now_ns) + late_ns,
                          .kind = EVENT_TICK,
                          .detail = world->run,
                          .generation = master->tick_generation,
                      });
}

static void note_fact(struct world *world, const struct fact *fact)
{
    struct master *master = &world->master;
    if (fact->kind == FACT_RUN_STARTED)
        master->run_started_seq = fact->seq;
    if (fact->kind == FACT_JOB_ACCEPTED)
        master->job_accepted_seq = fact->seq;
    if (fact->kind == FACT_JOB_FINISHED)
        master->finished_seq = fact->seq;
    if (fact->kind == FACT_RESULT)
        master->result_seq = fact->seq;
    if (fact->kind == FACT_RESULT && fact->as.result.work == WORK_SPLIT && master->is_up)
        post_own(world, EVENT_ACCEPT_JOB, random_below(&world->random, ACCEPT_NS_MAX), no_range);
}

static void append_facts(struct world *world, const struct message *message)
{
    const struct output *output = &world->master.output;
    for (size_t i = 0; i < output->fact_count; i++) {
        const struct fact *fact = &output->facts[i];
        bool has_payload = false;
        if (fact->kind == FACT_RESULT)
            for (uint32_t p = 0; p < fact->as.result.partial_count; p++)
                has_payload |= fact->as.result.partials[p].payload_seq == 0;
        if (has_payload && message != NULL)
            journal_append(&world->journal, fact, message->payload.data, message->payload.size);
        else
            journal_append(&world->journal, fact, NULL, 0);
        note_fact(world, fact);
        if (fact->kind == FACT_RESULT && has_payload)
            check_bytes(world, fact);
    }
}

/* `message` is what the input was made from, or NULL. */
void master_feed(struct world *world, const struct input *input, const struct message *message)
{
    struct master *master = &world->master;
    struct input now = *input;
    now.now_ns = world->now_ns;
    world->step_count++;
    scheduler_step(master->scheduler, &now, &master->output);
    check_step(world, &master->output);
    if (message != NULL && message->run != world->run)
        check_stale(world, message, &master->output);
    append_facts(world, message);
    queue_effects(master);
    if (world->step_count >= world->next_replay_step) {
        check_replay(world);
        world->next_replay_step = world->step_count * 3 / 2 + 20;
    }
    if (crashes_here(world))
        return;
    if (random_chance(&world->random, world->plan.snapshot_permille))
        journal_take_snapshot(&world->journal, state_of(world));
    perform_effects(world);
    if (master->is_up)
        plan_tick(world);
}

static void recover_fact(void *context, const struct fact *fact)
{
    struct world *world = context;
    scheduler_recover(world->master.scheduler, fact);
    note_fact(world, fact);
    if (!world->journal.has_lost_records && !world->journal.is_from_snapshot)
        shadow_apply(world, fact);
}

void master_start(struct world *world)
{
    struct master *master = &world->master;
    struct journal *journal = &world->journal;
    *master = (struct master){.tick_ns = UINT64_MAX};
    master->scheduler = scheduler_create(&world->plan.config);
    journal_rot(world);
    journal->is_from_snapshot = journal->snapshot.count > 0 && random_chance(&world->random, 700);
    shadow_reset(&world->shadow);
    journal_replay(world, journal->is_from_snapshot, recover_fact, world);
    if (journal->has_lost_records || journal->is_from_snapshot)
        shadow_adopt(world, state_of(world));
    trace(world, "master starts", 0, state_last_seq(state_of(world)), no_range);
    master->is_up = true;
    struct input start = {.kind = INPUT_START};
    start.as.start.incarnation = state_incarnation(state_of(world)) + 1;
    if (state_job(state_of(world)) == NULL && !world->plan.config.has_split)
        post_own(world, EVENT_ACCEPT_JOB, random_below(&world->random, ACCEPT_NS_MAX), no_range);
    master_feed(world, &start, NULL);
}

static void accept_job(struct world *world)
{
    if (state_job(state_of(world)) != NULL)
        return;
    struct input input = {.kind = INPUT_JOB_ACCEPTED};
    input.as.job_accepted = (struct fact_job_accepted){
        .task_count = world->plan.task_count,
        .has_merge = world->plan.has_merge,
        .has_finish = world->plan.has_finish,
        .graph_fingerprint = world->job.graph != NULL ? world->job.graph->fingerprint : 0,
    };
    master_feed(world, &input, NULL);
}

/* A worker that is not in the state says hello once more only when it never got its welcome, or
 * when its process started again: else its heartbeats readmit it. */
static void on_contact(struct world *world, struct sim_worker *worker,
                       const struct message *message)
{
    struct input input = {.kind = INPUT_HEARD};
    input.as.heard.worker = message->worker;
    bool is_known = state_find_worker(state_of(world), message->worker) != NULL;
    if (message->kind == MESSAGE_HELLO && (!is_known || message->life > worker->admitted_life)) {
        worker->admitted_life = message->life;
        input.kind = INPUT_HELLO;
        input.as.hello = (struct input_hello){
            .worker = message->worker,
            .slot_count = message->slot_count,
            .node = world_node_of(world, message->worker),
        };
    }
    master_feed(world, &input, NULL);
}

static struct input input_of(const struct message *message)
{
    struct input input = {0};
    if (message->kind == MESSAGE_REPORT) {
        input.kind = INPUT_REPORT;
        input.as.report = (struct input_report){
            .worker = message->worker,
            .incarnation = message->incarnation,
            .assignment = message->assignment,
            .work = message->work,
            .tasks_run = message->tasks_run,
            .busy_ns = message->busy_ns,
            .idle_ns = message->idle_ns,
            .held_ns = message->held_ns,
            .partial_count = (uint32_t)message->partial_count,
            .partials = message->partials,
        };
    } else if (message->kind == MESSAGE_RETURNED) {
        input.kind = INPUT_RETURNED;
        input.as.returned = (struct input_returned){
            .worker = message->worker,
            .incarnation = message->incarnation,
            .assignment = message->assignment,
            .range = message->range,
            .is_whole = message->is_whole,
        };
    } else if (message->kind == MESSAGE_FAILED) {
        input.kind = INPUT_ATTEMPT_FAILED;
        input.as.attempt_failed = (struct input_attempt_failed){
            .worker = message->worker,
            .incarnation = message->incarnation,
            .assignment = message->assignment,
            .work = message->work,
            .range = message->range,
            .cause = message->cause,
            .is_crash = message->is_crash,
            .is_for_good = message->is_for_good,
            .is_open = message->is_open,
            .text = "as planned",
            .text_size = 10,
        };
    } else {
        CHECK(message->kind == MESSAGE_GOODBYE);
        input.kind = INPUT_GOODBYE;
        input.as.goodbye = (struct input_goodbye){
            .worker = message->worker,
            .incarnation = message->incarnation,
            .prepare_failed = message->is_prepare_failed,
            .cause = message->is_prepare_failed ? CAUSE_PLUGIN : CAUSE_STOPPED,
        };
    }
    return input;
}

static void on_message(struct world *world, const struct event *event)
{
    static const char *const names[] = {
        [MESSAGE_HELLO] = "hello",    [MESSAGE_HEARTBEAT] = "heartbeat",
        [MESSAGE_REPORT] = "report",  [MESSAGE_RETURNED] = "returned arrives",
        [MESSAGE_FAILED] = "failure", [MESSAGE_GOODBYE] = "goodbye",
    };
    const struct message *message = event->message;
    bool is_contact = message->kind == MESSAGE_HELLO || message->kind == MESSAGE_HEARTBEAT;
    if (event->time_ns > world->workers[event->target]->last_ns)
        return;
    if (message->run != world->run && (is_contact || !world->plan.lingers))
        return;
    trace(world, names[message->kind], message->worker, message->assignment, message->range);
    if (is_contact) {
        on_contact(world, world->workers[event->target], message);
        return;
    }
    struct input input = input_of(message);
    master_feed(world, &input, message);
}

static void on_tick(struct world *world)
{
    struct master *master = &world->master;
    master->tick_ns = UINT64_MAX;
    master->ticks_at_once = master->ticked_ns == world->now_ns ? master->ticks_at_once + 1 : 0;
    master->ticked_ns = world->now_ns;
    if (master->ticks_at_once > TICKS_AT_ONCE_MAX)
        violate(world, "the scheduler wants a tick at %llu again and again",
                (unsigned long long)scheduler_next_tick_ns(master->scheduler));
    master_feed(world, &(struct input){.kind = INPUT_TICK}, NULL);
}

static void on_synced(struct world *world)
{
    struct journal *journal = &world->journal;
    if (journal->is_sync_waiting) {
        journal->is_sync_waiting = false;
        journal->syncing_seq = journal->count;
        post_sync(world, draw_sync_ns(world));
        return;
    }
    journal->durable_seq = journal->syncing_seq;
    journal->syncing_seq = 0;
    if (!crashes_here(world))
        perform_effects(world);
}

/* A stored result is found damaged out of turn. */
static void lose_result(struct world *world)
{
    uint64_t task = random_below(&world->random, world->plan.task_count);
    const struct partial *partial = state_find_partial(state_of(world), task);
    if (partial == NULL || partial->size_bytes == 0)
        return;
    journal_damage(&world->journal, partial);
    trace(world, "fault: stored result is damaged", 0, partial->payload_seq, partial->range);
    struct input input = {.kind = INPUT_RESULT_LOST, .as.result_lost = {.range = partial->range}};
    master_feed(world, &input, NULL);
}

/* What lingering workers said finds the next master. */
static void keep_message(struct world *world, const struct event *event)
{
    if (!world->plan.lingers || world->is_over)
        return;
    struct event later = *event;
    later.time_ns += 1 + random_below(&world->random, 2 * world->relaunch_ns_max);
    later.message = message_copy(event->message);
    world_post(world, &later);
}

void master_handle(struct world *world, const struct event *event)
{
    bool is_own =
        event->kind != EVENT_TO_MASTER && event->kind != EVENT_STOP && event->kind != EVENT_LOSS;
    if (!world->master.is_up && event->kind == EVENT_TO_MASTER)
        keep_message(world, event);
    if (!world->master.is_up || (is_own && event->detail != world->run))
        return;
    struct input input = {0};
    switch ((int)event->kind) {
    case EVENT_TO_MASTER:
        on_message(world, event);
        return;
    case EVENT_TICK:
        if (event->generation == world->master.tick_generation)
            on_tick(world);
        return;
    case EVENT_SYNCED:
        if (event->generation == world->journal.sync_generation)
            on_synced(world);
        return;
    case EVENT_ACCEPT_JOB:
        accept_job(world);
        return;
    case EVENT_PUBLISHED:
        input.kind = INPUT_PUBLISHED;
        break;
    case EVENT_RESULT_LOST:
        input.kind = INPUT_RESULT_LOST;
        input.as.result_lost.range = event->range;
        break;
    case EVENT_LOSS:
        lose_result(world);
        return;
    case EVENT_STOP:
    case EVENT_STOP_AGAIN:
        trace(world, "fault: stop", 0, 0, no_range);
        world->stop_count++;
        post_own(world, EVENT_STOP_AGAIN, STOP_AGAIN_NS, no_range);
        input.kind = INPUT_STOP;
        break;
    default:
        CHECK(false);
    }
    master_feed(world, &input, NULL);
}
