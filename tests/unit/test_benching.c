/* test_benching.c - which hosts are benched, probed and readmitted, and where retries go. */
#include "scheduler_fixture.h"

enum { WORKERS_MAX = 4, ROUNDS_MAX = 40 };

/* Workers of one slot, 1 .. worker_count, and what each has to do now. */
struct cluster {
    struct given *given;
    uint32_t worker_count;
    bool is_busy[WORKERS_MAX + 1];
    struct effect order[WORKERS_MAX + 1];
    uint32_t benched_count;
    uint32_t readmitted_count;
    struct fact_node_benched benched; /* the last time */
    struct fact_node_readmitted readmitted;
};

static void collect(struct cluster *cluster)
{
    const struct output *output = &cluster->given->output;
    for (size_t i = 0; i < output->effect_count; i++) {
        const struct effect *effect = &output->effects[i];
        if (effect->kind == EFFECT_ASSIGN) {
            assert_false(cluster->is_busy[effect->worker]);
            cluster->is_busy[effect->worker] = true;
            cluster->order[effect->worker] = *effect;
        } else if (effect->kind == EFFECT_CANCEL &&
                   cluster->order[effect->worker].assignment == effect->assignment) {
            cluster->is_busy[effect->worker] = false;
        }
    }
    for (size_t i = 0; i < output->fact_count; i++) {
        const struct fact *fact = &output->facts[i];
        if (fact->kind == FACT_NODE_BENCHED) {
            cluster->benched_count++;
            cluster->benched = fact->as.node_benched;
        } else if (fact->kind == FACT_NODE_READMITTED) {
            cluster->readmitted_count++;
            cluster->readmitted = fact->as.node_readmitted;
        }
    }
    skip_output(cluster->given);
}

static struct given *given_single_tasks(void)
{
    struct scheduler_config config = scheduler_config_default();
    config.range_count_max = 1;
    config.prefetch_per_slot = 0;
    return given_job(&config, (struct fact_job_accepted){.task_count = 10000});
}

/* Worker i is on node nodes[i - 1]. */
static struct cluster given_cluster(const uint32_t *nodes, uint32_t worker_count)
{
    struct cluster cluster = {.given = given_single_tasks(), .worker_count = worker_count};
    for (uint32_t worker = 1; worker <= worker_count; worker++) {
        hello_from(cluster.given, worker, 1, nodes[worker - 1]);
        collect(&cluster);
    }
    return cluster;
}

static void fails(struct cluster *cluster, uint32_t worker, enum cause cause)
{
    struct effect order = cluster->order[worker];
    assert_true(cluster->is_busy[worker]);
    cluster->is_busy[worker] = false;
    failed_for(cluster->given, &order, cause);
    collect(cluster);
}

static void passes(struct cluster *cluster, uint32_t worker)
{
    struct effect order = cluster->order[worker];
    assert_true(cluster->is_busy[worker]);
    cluster->is_busy[worker] = false;
    reported(cluster->given, &order);
    collect(cluster);
}

/* Half a second in which each worker ends what it has to do; those up to `failing` fail at it. */
static void work(struct cluster *cluster, uint32_t failing)
{
    cluster->given->now_ns += SHEAF_NS_PER_S / 2;
    for (uint32_t worker = 1; worker <= cluster->worker_count; worker++) {
        heard(cluster->given, worker);
        collect(cluster);
        if (cluster->is_busy[worker] && worker <= failing)
            fails(cluster, worker, CAUSE_EXIT);
        else if (cluster->is_busy[worker])
            passes(cluster, worker);
    }
}

static void work_until_benched(struct cluster *cluster, uint32_t failing)
{
    for (int i = 0; i < ROUNDS_MAX && cluster->benched_count == 0; i++)
        work(cluster, failing);
    assert_int_equal(cluster->benched_count, 1);
}

/* The others work until one of the benched workers 1 .. `count` is tried: returns which. */
static uint32_t wait_for_probe(struct cluster *cluster, uint32_t count)
{
    uint64_t deadline_ns = cluster->given->now_ns + 100 * SHEAF_NS_PER_S;
    while (cluster->given->now_ns < deadline_ns) {
        cluster->given->now_ns += SHEAF_NS_PER_S / 2;
        for (uint32_t worker = 1; worker <= cluster->worker_count; worker++) {
            heard(cluster->given, worker);
            collect(cluster);
            if (worker > count && cluster->is_busy[worker])
                passes(cluster, worker);
        }
        for (uint32_t worker = 1; worker <= count; worker++)
            if (cluster->is_busy[worker])
                return worker;
    }
    fail_msg("no probe came");
    return 0;
}

static bool is_benched(const struct cluster *cluster, uint32_t node)
{
    return range_set_contains(state_benched_nodes(state_of(cluster->given)),
                              (struct range){node, 1});
}

static void node_whose_tasks_pass_elsewhere_is_benched(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){7, 8}, 2);
    work_until_benched(&cluster, 1);
    assert_int_equal(cluster.benched.node, 7);
    assert_int_equal(cluster.benched.task_count, 3);
    assert_true(is_benched(&cluster, 7));
    assert_false(is_benched(&cluster, 8));
    assert_false(cluster.is_busy[1]);
    assert_int_equal(state_failed_task_count(state_of(cluster.given)), 0);
    given_end(cluster.given);
}

static void benched_node_is_tried_with_one_task_at_a_time(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 0, 1, 2}, 4);
    work_until_benched(&cluster, 2);
    uint64_t benched_ns = cluster.given->now_ns;
    uint32_t tried = wait_for_probe(&cluster, 2);
    uint64_t waited_ns = cluster.given->now_ns - benched_ns;
    assert_true(waited_ns >= 10 * SHEAF_NS_PER_S && waited_ns < 11 * SHEAF_NS_PER_S);
    assert_false(cluster.is_busy[3 - tried]);
    assert_int_equal(cluster.order[tried].range.count, 1);
    given_end(cluster.given);
}

static void node_whose_probe_passes_is_readmitted(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1}, 2);
    work_until_benched(&cluster, 1);
    wait_for_probe(&cluster, 1);
    passes(&cluster, 1);
    assert_int_equal(cluster.readmitted_count, 1);
    assert_int_equal(cluster.readmitted.node, 0);
    assert_int_equal(cluster.readmitted.reason, READMISSION_PROBE_PASSED);
    assert_false(is_benched(&cluster, 0));
    assert_true(cluster.is_busy[1]);
    given_end(cluster.given);
}

static void probe_that_fails_is_repeated_later_and_later(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1}, 2);
    work_until_benched(&cluster, 1);
    for (uint64_t expected_s = 10; expected_s <= 40; expected_s *= 2) {
        uint64_t since_ns = cluster.given->now_ns;
        wait_for_probe(&cluster, 1);
        uint64_t waited_ns = cluster.given->now_ns - since_ns;
        assert_true(waited_ns >= expected_s * SHEAF_NS_PER_S);
        assert_true(waited_ns < (expected_s + 1) * SHEAF_NS_PER_S);
        fails(&cluster, 1, CAUSE_EXIT);
    }
    assert_int_equal(cluster.readmitted_count, 0);
    assert_int_equal(state_failed_task_count(state_of(cluster.given)), 0);
    given_end(cluster.given);
}

static void plugin_that_fails_everywhere_benches_nobody(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1, 2}, 3);
    for (int i = 0; i < ROUNDS_MAX; i++)
        work(&cluster, 3);
    assert_int_equal(cluster.benched_count, 0);
    assert_true(state_failed_task_count(state_of(cluster.given)) > 0);
    given_end(cluster.given);
}

static void only_host_is_never_benched(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 0}, 2);
    for (int i = 0; i < ROUNDS_MAX; i++)
        work(&cluster, 1);
    assert_int_equal(cluster.benched_count, 0);
    given_end(cluster.given);
}

static void no_more_than_half_of_the_hosts_are_benched(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1, 2}, 3);
    work_until_benched(&cluster, 1);
    for (int i = 0; i < ROUNDS_MAX; i++)
        work(&cluster, 2);
    assert_int_equal(cluster.benched_count, 1);
    assert_false(is_benched(&cluster, 1));
    given_end(cluster.given);
}

static void benched_node_is_readmitted_when_too_few_are_left(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1}, 2);
    work_until_benched(&cluster, 1);
    goodbye(cluster.given, 2, false);
    collect(&cluster);
    assert_int_equal(cluster.readmitted_count, 1);
    assert_int_equal(cluster.readmitted.reason, READMISSION_TOO_FEW_LEFT);
    assert_true(cluster.is_busy[1]);
    given_end(cluster.given);
}

static void failures_for_known_reasons_bench_nobody(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1}, 2);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (cluster.is_busy[1])
            fails(&cluster, 1, i % 2 == 0 ? CAUSE_STOPPED : CAUSE_WORKER_LOST);
        work(&cluster, 0);
    }
    assert_int_equal(cluster.benched_count, 0);
    given_end(cluster.given);
}

static void node_where_one_task_in_five_fails_is_not_benched(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1}, 2);
    for (int i = 0; i < 5 * ROUNDS_MAX; i++)
        work(&cluster, i % 5 == 4 ? 1 : 0);
    assert_int_equal(cluster.benched_count, 0);
    given_end(cluster.given);
}

static void node_that_turns_bad_after_a_long_time_is_benched(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1}, 2);
    for (int i = 0; i < 10 * ROUNDS_MAX; i++)
        work(&cluster, 0);
    for (int i = 0; i < 2 * ROUNDS_MAX && cluster.benched_count == 0; i++)
        work(&cluster, 1);
    assert_int_equal(cluster.benched_count, 1);
    given_end(cluster.given);
}

static void what_is_out_at_a_benched_node_runs_elsewhere(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 0, 1}, 3);
    struct effect held = cluster.order[2]; /* worker 2 does not end it */
    for (int i = 0; i < ROUNDS_MAX && cluster.benched_count == 0; i++) {
        cluster.is_busy[2] = false;
        work(&cluster, 1);
    }
    assert_int_equal(cluster.benched_count, 1);
    assert_null(state_find_assignment(state_of(cluster.given), held.assignment));
    for (int i = 0; i < 3; i++)
        work(&cluster, 0);
    assert_true(range_set_contains(state_done(state_of(cluster.given)), held.range));
    given_end(cluster.given);
}

static void restart_forgets_who_is_benched(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 1}, 2);
    work_until_benched(&cluster, 1);
    restarted(cluster.given, INCARNATION + 1);
    assert_false(is_benched(&cluster, 0));
    given_end(cluster.given);
}

static void retry_prefers_another_node_to_another_worker(void **state)
{
    (void)state;
    struct cluster cluster = given_cluster((const uint32_t[]){0, 0, 1}, 3);
    struct range failed_task = cluster.order[1].range;
    fails(&cluster, 1, CAUSE_EXIT);
    for (int i = 0; i < 3; i++) { /* worker 3 is busy, and waited for */
        cluster.given->now_ns += SHEAF_NS_PER_S / 2;
        passes(&cluster, 1);
        passes(&cluster, 2);
        assert_true(cluster.order[1].range.first != failed_task.first);
        assert_true(cluster.order[2].range.first != failed_task.first);
    }
    passes(&cluster, 3);
    assert_int_equal(cluster.order[3].range.first, failed_task.first);
    assert_int_equal(cluster.order[3].attempt, 2);
    given_end(cluster.given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_whose_tasks_pass_elsewhere_is_benched),
        cmocka_unit_test(benched_node_is_tried_with_one_task_at_a_time),
        cmocka_unit_test(node_whose_probe_passes_is_readmitted),
        cmocka_unit_test(probe_that_fails_is_repeated_later_and_later),
        cmocka_unit_test(plugin_that_fails_everywhere_benches_nobody),
        cmocka_unit_test(only_host_is_never_benched),
        cmocka_unit_test(no_more_than_half_of_the_hosts_are_benched),
        cmocka_unit_test(benched_node_is_readmitted_when_too_few_are_left),
        cmocka_unit_test(failures_for_known_reasons_bench_nobody),
        cmocka_unit_test(node_where_one_task_in_five_fails_is_not_benched),
        cmocka_unit_test(node_that_turns_bad_after_a_long_time_is_benched),
        cmocka_unit_test(what_is_out_at_a_benched_node_runs_elsewhere),
        cmocka_unit_test(restart_forgets_who_is_benched),
        cmocka_unit_test(retry_prefers_another_node_to_another_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
