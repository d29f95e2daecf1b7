/* scheduler_fixture.c - builders and expectations for tests of the scheduler. */
#include "scheduler_fixture.h"

#include "../../scheduler/memory.h"
#include "../../scheduler/tree.h"

enum { RESULT_BYTES = 8 };

struct given *given_scheduler(const struct scheduler_config *config)
{
    struct given *given = memory_allocate_zeroed(1, sizeof *given);
    struct scheduler_config usual = scheduler_config_default();
    given->scheduler = scheduler_create(config != NULL ? config : &usual);
    given->now_ns = SHEAF_NS_PER_S;
    return given;
}

static void step(struct given *given, struct input input);

static void recover(void *context, const struct fact *fact)
{
    scheduler_recover(context, fact);
}

void restarted(struct given *given, uint64_t incarnation)
{
    struct scheduler_config config = scheduler_config_default();
    restarted_as(given, &config, (struct input_start){.incarnation = incarnation});
}

void restarted_as(struct given *given, const struct scheduler_config *config,
                  struct input_start start)
{
    struct scheduler *next = scheduler_create(config);
    skip_output(given);
    state_snapshot(state_of(given), recover, next);
    scheduler_destroy(given->scheduler);
    given->scheduler = next;
    step(given, (struct input){.kind = INPUT_START, .as.start = start});
    expect_fact(given, FACT_RUN_STARTED);
}

void given_end(struct given *given)
{
    expect_no_more(given);
    scheduler_destroy(given->scheduler);
    output_close(&given->output);
    free(given);
}

struct given *given_job(const struct scheduler_config *config, struct fact_job_accepted job)
{
    struct given *given = given_scheduler(config);
    started(given, INCARNATION);
    accepted(given, job);
    expect_fact(given, FACT_JOB_ACCEPTED);
    return given;
}

struct given *given_tasks(uint64_t task_count)
{
    return given_job(NULL, (struct fact_job_accepted){.task_count = task_count, .has_merge = true});
}

struct given *given_tasks_in_ranges(uint64_t task_count, uint64_t range_count)
{
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = range_count;
    config.range_count_max = range_count;
    return given_job(&config,
                     (struct fact_job_accepted){.task_count = task_count, .has_merge = true});
}

const struct state *state_of(const struct given *given)
{
    return scheduler_state(given->scheduler);
}

static void step(struct given *given, struct input input)
{
    expect_no_more(given);
    input.now_ns = given->now_ns;
    scheduler_step(given->scheduler, &input, &given->output);
    given->effects_seen = 0;
    given->facts_seen = 0;
    const char *problem = state_check(state_of(given));
    if (problem != NULL)
        fail_msg("after input %d: %s", (int)input.kind, problem);
}

void started(struct given *given, uint64_t incarnation)
{
    step(given, (struct input){.kind = INPUT_START, .as.start = {.incarnation = incarnation}});
    expect_fact(given, FACT_RUN_STARTED);
}

void accepted(struct given *given, struct fact_job_accepted job)
{
    step(given, (struct input){.kind = INPUT_JOB_ACCEPTED, .as.job_accepted = job});
}

void hello(struct given *given, uint32_t worker, uint32_t slot_count)
{
    hello_from(given, worker, slot_count, worker);
}

void hello_from(struct given *given, uint32_t worker, uint32_t slot_count, uint32_t node)
{
    hello_as(given, (struct input_hello){.worker = worker, .slot_count = slot_count, .node = node});
}

void hello_as(struct given *given, struct input_hello from)
{
    step(given, (struct input){.kind = INPUT_HELLO, .as.hello = from});
}

void heard(struct given *given, uint32_t worker)
{
    heard_as(given, (struct input_heard){.worker = worker});
}

void heard_as(struct given *given, struct input_heard heard)
{
    step(given, (struct input){.kind = INPUT_HEARD, .as.heard = heard});
}

void ticked(struct given *given)
{
    step(given, (struct input){.kind = INPUT_TICK});
}

void passed(struct given *given, uint64_t ns)
{
    uint64_t end_ns = given->now_ns + ns;
    uint64_t next_ns = scheduler_next_tick_ns(given->scheduler);
    while (next_ns <= end_ns) {
        assert_true(next_ns > given->now_ns);
        given->now_ns = next_ns;
        ticked(given);
        if (given->output.effect_count > 0 || given->output.fact_count > 0)
            return;
        next_ns = scheduler_next_tick_ns(given->scheduler);
    }
    given->now_ns = end_ns;
}

void published(struct given *given)
{
    step(given, (struct input){.kind = INPUT_PUBLISHED});
}

void stopped(struct given *given)
{
    step(given, (struct input){.kind = INPUT_STOP});
}

void lost_but(struct given *given, struct range range, const struct partial *kept, uint32_t count)
{
    step(given,
         (struct input){.kind = INPUT_RESULT_LOST,
                        .as.result_lost = {.range = range, .kept_count = count, .kept = kept}});
    expect_fact(given, FACT_RESULT_LOST);
    expect_fact(given, FACT_RESULT);
}

void checked(struct given *given)
{
    step(given, (struct input){.kind = INPUT_RESULTS_CHECKED});
}

void result_lost(struct given *given, uint64_t first, uint64_t count)
{
    step(given,
         (struct input){.kind = INPUT_RESULT_LOST, .as.result_lost = {.range = {first, count}}});
}

void said_goodbye(struct given *given, struct input_goodbye goodbye)
{
    step(given, (struct input){.kind = INPUT_GOODBYE, .as.goodbye = goodbye});
}

void goodbye(struct given *given, uint32_t worker, bool prepare_failed)
{
    said_goodbye(given,
                 (struct input_goodbye){.worker = worker,
                                        .incarnation = INCARNATION,
                                        .prepare_failed = prepare_failed,
                                        .cause = prepare_failed ? CAUSE_PLUGIN : CAUSE_STOPPED});
}

void sent(struct given *given, struct input_report report)
{
    step(given, (struct input){.kind = INPUT_REPORT, .as.report = report});
}

/* Cuts a range into the fewest nodes. */
static uint32_t cut_into_nodes(struct range range, uint64_t task_count, struct partial *nodes)
{
    uint32_t count = 0;
    uint64_t task = range.first;
    while (task < range_end(range)) {
        struct range node = {task, 1};
        struct range parent = tree_parent(node, task_count);
        while (parent.count > node.count && parent.first == task &&
               range_end(parent) <= range_end(range)) {
            node = parent;
            parent = tree_parent(node, task_count);
        }
        nodes[count] = (struct partial){.range = node,
                                        .offset_bytes = (uint64_t)count * RESULT_BYTES,
                                        .size_bytes = RESULT_BYTES};
        count++;
        task = range_end(node);
    }
    return count;
}

void reported_in(struct given *given, const struct effect *assign, uint64_t task_ns)
{
    struct partial nodes[128];
    const struct fact_job_accepted *job = state_job(state_of(given));
    bool is_run = assign->work == WORK_RUN;
    uint32_t count = 1;
    nodes[0] = (struct partial){.range = assign->range, .size_bytes = RESULT_BYTES};
    if (is_run && job->has_merge)
        count = cut_into_nodes(assign->range, job->task_count, nodes);
    sent(given, (struct input_report){.worker = assign->worker,
                                      .incarnation = state_incarnation(state_of(given)),
                                      .assignment = assign->assignment,
                                      .work = assign->work,
                                      .tasks_run = is_run ? assign->range.count : 0,
                                      .busy_ns = is_run ? assign->range.count * task_ns : 0,
                                      .partial_count = assign->work == WORK_SPLIT ? 0 : count,
                                      .partials = nodes});
    if (given->output.fact_count > 0)
        expect_fact(given, FACT_RESULT);
}

/* Tasks of 10 s each: ranges stay at one task. */
void reported(struct given *given, const struct effect *assign)
{
    reported_in(given, assign, 10 * SHEAF_NS_PER_S);
}

void returned(struct given *given, const struct effect *assign, uint64_t first, uint64_t count)
{
    step(given, (struct input){.kind = INPUT_RETURNED,
                               .as.returned = {.worker = assign->worker,
                                               .incarnation = INCARNATION,
                                               .assignment = assign->assignment,
                                               .range = {first, count}}});
    if (count > 0)
        expect_fact(given, FACT_RETURNED);
}

void failed_with(struct given *given, const struct effect *assign,
                 struct input_attempt_failed failure)
{
    failure.worker = assign->worker;
    failure.incarnation = INCARNATION;
    failure.assignment = assign->assignment;
    failure.work = assign->work;
    step(given, (struct input){.kind = INPUT_ATTEMPT_FAILED, .as.attempt_failed = failure});
}

void failed(struct given *given, const struct effect *assign, uint64_t task, bool is_crash)
{
    failed_with(given, assign,
                (struct input_attempt_failed){.range = {task, 1},
                                              .cause = is_crash ? CAUSE_SIGNAL : CAUSE_PLUGIN,
                                              .is_crash = is_crash});
}

void failed_for(struct given *given, const struct effect *assign, enum cause cause)
{
    failed_with(
        given, assign,
        (struct input_attempt_failed){.range = assign->range, .cause = cause, .is_crash = true});
}

static struct effect expect_effect(struct given *given, enum effect_kind kind)
{
    if (given->effects_seen == given->output.effect_count)
        fail_msg("an effect of kind %d was expected, but there is no more", (int)kind);
    struct effect effect = given->output.effects[given->effects_seen++];
    if (effect.kind != kind)
        fail_msg("an effect of kind %d came where one of kind %d was expected", (int)effect.kind,
                 (int)kind);
    return effect;
}

struct effect expect_any_assign(struct given *given)
{
    struct effect effect = expect_effect(given, EFFECT_ASSIGN);
    const struct assignment *assignment = state_find_assignment(state_of(given), effect.assignment);
    assert_non_null(assignment);
    assert_int_equal(assignment->worker, effect.worker);
    return effect;
}

struct effect expect_assign(struct given *given, uint32_t worker, enum work work,
                            struct range range)
{
    struct effect effect = expect_any_assign(given);
    assert_int_equal(effect.worker, worker);
    assert_int_equal(effect.work, work);
    assert_int_equal(effect.range.first, range.first);
    assert_int_equal(effect.range.count, range.count);
    return effect;
}

struct effect expect_run(struct given *given, uint32_t worker, uint64_t first, uint64_t count)
{
    return expect_assign(given, worker, WORK_RUN, (struct range){first, count});
}

void expect_welcome(struct given *given, uint32_t worker)
{
    assert_int_equal(expect_effect(given, EFFECT_WELCOME).worker, worker);
}

void expect_take_back(struct given *given, const struct effect *assign)
{
    struct effect effect = expect_effect(given, EFFECT_TAKE_BACK);
    assert_int_equal(effect.worker, assign->worker);
    assert_int_equal(effect.assignment, assign->assignment);
}

void expect_cancel(struct given *given, const struct effect *assign)
{
    struct effect effect = expect_effect(given, EFFECT_CANCEL);
    assert_int_equal(effect.worker, assign->worker);
    assert_int_equal(effect.assignment, assign->assignment);
}

void expect_publish(struct given *given)
{
    struct effect effect = expect_effect(given, EFFECT_PUBLISH);
    assert_int_equal(effect.after_seq, state_last_seq(state_of(given)));
}

void expect_run_end(struct given *given, enum run_end end)
{
    struct effect effect = expect_effect(given, EFFECT_END);
    assert_int_equal(effect.end, end);
    assert_int_equal(effect.after_seq, state_last_seq(state_of(given)));
    assert_true(scheduler_next_tick_ns(given->scheduler) == UINT64_MAX);
}

static bool is_implied(const struct fact *fact)
{
    return fact->kind == FACT_ASSIGNED || fact->kind == FACT_WORKER_JOINED;
}

const struct fact *expect_fact(struct given *given, enum fact_kind kind)
{
    while (given->facts_seen < given->output.fact_count) {
        const struct fact *fact = &given->output.facts[given->facts_seen++];
        if (fact->kind == kind)
            return fact;
        if (!is_implied(fact))
            fail_msg("a fact of kind %d came where one of kind %d was expected", (int)fact->kind,
                     (int)kind);
    }
    fail_msg("a fact of kind %d was expected, but there is no more", (int)kind);
    return NULL;
}

void expect_no_more(struct given *given)
{
    if (given->effects_seen < given->output.effect_count)
        fail_msg("an effect of kind %d was not expected",
                 (int)given->output.effects[given->effects_seen].kind);
    for (; given->facts_seen < given->output.fact_count; given->facts_seen++)
        if (!is_implied(&given->output.facts[given->facts_seen]))
            fail_msg("a fact of kind %d was not expected",
                     (int)given->output.facts[given->facts_seen].kind);
}

void skip_output(struct given *given)
{
    given->effects_seen = given->output.effect_count;
    given->facts_seen = given->output.fact_count;
}
