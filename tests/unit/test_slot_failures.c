/* test_slot_failures.c - whatever a plug-in does costs that attempt, and leaves nothing behind. */
#include "slot_fixture.h"

#include "../../runtime/spawner.h"
#include "../../scheduler/memory.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NS_PER_MS ((uint64_t)1000000)
enum { MEBIBYTE = 1 << 20 };

static struct slot_fixture *given_trouble(const char *where, const char *how)
{
    struct slot_fixture *fixture = given_job("trouble");
    given_parameter(fixture, "where", where);
    given_parameter(fixture, "how", how);
    fixture->has_merge = true;
    return fixture;
}

static void check_text(const struct slot_event *event, const char *words)
{
    if (strstr(event->text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", event->text, words);
}

static void check_failure(const struct slot_event *event, uint64_t first, uint64_t count,
                          enum cause cause)
{
    assert_int_equal(event->range.first, first);
    assert_int_equal(event->range.count, count);
    if (event->cause != cause)
        fail_msg("cause %d instead of %d: %s", (int)event->cause, (int)cause, event->text);
}

/* Runs task 7 of [5, 10), which is the troubled one. */
static const struct slot_event *when_troubled_range_runs(struct slot_fixture *fixture)
{
    given_parameter(fixture, "task", "7");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){5, 5}, 20);
    return next_event_is(fixture, SLOT_EVENT_FAILED);
}

/* The slot has a new executor, which works. */
static void check_slot_works(struct slot_fixture *fixture)
{
    assert_true(slot_set_is_idle(fixture->slots, 0));
    when_given(fixture, 0, WORK_RUN, (struct range){8, 1}, 20);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->body_size, 1);
    assert_int_equal(event->body[0], '8');
}

static void a_crash_names_its_task_and_signal(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "crash");
    const struct slot_event *event = when_troubled_range_runs(fixture);
    check_failure(event, 7, 1, CAUSE_SIGNAL);
    assert_int_equal(event->detail, SIGSEGV);
    assert_true(event->is_crash);
    assert_int_equal(event->assignment, 1);
    check_text(event, "SIGSEGV");
    check_slot_works(fixture);
    fixture_end(fixture);
}

static void an_exit_is_a_failure_whatever_its_status(void **state)
{
    static const struct {
        const char *how;
        int status;
    } exits[] = {{"exit 3", 3}, {"exit 0", 0}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct slot_fixture *fixture = given_trouble("run", exits[i].how);
        const struct slot_event *event = when_troubled_range_runs(fixture);
        check_failure(event, 7, 1, CAUSE_EXIT);
        assert_int_equal(event->detail, exits[i].status);
        assert_true(event->is_crash);
        check_slot_works(fixture);
        fixture_end(fixture);
    }
}

static void a_task_that_hangs_meets_its_time_limit(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "hang");
    fixture->job.limits.task_timeout_ns = 200 * NS_PER_MS;
    const struct slot_event *event = when_troubled_range_runs(fixture);
    check_failure(event, 7, 1, CAUSE_TIMEOUT);
    assert_true(event->is_crash);
    check_text(event, "200ms (--timeout)");
    check_slot_works(fixture);
    fixture_end(fixture);
}

static void a_task_that_eats_memory_meets_its_limit(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "eat");
    fixture->job.limits.task_memory_bytes = 64 * MEBIBYTE;
    const struct slot_event *event = when_troubled_range_runs(fixture);
    check_failure(event, 7, 1, CAUSE_MEMORY);
    assert_true(event->is_crash);
    check_text(event, "64M (--memory)");
    check_slot_works(fixture);
    fixture_end(fixture);
}

static void many_short_tasks_do_not_add_up_to_a_timeout(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("slow");
    given_parameter(fixture, "milliseconds", "150");
    fixture->job.limits.task_timeout_ns = 1000 * NS_PER_MS;
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 5}, 10);
    next_event_is(fixture, SLOT_EVENT_DONE);
    for (int i = 0; i < 5; i++) { /* always the same index */
        when_given(fixture, 0, WORK_RUN, (struct range){0, 1}, 10);
        next_event_is(fixture, SLOT_EVENT_DONE);
    }
    fixture_end(fixture);
}

static void a_wrong_parameter_fails_the_task_only(void **state)
{
    static const struct {
        const char *how;
        const char *words;
    } wrongs[] = {{"missing parameter", "`absent`"},
                  {"wrong parameter", "`how` is a string, but the plug-in asks for an integer"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct slot_fixture *fixture = given_trouble("run", wrongs[i].how);
        const struct slot_event *event = when_troubled_range_runs(fixture);
        check_failure(event, 7, 1, CAUSE_PLUGIN);
        assert_false(event->is_crash);
        check_text(event, wrongs[i].words);
        event = next_event_is(fixture, SLOT_EVENT_DONE);
        assert_int_equal(event->range.count, 5);
        assert_int_equal(event->body_size, 4);
        assert_memory_equal(event->body, "5689", 4);
        fixture_end(fixture);
    }
}

static void a_result_beyond_the_limit_fails_the_task(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "emit");
    const struct slot_event *event = when_troubled_range_runs(fixture);
    check_failure(event, 7, 1, CAUSE_PLUGIN);
    check_text(event, "larger than the limit");
    assert_int_equal(next_event_is(fixture, SLOT_EVENT_DONE)->body_size, 4);
    fixture_end(fixture);
}

static void a_plugin_may_close_all_descriptors(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "close");
    given_slots(fixture, 1);
    for (uint64_t i = 0; i < 3; i++) {
        when_given(fixture, 0, WORK_RUN, (struct range){i, 1}, 20);
        while (slot_set_poll(fixture->slots, 1, &fixture->event) == 0)
            usleep(1000); /* nobody wakes the rank now: it looks by itself */
        assert_int_equal(fixture->event.kind, SLOT_EVENT_DONE);
    }
    fixture_end(fixture);
}

static void background_processes_do_not_outlive_the_executor(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "background");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 3}, 20);
    next_event_is(fixture, SLOT_EVENT_DONE);
    fixture_end(fixture);
    fixture = given_trouble("run", "background crash");
    check_failure(when_troubled_range_runs(fixture), 7, 1, CAUSE_SIGNAL);
    check_slot_works(fixture);
    fixture_end(fixture);
}

/* The executor's process, as the plug-in tells it. */
static pid_t executor_process(struct slot_fixture *fixture)
{
    when_given(fixture, 0, WORK_RUN, (struct range){4, 1}, 10);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    char text[32] = "";
    memcpy(text, event->body, event->body_size < 31 ? event->body_size : 31);
    return (pid_t)strtol(text, NULL, 10);
}

static void an_executor_killed_while_idle_is_replaced(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("surroundings");
    given_slots(fixture, 1);
    pid_t before = executor_process(fixture);
    kill(before, SIGKILL);
    assert_true(nothing_happens_for_ms(fixture, 200));
    assert_int_not_equal(executor_process(fixture), before);
    fixture_end(fixture);
}

/* The spawner's only child, as the kernel tells it. */
static pid_t only_executor(const struct slot_fixture *fixture)
{
    char path[64];
    long process = 0;
    int spawner = (int)spawner_process(fixture->spawner);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", spawner, spawner);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &process), 1);
    fclose(file);
    return (pid_t)process;
}

static void an_executor_killed_at_work_costs_its_task(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "hang");
    given_parameter(fixture, "task", "7");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){5, 5}, 20);
    assert_true(nothing_happens_for_ms(fixture, 100));
    kill(only_executor(fixture), SIGKILL);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    assert_int_equal(event->cause, CAUSE_SIGNAL);
    assert_int_equal(event->detail, SIGKILL);
    assert_true(event->is_crash);
    check_slot_works(fixture);
    fixture_end(fixture);
}

static void a_stopped_executor_is_only_slow(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("surroundings");
    given_slots(fixture, 1);
    pid_t process = executor_process(fixture);
    kill(process, SIGSTOP);
    when_given(fixture, 0, WORK_RUN, (struct range){4, 1}, 10);
    assert_true(nothing_happens_for_ms(fixture, 200));
    kill(process, SIGCONT);
    next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(executor_process(fixture), process);
    fixture_end(fixture);
}

static void failure_for_good_says_so(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "fail for good");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 1}, 20);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    assert_true(event->is_for_good);
    assert_string_equal(event->text, "failed with number 43, for good");
    next_event_is(fixture, SLOT_EVENT_DONE);
    fixture_end(fixture);
}

static void open_that_fails_costs_the_first_task(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("open", "fail");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){5, 5}, 20);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    check_failure(event, 5, 1, CAUSE_PLUGIN);
    assert_string_equal(event->text, "open: failed with number 42");
    assert_true(event->is_open);
    event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->range.first, 5);
    assert_int_equal(event->range.count, 1);
    assert_int_equal(event->partial_count, 0);
    fixture_end(fixture);
}

static void open_that_crashes_costs_the_first_task(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("open", "crash");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){5, 5}, 20);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    check_failure(event, 5, 1, CAUSE_SIGNAL);
    assert_true(event->is_crash);
    check_text(event, "open: ");
    assert_true(event->is_open);
    fixture_end(fixture);
}

/* MERGE, FINISH and SPLIT orders in trouble. */
static const struct slot_event *when_troubled_work(struct slot_fixture *fixture, enum work work)
{
    struct byte_writer body = {0};
    for (uint64_t i = 4; i < 6 && work == WORK_MERGE; i++) {
        byte_writer_put_u64(&body, i);
        byte_writer_put_u64(&body, 1);
        byte_writer_put_u8(&body, 0);
        byte_writer_put_string(&body, "x");
    }
    const struct work_order order = {
        .work = work, .range = {4, 2}, .task_count = 6, .body = body.data, .body_size = body.size};
    given_slots(fixture, 1);
    when_order(fixture, 0, &order);
    byte_writer_close(&body);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    assert_int_equal(event->work, work);
    return event;
}

static void all_work_is_limited_and_watched(void **state)
{
    static const struct {
        enum work work;
        const char *where;
    } works[] = {{WORK_MERGE, "merge"}, {WORK_FINISH, "finish"}, {WORK_SPLIT, "split"}};
    static const struct {
        const char *how;
        enum cause cause;
        bool is_crash;
    } troubles[] = {{"crash", CAUSE_SIGNAL, true}, {"exit 0", CAUSE_EXIT, true},
                    {"hang", CAUSE_TIMEOUT, true}, {"eat", CAUSE_MEMORY, true},
                    {"fail", CAUSE_PLUGIN, false}, {"missing parameter", CAUSE_PLUGIN, false}};
    (void)state;
    for (size_t w = 0; w < sizeof works / sizeof works[0]; w++)
        for (size_t t = 0; t < sizeof troubles / sizeof troubles[0]; t++) {
            struct slot_fixture *fixture = given_trouble(works[w].where, troubles[t].how);
            if (troubles[t].cause == CAUSE_MEMORY)
                fixture->job.limits.task_memory_bytes = 64 * MEBIBYTE;
            if (troubles[t].cause == CAUSE_TIMEOUT)
                fixture->job.limits.task_timeout_ns = 200 * NS_PER_MS;
            const struct slot_event *event = when_troubled_work(fixture, works[w].work);
            check_failure(event, 4, 2, troubles[t].cause);
            assert_int_equal(event->is_crash, troubles[t].is_crash);
            check_slot_works(fixture);
            fixture_end(fixture);
        }
}

/* Nobody merges any more: the merge is left to a MERGE order, where it fails for all to see. */
static void a_merge_that_fails_in_a_range_leaves_its_parts(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("merge", "fail");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 8}, 8);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->partial_count, 8);
    assert_memory_equal(event->body, "01234567", 8);
    fixture_end(fixture);
}

static void a_merge_that_crashes_in_a_range_happens_once(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("merge", "crash");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 8}, 8);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    check_failure(event, 1, 1, CAUSE_SIGNAL);
    check_text(event, "merge");
    when_given(fixture, 0, WORK_RUN, (struct range){0, 8}, 8);
    event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->partial_count, 8);
    assert_memory_equal(event->body, "01234567", 8);
    fixture_end(fixture);
}

static void check_prepare_fails(const char *how, enum cause cause, const char *words)
{
    struct slot_fixture *fixture = given_trouble("prepare", how);
    if (cause == CAUSE_MEMORY)
        fixture->job.limits.task_memory_bytes = 64 * MEBIBYTE;
    if (cause == CAUSE_TIMEOUT)
        fixture->job.limits.task_timeout_ns = 200 * NS_PER_MS;
    when_started(fixture, 2);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_PREPARE_FAILED);
    if (event->cause != cause)
        fail_msg("cause %d instead of %d: %s", (int)event->cause, (int)cause, event->text);
    check_text(event, words);
    assert_false(event->is_foreign);
    assert_true(nothing_happens_for_ms(fixture, 20));
    fixture_end(fixture);
}

static void prepare_is_limited_and_watched(void **state)
{
    (void)state;
    check_prepare_fails("fail", CAUSE_PLUGIN, "prepare: failed with number 42");
    check_prepare_fails("missing parameter", CAUSE_PLUGIN, "`absent`");
    check_prepare_fails("crash", CAUSE_SIGNAL, "prepare: killed by SIGSEGV");
    check_prepare_fails("exit 0", CAUSE_EXIT, "status 0");
    check_prepare_fails("hang", CAUSE_TIMEOUT, "200ms (--timeout)");
    check_prepare_fails("eat", CAUSE_MEMORY, "64M (--memory)");
}

static void a_bad_plugin_fails_to_prepare(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("wrong_version");
    when_started(fixture, 1);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_PREPARE_FAILED);
    assert_int_equal(event->cause, CAUSE_PLUGIN);
    check_text(event, "interface version");
    fixture_end(fixture);
}

static void a_merge_that_this_node_lacks_is_told(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("echo");
    fixture->has_merge = true;
    when_started(fixture, 1);
    check_text(next_event_is(fixture, SLOT_EVENT_PREPARE_FAILED), "has no merge on this node");
    fixture_end(fixture);
}

static void the_end_of_the_spawner_is_told(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_trouble("run", "hang");
    given_slots(fixture, 2);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 5}, 20);
    kill(spawner_process(fixture->spawner), SIGKILL);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_PREPARE_FAILED);
    assert_int_equal(event->cause, CAUSE_SIGNAL);
    assert_int_equal(event->detail, SIGKILL);
    assert_true(event->is_foreign);
    fixture_end(fixture);
}

/* A rank, in a process of its own, whose tasks hang and have background children. */
_Noreturn static void be_a_rank(int ready)
{
    struct slot_fixture *fixture = given_trouble("run", "background");
    given_slots(fixture, 2);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 3}, 20);
    next_event_is(fixture, SLOT_EVENT_DONE);
    when_given(fixture, 1, WORK_RUN, (struct range){0, 3}, 20);
    next_event_is(fixture, SLOT_EVENT_DONE);
    if (write(ready, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void nothing_outlives_a_killed_rank(void **state)
{
    (void)state;
    int ends[2];
    char byte;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    assert_int_equal(pipe(ends), 0);
    pid_t rank = fork();
    assert_true(rank >= 0);
    if (rank == 0)
        be_a_rank(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    kill(rank, SIGKILL);
    check_no_process_is_left();
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_names_its_task_and_signal),
        cmocka_unit_test(an_exit_is_a_failure_whatever_its_status),
        cmocka_unit_test(a_task_that_hangs_meets_its_time_limit),
        cmocka_unit_test(a_task_that_eats_memory_meets_its_limit),
        cmocka_unit_test(many_short_tasks_do_not_add_up_to_a_timeout),
        cmocka_unit_test(a_wrong_parameter_fails_the_task_only),
        cmocka_unit_test(a_result_beyond_the_limit_fails_the_task),
        cmocka_unit_test(a_plugin_may_close_all_descriptors),
        cmocka_unit_test(background_processes_do_not_outlive_the_executor),
        cmocka_unit_test(an_executor_killed_while_idle_is_replaced),
        cmocka_unit_test(an_executor_killed_at_work_costs_its_task),
        cmocka_unit_test(a_stopped_executor_is_only_slow),
        cmocka_unit_test(failure_for_good_says_so),
        cmocka_unit_test(open_that_fails_costs_the_first_task),
        cmocka_unit_test(open_that_crashes_costs_the_first_task),
        cmocka_unit_test(all_work_is_limited_and_watched),
        cmocka_unit_test(a_merge_that_fails_in_a_range_leaves_its_parts),
        cmocka_unit_test(a_merge_that_crashes_in_a_range_happens_once),
        cmocka_unit_test(prepare_is_limited_and_watched),
        cmocka_unit_test(a_bad_plugin_fails_to_prepare),
        cmocka_unit_test(a_merge_that_this_node_lacks_is_told),
        cmocka_unit_test(the_end_of_the_spawner_is_told),
        cmocka_unit_test(nothing_outlives_a_killed_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
