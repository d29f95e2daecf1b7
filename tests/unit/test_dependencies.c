/* test_dependencies.c - tasks that come after others: when they start, and when they never do. */
#include "scheduler_fixture.h"

/* 1 and 2 after 0, 3 after both; 4 by itself. */
static struct task_graph *diamond(void)
{
    static const char *const names[] = {"top", "left", "right", "bottom", "other"};
    static const struct task_edge edges[] = {
        {0, 1, false}, {0, 2, false}, {1, 3, false}, {2, 3, false}};
    struct task_cycle cycle;
    struct task_graph *graph = task_graph_create(5, edges, 4, &cycle);
    assert_non_null(graph);
    graph->names = names;
    return graph;
}

static struct given *given_graph(struct task_graph *graph, bool has_merge)
{
    struct scheduler_config config = scheduler_config_default();
    config.graph = graph;
    config.attempts_max = 1;
    config.prefetch_per_slot = 0;
    config.range_count_max = 1;
    return given_job(&config, (struct fact_job_accepted){.task_count = graph->task_count,
                                                         .has_merge = has_merge,
                                                         .graph_fingerprint = graph->fingerprint});
}

static struct given *given_diamond(struct task_graph *graph, uint32_t slot_count)
{
    struct given *given = given_graph(graph, false);
    hello(given, 1, slot_count);
    expect_welcome(given, 1);
    return given;
}

static void end(struct given *given, struct task_graph *graph)
{
    given_end(given);
    task_graph_destroy(graph);
}

static void a_task_starts_after_the_durable_results_before_it(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct given *given = given_diamond(graph, 3);
    struct effect top = expect_run(given, 1, 0, 1);
    struct effect other = expect_run(given, 1, 4, 1);
    reported(given, &top);
    uint64_t result_seq = given->output.facts[0].seq;
    struct effect left = expect_run(given, 1, 1, 1);
    struct effect right = expect_run(given, 1, 2, 1);
    assert_int_equal(left.after_seq, result_seq);
    assert_int_equal(right.after_seq, result_seq);
    reported(given, &right);
    expect_no_more(given);
    reported(given, &left);
    struct effect bottom = expect_run(given, 1, 3, 1);
    assert_int_equal(bottom.after_seq, given->output.facts[0].seq);
    reported(given, &other);
    reported(given, &bottom);
    expect_publish(given);
    end(given, graph);
}

static void tasks_after_a_failed_one_are_not_run(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct given *given = given_diamond(graph, 2);
    struct effect top = expect_run(given, 1, 0, 1);
    struct effect other = expect_run(given, 1, 4, 1);
    failed(given, &top, 0, true);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    uint64_t first = 1;
    for (int i = 0; i < 2; i++) {
        const struct fact_attempt_failed *not_run =
            &expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed;
        assert_int_equal(not_run->cause, CAUSE_NOT_RUN);
        assert_int_equal(not_run->range.first, first);
        assert_memory_equal(not_run->text, "top", not_run->text_size);
        first += not_run->range.count;
    }
    assert_int_equal(first, 4);
    assert_int_equal(state_failed_task_count(state_of(given)), 4);
    assert_int_equal(state_not_run(state_of(given))->task_count, 3);
    reported(given, &other);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_TASKS_FAILED);
    end(given, graph);
}

/* 1 after the end of 0, 2 after the success of both. */
static struct task_graph *patient(void)
{
    static const struct task_edge edges[] = {{0, 1, true}, {0, 2, false}, {1, 2, false}};
    struct task_cycle cycle;
    struct task_graph *graph = task_graph_create(3, edges, 3, &cycle);
    assert_non_null(graph);
    return graph;
}

static void a_task_that_waits_for_an_end_runs_after_a_failure_too(void **state)
{
    (void)state;
    struct task_graph *graph = patient();
    struct given *given = given_diamond(graph, 2);
    struct effect first = expect_run(given, 1, 0, 1);
    expect_no_more(given);
    failed(given, &first, 0, true);
    uint64_t failed_seq = expect_fact(given, FACT_ATTEMPT_FAILED)->seq;
    const struct fact_attempt_failed *not_run =
        &expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed;
    assert_int_equal(not_run->cause, CAUSE_NOT_RUN);
    assert_int_equal(not_run->range.first, 2);
    assert_int_equal(not_run->range.count, 1);
    struct effect patient = expect_run(given, 1, 1, 1);
    assert_true(patient.after_seq >= failed_seq);
    assert_int_equal(state_count_tasks(state_of(given)).waiting, 0);
    reported(given, &patient);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_TASKS_FAILED);
    end(given, graph);
}

static void a_task_that_waits_for_an_end_runs_after_a_success(void **state)
{
    (void)state;
    struct task_graph *graph = patient();
    struct given *given = given_diamond(graph, 2);
    struct effect first = expect_run(given, 1, 0, 1);
    reported(given, &first);
    struct effect second = expect_run(given, 1, 1, 1);
    expect_no_more(given);
    reported(given, &second);
    struct effect third = expect_run(given, 1, 2, 1);
    reported(given, &third);
    expect_publish(given);
    end(given, graph);
}

static void a_merged_job_ends_without_the_tasks_not_run(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct given *given = given_graph(graph, true);
    hello(given, 1, 2);
    expect_welcome(given, 1);
    struct effect top = expect_run(given, 1, 0, 1);
    struct effect other = expect_run(given, 1, 4, 1);
    failed(given, &top, 0, true);
    skip_output(given);
    reported(given, &other);
    skip_output(given);
    assert_int_equal(state_partial_count(state_of(given)), 1);
    assert_int_equal(state_phase(state_of(given)), PHASE_PUBLISHING);
    end(given, graph);
}

static void not_run_tasks_are_counted_and_named(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct given *given = given_diamond(graph, 1);
    struct effect top = expect_run(given, 1, 0, 1);
    failed(given, &top, 0, true);
    skip_output(given);
    const struct failure_table *failures = state_failures(state_of(given));
    assert_int_equal(failures->count, 2);
    const struct failure_group *group = failures->groups[1];
    assert_int_equal(group->cause, CAUSE_NOT_RUN);
    assert_int_equal(group->count, 3);
    assert_int_equal(group->final_count, 3);
    assert_memory_equal(group->examples[0].text, "top", 3);
    end(given, graph);
}

static void tasks_that_wait_for_others_or_were_not_run_are_counted(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct given *given = given_diamond(graph, 1);
    struct effect top = expect_run(given, 1, 0, 1);
    struct task_counts counts = state_count_tasks(state_of(given));
    assert_int_equal(counts.running, 1);
    assert_int_equal(counts.waiting, 3);
    assert_int_equal(counts.open, 1);
    failed(given, &top, 0, true);
    skip_output(given);
    counts = state_count_tasks(state_of(given));
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.not_run, 3);
    assert_int_equal(counts.waiting, 0);
    assert_int_equal(counts.done, 0);
    end(given, graph);
}

static void apply_to(void *context, const struct fact *fact)
{
    state_apply(context, fact);
}

static struct state *copied(const struct given *given, const struct task_graph *graph)
{
    struct state *copy = state_create();
    state_set_graph(copy, graph);
    state_snapshot(state_of(given), apply_to, copy);
    return copy;
}

static void a_snapshot_keeps_what_waits_and_what_was_not_run(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct given *given = given_diamond(graph, 2);
    struct effect top = expect_run(given, 1, 0, 1);
    expect_run(given, 1, 4, 1);
    reported(given, &top);
    struct effect left = expect_run(given, 1, 1, 1);
    struct state *copy = copied(given, graph);
    assert_null(state_check(copy));
    assert_false(range_set_contains(state_open(copy), (struct range){3, 1}));
    assert_int_equal(state_open(copy)->task_count, 3);
    state_destroy(copy);
    failed(given, &left, 1, true);
    skip_output(given);
    copy = copied(given, graph);
    assert_null(state_check(copy));
    assert_int_equal(state_not_run(copy)->task_count, 1);
    assert_true(range_set_contains(state_not_run(copy), (struct range){3, 1}));
    assert_int_equal(state_failures(copy)->count, 2);
    assert_int_equal(state_failures(copy)->groups[1]->count, 1);
    state_destroy(copy);
    end(given, graph);
}

static void a_lost_result_makes_those_after_it_wait_again(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct given *given = given_diamond(graph, 1);
    struct effect top = expect_run(given, 1, 0, 1);
    reported(given, &top);
    struct effect left = expect_run(given, 1, 1, 1);
    result_lost(given, 0, 1);
    expect_fact(given, FACT_RESULT_LOST);
    assert_false(range_set_contains(state_open(state_of(given)), (struct range){2, 1}));
    reported(given, &left);
    top = expect_run(given, 1, 0, 1);
    reported(given, &top);
    expect_run(given, 1, 2, 1);
    end(given, graph);
}

/* As when a user mends what failed, and asks for it again. */
static void tasks_not_run_can_run_when_the_failed_one_is_run_again(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct given *given = given_diamond(graph, 1);
    struct effect top = expect_run(given, 1, 0, 1);
    failed(given, &top, 0, true);
    skip_output(given);
    result_lost(given, 0, 4);
    expect_fact(given, FACT_RESULT_LOST);
    assert_int_equal(state_failed_task_count(state_of(given)), 0);
    assert_int_equal(state_not_run(state_of(given))->task_count, 0);
    assert_int_equal(state_waiting_count(state_of(given)), 3);
    assert_true(range_set_contains(state_open(state_of(given)), (struct range){0, 1}));
    end(given, graph);
}

static void a_graph_of_another_job_is_not_used(void **state)
{
    (void)state;
    struct task_graph *graph = diamond();
    struct state *job = state_create();
    state_set_graph(job, graph);
    struct fact fact = {.kind = FACT_JOB_ACCEPTED, .seq = 1, .as.job_accepted = {.task_count = 5}};
    state_apply(job, &fact);
    assert_null(state_graph(job));
    assert_int_equal(state_open(job)->task_count, 5);
    state_destroy(job);
    task_graph_destroy(graph);
}

static void very_many_doomed_tasks_are_told_in_several_steps(void **state)
{
    (void)state;
    enum { TASKS = 6001 };
    struct task_edge *edges = calloc(TASKS, sizeof *edges);
    uint32_t edge_count = 0;
    for (uint32_t task = 1; task < TASKS; task += 2) /* no two of them side by side */
        edges[edge_count++] = (struct task_edge){0, task, false};
    struct task_cycle cycle;
    struct task_graph *graph = task_graph_create(TASKS, edges, edge_count, &cycle);
    free(edges);
    struct given *given = given_diamond(graph, 1);
    struct effect first = expect_run(given, 1, 0, 1);
    failed(given, &first, 0, true);
    skip_output(given);
    assert_true(state_doomed(state_of(given))->task_count > 0);
    while (state_doomed(state_of(given))->task_count > 0) {
        uint64_t doomed_count = state_doomed(state_of(given))->task_count;
        assert_true(scheduler_next_tick_ns(given->scheduler) <= given->now_ns);
        ticked(given);
        skip_output(given);
        assert_true(state_doomed(state_of(given))->task_count < doomed_count);
    }
    assert_int_equal(state_not_run(state_of(given))->task_count, TASKS / 2);
    end(given, graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_starts_after_the_durable_results_before_it),
        cmocka_unit_test(tasks_after_a_failed_one_are_not_run),
        cmocka_unit_test(a_task_that_waits_for_an_end_runs_after_a_failure_too),
        cmocka_unit_test(a_task_that_waits_for_an_end_runs_after_a_success),
        cmocka_unit_test(a_merged_job_ends_without_the_tasks_not_run),
        cmocka_unit_test(not_run_tasks_are_counted_and_named),
        cmocka_unit_test(tasks_that_wait_for_others_or_were_not_run_are_counted),
        cmocka_unit_test(a_snapshot_keeps_what_waits_and_what_was_not_run),
        cmocka_unit_test(a_lost_result_makes_those_after_it_wait_again),
        cmocka_unit_test(tasks_not_run_can_run_when_the_failed_one_is_run_again),
        cmocka_unit_test(a_graph_of_another_job_is_not_used),
        cmocka_unit_test(very_many_doomed_tasks_are_told_in_several_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
