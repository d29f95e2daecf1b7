/* sim_check.c - the properties that must hold after every step, before every effect and at the
 * end. */
#include "sim.h"

#include "../../scheduler/memory.h"

#include <stdio.h>
#include <string.h>

enum {
    RETURNS_MAX = 100,
    RETURNS_OF_SLOT_MAX = 64,
    INEXACT_CHECK_STEPS = 2000, /* between checks of a state too large for every step */
    EXACT_CHECK_TASKS = 100,    /* a task checked costs about a hundredth of a step */
};

static const struct state *state_of(const struct world *world)
{
    return scheduler_state(world->master.scheduler);
}

static void check_seq_at_least(struct world *world, const struct effect *effect, uint64_t seq,
                               const char *what)
{
    if (seq > 0 && effect->after_seq < seq)
        violate(world, "effect %d for worker %u waits for fact %llu only, but rests on %s, %llu",
                (int)effect->kind, effect->worker, (unsigned long long)effect->after_seq, what,
                (unsigned long long)seq);
}

static uint64_t find_seq(const struct output *output, enum fact_kind kind, uint64_t else_seq)
{
    for (size_t i = output->fact_count; i > 0; i--)
        if (output->facts[i - 1].kind == kind)
            return output->facts[i - 1].seq;
    return else_seq;
}

/* It is heard, or should be: its first message after a cut may take as long as a heartbeat. */
static bool is_heard(const struct world *world, const struct sim_worker *worker)
{
    return worker->silent_until_ns <= world->now_ns &&
           (worker->cut_until_ns == 0 ||
            worker->cut_until_ns + world->plan.config.lost_after_ns <= world->now_ns);
}

/* Somebody's prepare fails, and nobody else is there. */
static bool is_unprepared(struct world *world)
{
    uint32_t prepared_count = world->plan.worker_count - world->plan.failing_prepares;
    for (uint32_t rank = 1; rank <= prepared_count; rank++) {
        const struct sim_worker *worker = world_find_worker(world, rank);
        if (worker != NULL && is_heard(world, worker))
            return false;
    }
    return world->plan.failing_prepares > 0;
}

static void check_gate(struct world *world, const struct output *output,
                       const struct effect *effect)
{
    const struct master *master = &world->master;
    uint64_t run_started = find_seq(output, FACT_RUN_STARTED, master->run_started_seq);
    uint64_t job_accepted = find_seq(output, FACT_JOB_ACCEPTED, master->job_accepted_seq);
    uint64_t result = find_seq(output, FACT_RESULT, master->result_seq);
    uint64_t finished = find_seq(output, FACT_JOB_FINISHED, master->finished_seq);
    if (effect->after_seq > state_last_seq(state_of(world)))
        violate(world, "effect %d waits for fact %llu, which does not exist yet", (int)effect->kind,
                (unsigned long long)effect->after_seq);
    if (effect->kind == EFFECT_WELCOME || effect->kind == EFFECT_ASSIGN)
        check_seq_at_least(world, effect, run_started, "the start of the run");
    if (effect->kind == EFFECT_ASSIGN && effect->work != WORK_SPLIT)
        check_seq_at_least(world, effect, job_accepted, "the accepted job");
    if (effect->kind == EFFECT_ASSIGN && effect->work == WORK_RUN &&
        shadow_is_early(world, effect->range, effect->after_seq))
        violate(world, "tasks of [%llu, %llu) are to start before others that they come after",
                (unsigned long long)effect->range.first,
                (unsigned long long)range_end(effect->range));
    if (effect->kind == EFFECT_PUBLISH)
        check_seq_at_least(world, effect, result, "the last result");
    if (effect->kind == EFFECT_END &&
        (effect->end == RUN_END_DONE || effect->end == RUN_END_TASKS_FAILED))
        check_seq_at_least(world, effect, finished, "the end of the job");
    if (effect->kind == EFFECT_END && effect->end == RUN_END_JOB_FAILED &&
        find_seq(output, FACT_JOB_FAILED, 0) != 0 && !world->plan.has_failing_finish &&
        !is_unprepared(world))
        violate(world, "the job failed, but nothing in it should");
}

static void check_worker_load(struct world *world, const struct fact_assigned *assigned)
{
    const struct worker *worker = state_find_worker(state_of(world), assigned->worker);
    if (worker == NULL)
        return;
    uint32_t most = worker->slot_count * (2 + world->plan.config.prefetch_per_slot);
    if (worker->assignment_count > most)
        violate(world, "worker %u has %u assignments, more than %u", worker->rank,
                worker->assignment_count, most);
}

/* Taking back is to end in somebody working: it must not go round in circles. */
static void check_returns(struct world *world, const struct fact *fact)
{
    uint64_t slots = state_slot_count(state_of(world));
    if (fact->kind == FACT_RETURNED)
        world->returns_in_a_row++;
    else if (fact->kind != FACT_ASSIGNED)
        world->returns_in_a_row = 0;
    if (world->returns_in_a_row > RETURNS_MAX + RETURNS_OF_SLOT_MAX * slots)
        violate(world, "%llu times in a row work was taken back, and nothing else happened",
                (unsigned long long)world->returns_in_a_row);
}

static void check_fact(struct world *world, const struct fact *fact, uint64_t seq)
{
    if (fact->seq != seq)
        violate(world, "fact %llu comes where %llu was due", (unsigned long long)fact->seq,
                (unsigned long long)seq);
    if (world->options.is_verbose) {
        char text[512];
        fact_describe(fact, text, sizeof text);
        printf("%15llu ns  fact %llu: %s\n", (unsigned long long)world->now_ns,
               (unsigned long long)seq, text);
    }
    static const char *const names[] = {
        [FACT_RUN_STARTED] = "fact: run started",
        [FACT_JOB_ACCEPTED] = "fact: job accepted",
        [FACT_WORKER_JOINED] = "fact: worker joined",
        [FACT_WORKER_LOST] = "fact: worker lost",
        [FACT_ASSIGNED] = "fact: assigned",
        [FACT_RESULT] = "fact: result",
        [FACT_RETURNED] = "fact: returned",
        [FACT_ATTEMPT_FAILED] = "fact: attempt failed",
        [FACT_RESULT_LOST] = "fact: result lost",
        [FACT_JOB_FAILED] = "fact: job failed",
        [FACT_JOB_FINISHED] = "fact: job finished",
        [FACT_SNAPSHOT_END] = "fact: snapshot end",
        [FACT_NODE_BENCHED] = "fact: node benched",
        [FACT_NODE_READMITTED] = "fact: node readmitted",
        [FACT_FAILED_REOPENED] = "fact: failed reopened",
    };
    uint32_t worker = 0;
    if (fact->kind == FACT_ASSIGNED)
        worker = fact->as.assigned.worker;
    else if (fact->kind == FACT_WORKER_LOST)
        worker = fact->as.worker_lost.worker;
    trace(world, names[fact->kind], worker, seq, fact_range(fact));
    shadow_apply(world, fact);
    check_returns(world, fact);
    if (fact->kind == FACT_ASSIGNED)
        check_worker_load(world, &fact->as.assigned);
}

/* Of the nodes with slots never more than half are benched; a benched node has one task at most. */
static void check_bench(struct world *world)
{
    const struct state *state = state_of(world);
    const struct range_set *benched = state_benched_nodes(state);
    uint32_t able_count = 0;
    uint32_t benched_count = 0;
    for (uint32_t node = 0; benched->task_count > 0 && node < world->plan.node_count; node++) {
        uint64_t slots = 0;
        uint64_t assignments = 0;
        for (uint32_t rank = node > 0 ? node : world->plan.node_count;
             rank <= world->plan.worker_count; rank += world->plan.node_count) {
            const struct worker *worker = state_find_worker(state, rank);
            slots += worker != NULL ? worker->slot_count : 0;
            assignments += worker != NULL ? worker->assignment_count : 0;
        }
        bool is_benched = range_set_contains(benched, (struct range){node, 1});
        able_count += slots > 0;
        benched_count += slots > 0 && is_benched;
        if (is_benched && assignments > 1)
            violate(world, "node %u is benched, and has %llu assignments", node,
                    (unsigned long long)assignments);
    }
    if (2 * benched_count > able_count)
        violate(world, "%u of %u nodes are benched", benched_count, able_count);
}

void check_step(struct world *world, const struct output *output)
{
    const struct state *state = state_of(world);
    for (size_t i = 0; i < output->fact_count; i++)
        check_fact(world, &output->facts[i], world->journal.count + i + 1);
    if (state_last_seq(state) != world->journal.count + output->fact_count)
        violate(world, "the state is at fact %llu, the journal at %llu",
                (unsigned long long)state_last_seq(state),
                (unsigned long long)(world->journal.count + output->fact_count));
    for (size_t i = 0; i < output->effect_count; i++)
        check_gate(world, output, &output->effects[i]);
    check_bench(world);
    uint64_t stride = world->shadow.is_exact ? 1 + world->shadow.task_count / EXACT_CHECK_TASKS
                                             : INEXACT_CHECK_STEPS;
    if (world->step_count % stride != 0)
        return;
    const char *wrong = state_check(state);
    if (wrong != NULL)
        violate(world, "the state is inconsistent: %s", wrong);
    shadow_check(world, state);
}

void check_stale(struct world *world, const struct message *message, const struct output *output)
{
    if (message->kind == MESSAGE_GOODBYE && message->incarnation == 0) /* it was never welcomed */
        return;
    for (size_t i = 0; i < output->fact_count; i++) {
        enum fact_kind kind = output->facts[i].kind;
        if (kind == FACT_RETURNED || kind == FACT_ATTEMPT_FAILED || kind == FACT_WORKER_LOST ||
            kind == FACT_WORKER_JOINED)
            violate(world, "a message of incarnation %llu makes fact %llu in incarnation %llu",
                    (unsigned long long)message->incarnation,
                    (unsigned long long)output->facts[i].seq,
                    (unsigned long long)state_incarnation(state_of(world)));
    }
}

void check_bytes(struct world *world, const struct fact *fact)
{
    const struct byte_writer *payload = &world->journal.records[fact->seq - 1].payload;
    const struct fact_result *result = &fact->as.result;
    if (!world->shadow.is_exact || result->work == WORK_FINISH)
        return;
    for (uint32_t i = 0; i < result->partial_count; i++) {
        const struct partial *partial = &result->partials[i];
        struct byte_writer expected = {0};
        sim_job_reference_part(&world->job, partial->range, &expected);
        bool is_right =
            partial->is_absent || partial->payload_seq != 0 ||
            (expected.size == partial->size_bytes &&
             (expected.size == 0 ||
              memcmp(expected.data, payload->data + partial->offset_bytes, expected.size) == 0));
        byte_writer_close(&expected);
        if (!is_right)
            violate(world, "the result of [%llu, %llu) in fact %llu is not that of a serial run",
                    (unsigned long long)partial->range.first,
                    (unsigned long long)range_end(partial->range), (unsigned long long)fact->seq);
    }
}

void check_effect(struct world *world, const struct effect *effect)
{
    if (world->journal.durable_seq < effect->after_seq)
        violate(world, "effect %d is performed before fact %llu is durable", (int)effect->kind,
                (unsigned long long)effect->after_seq);
    if (effect->kind == EFFECT_WELCOME &&
        state_incarnation(state_of(world)) < world->incarnation_max)
        violate(world, "incarnation %llu was used before",
                (unsigned long long)state_incarnation(state_of(world)));
}

static void apply_to_state(void *context, const struct fact *fact)
{
    state_apply(context, fact);
}

static void put_fact(void *context, const struct fact *fact)
{
    struct byte_writer *writer = context;
    byte_writer_put_u8(writer, (uint8_t)fact->kind);
    byte_writer_put_u64(writer, fact->seq);
    fact_encode(fact, writer);
}

static void check_sets_equal(struct world *world, const struct range_set *left,
                             const struct range_set *right, const char *what)
{
    struct range a = {0};
    struct range b = {0};
    bool is_equal =
        left->task_count == right->task_count && left->range_count == right->range_count;
    while (is_equal && range_set_find_from(left, range_end(a), &a))
        is_equal = range_set_find_from(right, range_end(b), &b) && a.first == b.first &&
                   a.count == b.count;
    if (!is_equal)
        violate(world, "%s: sets of tasks differ (%llu and %llu)", what,
                (unsigned long long)left->task_count, (unsigned long long)right->task_count);
}

static void check_assignments_equal(struct world *world, const struct state *left,
                                    const struct state *right, const char *what)
{
    for (uint32_t rank = 1; rank <= world->plan.worker_count; rank++) {
        const struct worker *a = state_find_worker(left, rank);
        const struct worker *b = state_find_worker(right, rank);
        if ((a == NULL) != (b == NULL) ||
            (a != NULL &&
             (a->slot_count != b->slot_count || a->assignment_count != b->assignment_count)))
            violate(world, "%s: worker %u differs", what, rank);
        const struct assignment *assignment;
        if (a == NULL)
            continue;
        TAILQ_FOREACH (assignment, &a->assignments, of_worker) {
            const struct assignment *other = state_find_assignment(right, assignment->seq);
            if (other == NULL || other->worker != assignment->worker ||
                other->range.first != assignment->range.first ||
                other->range.count != assignment->range.count || other->twin != assignment->twin ||
                other->work != assignment->work || other->attempt != assignment->attempt)
                violate(world, "%s: assignment %llu differs", what,
                        (unsigned long long)assignment->seq);
        }
    }
}

static void check_troubles_equal(struct world *world, const struct state *left,
                                 const struct state *right, const char *what)
{
    for (enum work work = WORK_SPLIT; work <= WORK_FINISH; work++) {
        const struct trouble *a = state_find_trouble_from(left, work, 0);
        const struct trouble *b = state_find_trouble_from(right, work, 0);
        while (a != NULL && b != NULL && a->range.first == b->range.first &&
               a->attempts == b->attempts && a->crashes == b->crashes &&
               a->last_worker == b->last_worker && a->not_before_ns == b->not_before_ns) {
            a = state_find_trouble_from(left, work, a->range.first + 1);
            b = state_find_trouble_from(right, work, b->range.first + 1);
        }
        if (a != NULL || b != NULL)
            violate(world, "%s: troubles differ", what);
    }
}

static void check_states_equal(struct world *world, const struct state *left,
                               const struct state *right, const char *what)
{
    if (state_last_seq(left) != state_last_seq(right) ||
        state_incarnation(left) != state_incarnation(right) ||
        state_phase(left) != state_phase(right) ||
        state_failed_task_count(left) != state_failed_task_count(right) ||
        state_partial_count(left) != state_partial_count(right) ||
        state_worker_count(left) != state_worker_count(right) ||
        state_slot_count(left) != state_slot_count(right))
        violate(world,
                "%s: seq %llu and %llu, phase %d and %d, failed %llu and %llu, partials %zu and "
                "%zu, workers %zu and %zu",
                what, (unsigned long long)state_last_seq(left),
                (unsigned long long)state_last_seq(right), (int)state_phase(left),
                (int)state_phase(right), (unsigned long long)state_failed_task_count(left),
                (unsigned long long)state_failed_task_count(right), state_partial_count(left),
                state_partial_count(right), state_worker_count(left), state_worker_count(right));
    check_sets_equal(world, state_open(left), state_open(right), what);
    check_sets_equal(world, state_done(left), state_done(right), what);
    check_sets_equal(world, state_failed(left), state_failed(right), what);
    check_sets_equal(world, state_not_run(left), state_not_run(right), what);
    check_sets_equal(world, state_doomed(left), state_doomed(right), what);
    check_assignments_equal(world, left, right, what);
    check_troubles_equal(world, left, right, what);
    struct byte_writer a = {0};
    struct byte_writer b = {0};
    state_snapshot(left, put_fact, &a);
    state_snapshot(right, put_fact, &b);
    bool is_equal = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
    byte_writer_close(&a);
    byte_writer_close(&b);
    if (!is_equal)
        violate(world, "%s: snapshots differ", what);
}

static struct state *replayed(struct world *world, bool from_snapshot)
{
    struct state *state = state_create();
    state_set_graph(state, world->job.graph);
    journal_replay(world, from_snapshot, apply_to_state, state);
    return state;
}

static void start_run(struct state *state)
{
    struct fact fact = {.kind = FACT_RUN_STARTED, .seq = state_last_seq(state) + 1};
    fact.as.run_started.incarnation = state_incarnation(state) + 1;
    state_apply(state, &fact);
}

void check_replay(struct world *world)
{
    const struct journal *journal = &world->journal;
    struct state *whole = NULL;
    struct state *continued = NULL;
    if (!journal->has_lost_records) {
        whole = replayed(world, false);
        check_states_equal(world, state_of(world), whole, "replay of all facts");
        start_run(whole);
    }
    if (whole != NULL && journal->snapshot.count > 0) {
        continued = replayed(world, true);
        start_run(continued);
        check_states_equal(world, whole, continued, "replay from the snapshot");
    }
    state_destroy(whole);
    state_destroy(continued);
}

void check_end(struct world *world, enum run_end end)
{
    const struct state *state = state_of(world);
    uint64_t failed_count = sim_job_failed_task_count(&world->job);
    if (end == RUN_END_NO_WORKERS && state_worker_count(state) > 0)
        violate(world, "the run ends for want of workers, but there are %zu",
                state_worker_count(state));
    if (end == RUN_END_STOPPED && world->stop_count == 0)
        violate(world, "the run ends as stopped, but nobody asked for it");
    if (end == RUN_END_UNOPENED && world->job.unopened_count < world->plan.config.attempts_max)
        violate(world, "the run ends since nothing opens, but only %u orders did not",
                world->job.unopened_count);
    if (end != RUN_END_DONE && end != RUN_END_TASKS_FAILED)
        return;
    if (state_phase(state) != PHASE_FINISHED)
        violate(world, "the run ends as done in phase %d", (int)state_phase(state));
    if (state_failed_task_count(state) != failed_count ||
        (end == RUN_END_TASKS_FAILED) != (failed_count > 0))
        violate(world, "%llu tasks failed, but %llu should have (end %d)",
                (unsigned long long)state_failed_task_count(state),
                (unsigned long long)failed_count, (int)end);
    if (world->plan.has_failing_finish)
        violate(world, "the run ends as done, but its finish fails");
    if (world->published.size != world->reference.size)
        violate(world, "the run ends as done, but nothing was published");
}
