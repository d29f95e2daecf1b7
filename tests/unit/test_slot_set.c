/* test_slot_set.c - what slots are asked to do comes back done. */
#include "slot_fixture.h"

#include "../../runtime/clock.h"
#include "../../runtime/slot_message.h"
#include "../../runtime/spawner.h"
#include "../../scheduler/memory.h"
#include "scratch.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check_body(const struct slot_event *event, const char *text)
{
    if (event->body_size != strlen(text) || memcmp(event->body, text, event->body_size) != 0)
        fail_msg("\"%.*s\" instead of \"%s\"", (int)event->body_size, (const char *)event->body,
                 text);
}

static void check_range(struct range range, uint64_t first, uint64_t count)
{
    assert_int_equal(range.first, first);
    assert_int_equal(range.count, count);
}

static void put_input(struct byte_writer *body, const char *text)
{
    byte_writer_put_string(body, text);
}

static void put_partial(struct byte_writer *body, struct range range, const char *text)
{
    byte_writer_put_u64(body, range.first);
    byte_writer_put_u64(body, range.count);
    byte_writer_put_u8(body, text == NULL);
    byte_writer_put_string(body, text != NULL ? text : "");
}

static void results_of_a_range_are_merged_on_the_spot(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("brackets");
    fixture->has_merge = true;
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){1, 6}, 7);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    check_range(event->range, 1, 6);
    assert_int_equal(event->tasks_run, 6);
    assert_int_equal(event->partial_count, 3);
    check_range(event->partials[0].range, 1, 1);
    check_range(event->partials[1].range, 2, 2);
    check_range(event->partials[2].range, 4, 3);
    assert_int_equal(event->partials[2].offset_bytes, 1 + 5);
    assert_int_equal(event->partials[2].payload_seq, 0);
    check_body(event, "1(2 3)((4 5) 6)");
    fixture_end(fixture);
}

static void a_long_range_is_merged_right(void **state)
{
    enum { TASKS = 3000000 };
    (void)state;
    struct slot_fixture *fixture = given_job("noop");
    fixture->has_merge = true;
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, TASKS}, TASKS);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    check_range(event->range, 0, TASKS);
    assert_int_equal(event->partial_count, 1);
    struct byte_reader sum = byte_reader_of(event->body, event->body_size);
    assert_int_equal(byte_reader_get_u64(&sum), TASKS);
    assert_true(byte_reader_is_complete(&sum));
    fixture_end(fixture);
}

static void results_without_merge_are_one_piece(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("echo");
    fixture->job.split.kind = SPLIT_PLUGIN;
    given_slots(fixture, 1);
    struct byte_writer body = {0};
    put_input(&body, "one ");
    put_input(&body, "");
    put_input(&body, "three");
    const struct work_order order = {.work = WORK_RUN,
                                     .range = {10, 3},
                                     .task_count = 20,
                                     .has_input = true,
                                     .body = body.data,
                                     .body_size = body.size};
    when_order(fixture, 0, &order);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->assignment, 1);
    assert_int_equal(event->partial_count, 1);
    check_range(event->partials[0].range, 10, 3);
    check_body(event, "one three");
    byte_writer_close(&body);
    fixture_end(fixture);
}

/* Much more than the rings hold, in both directions. */
static void large_inputs_and_results_pass(void **state)
{
    enum { TASKS = 25, INPUT_BYTES = 300000 };
    (void)state;
    struct slot_fixture *fixture = given_job("echo");
    fixture->job.split.kind = SPLIT_PLUGIN;
    given_slots(fixture, 2);
    struct byte_writer body = {0};
    for (unsigned i = 0; i < TASKS; i++) {
        byte_writer_put_u32(&body, INPUT_BYTES);
        memset(byte_writer_reserve(&body, INPUT_BYTES), (int)('a' + i % 26), INPUT_BYTES);
    }
    const struct work_order order = {.work = WORK_RUN,
                                     .range = {0, TASKS},
                                     .task_count = TASKS,
                                     .has_input = true,
                                     .body = body.data,
                                     .body_size = body.size};
    when_order(fixture, 0, &order);
    when_order(fixture, 1, &order);
    for (int slot = 0; slot < 2; slot++) {
        const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
        assert_int_equal(event->body_size, (size_t)TASKS * INPUT_BYTES);
        for (size_t i = 0; i < TASKS; i++) {
            assert_int_equal(event->body[i * INPUT_BYTES], 'a' + i % 26);
            assert_int_equal(event->body[(i + 1) * INPUT_BYTES - 1], 'a' + i % 26);
        }
    }
    byte_writer_close(&body);
    fixture_end(fixture);
}

static void a_full_report_ends_the_order_early(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("large");
    given_parameter(fixture, "bytes", "1048576");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){100, 200}, 300);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    check_range(event->range, 100, 8);
    assert_int_equal(event->body_size, SLOT_REPORT_COLLECTED_BYTES_MAX);
    assert_int_equal(event->body[SLOT_REPORT_COLLECTED_BYTES_MAX - 1], 107);
    assert_true(slot_set_is_idle(fixture->slots, 0));
    fixture_end(fixture);
}

static void a_failed_task_is_a_hole(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("trouble");
    given_parameter(fixture, "where", "run");
    given_parameter(fixture, "how", "fail");
    given_parameter(fixture, "task", "7");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){5, 5}, 20);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    check_range(event->range, 7, 1);
    assert_int_equal(event->cause, CAUSE_PLUGIN);
    assert_false(event->is_crash);
    assert_string_equal(event->text, "failed with number 42");
    event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->partial_count, 2);
    check_range(event->partials[0].range, 5, 2);
    check_range(event->partials[1].range, 8, 2);
    assert_int_equal(event->tasks_run, 5);
    check_body(event, "5689");
    fixture_end(fixture);
}

static void nothing_but_failures_is_done_too(void **state)
{
    enum { TASKS = SLOT_REPORT_FAILURES_MAX };
    (void)state;
    struct slot_fixture *fixture = given_job("trouble");
    fixture->has_merge = true;
    given_parameter(fixture, "where", "run");
    given_parameter(fixture, "how", "return");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, TASKS}, TASKS);
    for (uint64_t task = 0; task < TASKS; task++) {
        const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
        check_range(event->range, task, 1);
        assert_string_equal(event->text, "run returned 5 (say why with sheaf_fail)");
    }
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    check_range(event->range, 0, TASKS);
    assert_int_equal(event->partial_count, 0);
    fixture_end(fixture);
}

static void an_order_ends_early_when_many_of_its_tasks_fail(void **state)
{
    enum { TASKS = 5000 };
    (void)state;
    struct slot_fixture *fixture = given_job("trouble");
    given_parameter(fixture, "where", "run");
    given_parameter(fixture, "how", "return");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, TASKS}, TASKS);
    for (uint64_t task = 0; task < SLOT_REPORT_FAILURES_MAX; task++)
        check_range(next_event_is(fixture, SLOT_EVENT_FAILED)->range, task, 1);
    check_range(next_event_is(fixture, SLOT_EVENT_DONE)->range, 0, SLOT_REPORT_FAILURES_MAX);
    fixture_end(fixture);
}

static void a_merge_order_joins_its_partials(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("brackets");
    fixture->has_merge = true;
    given_slots(fixture, 1);
    struct byte_writer body = {0};
    put_partial(&body, (struct range){8, 1}, "8");
    put_partial(&body, (struct range){9, 1}, NULL);
    put_partial(&body, (struct range){10, 2}, "(10 11)");
    put_partial(&body, (struct range){12, 1}, "12");
    struct work_order order = {.work = WORK_MERGE,
                               .range = {8, 5},
                               .task_count = 13,
                               .body = body.data,
                               .body_size = body.size};
    when_order(fixture, 0, &order);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->work, WORK_MERGE);
    assert_int_equal(event->partial_count, 1);
    check_range(event->partials[0].range, 8, 5);
    check_body(event, "((8 (10 11)) 12)");
    byte_writer_close(&body);
    fixture_end(fixture);
}

static void a_merge_of_absent_partials_is_absent(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("brackets");
    fixture->has_merge = true;
    given_slots(fixture, 1);
    struct byte_writer body = {0};
    put_partial(&body, (struct range){0, 1}, NULL);
    put_partial(&body, (struct range){1, 1}, NULL);
    struct work_order order = {.work = WORK_MERGE,
                               .range = {0, 2},
                               .task_count = 2,
                               .body = body.data,
                               .body_size = body.size};
    when_order(fixture, 0, &order);
    assert_true(next_event_is(fixture, SLOT_EVENT_DONE)->partials[0].is_absent);
    order.range.count = 4; /* the same partials are not this subtree */
    order.task_count = 4;
    when_order(fixture, 0, &order);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    check_range(event->range, 0, 4);
    assert_int_equal(event->cause, CAUSE_INPUT);
    byte_writer_close(&body);
    fixture_end(fixture);
}

static void finish_makes_the_output(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("brackets");
    fixture->has_merge = true;
    given_slots(fixture, 1);
    const struct work_order order = {.work = WORK_FINISH,
                                     .range = {0, 3},
                                     .task_count = 3,
                                     .body = (const unsigned char *)"result",
                                     .body_size = 6};
    when_order(fixture, 0, &order);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    check_range(event->partials[0].range, 0, 3);
    check_body(event, "result of 3");
    fixture_end(fixture);
}

static void split_names_tasks_in_batches(void **state)
{
    enum { COUNTED = 1000, NAMED = 3000, INPUT_BYTES = 1000, BATCH_BYTES_MAX = 256 << 10 };
    (void)state;
    struct slot_fixture *fixture = given_job("splitter");
    fixture->job.split.kind = SPLIT_PLUGIN;
    given_parameter(fixture, "counted", "1000");
    given_parameter(fixture, "named", "3000");
    given_parameter(fixture, "bytes", "1000");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_SPLIT, (struct range){0, 0}, 0);
    uint64_t counted = 0, named = 0;
    while (next_event(fixture)->kind == SLOT_EVENT_TASKS) {
        const struct slot_event *event = &fixture->event;
        struct byte_reader body = byte_reader_of(event->body, event->body_size);
        assert_true(event->body_size <= BATCH_BYTES_MAX);
        uint64_t count = byte_reader_get_u64(&body);
        bool has_input = byte_reader_get_u8(&body) != 0;
        for (uint64_t i = 0; has_input && i < count; i++) {
            size_t size;
            const unsigned char *bytes = byte_reader_get_blob(&body, &size);
            assert_int_equal(size, INPUT_BYTES);
            assert_int_equal(bytes[0], 'a' + named++ % 26);
        }
        if (!has_input)
            counted += count;
        assert_true(byte_reader_is_complete(&body));
    }
    assert_int_equal(fixture->event.kind, SLOT_EVENT_DONE);
    assert_int_equal(fixture->event.partial_count, 0);
    assert_int_equal(counted, COUNTED);
    assert_int_equal(named, NAMED);
    fixture_end(fixture);
}

static void a_large_input_is_a_batch_of_its_own(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("splitter");
    fixture->job.split.kind = SPLIT_PLUGIN;
    given_parameter(fixture, "counted", "0");
    given_parameter(fixture, "named", "2");
    given_parameter(fixture, "bytes", "1000000");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_SPLIT, (struct range){0, 0}, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(next_event_is(fixture, SLOT_EVENT_TASKS)->body_size, 1000000 + 4 + 9);
    next_event_is(fixture, SLOT_EVENT_DONE);
    fixture_end(fixture);
}

static void what_is_taken_back_is_not_run(void **state)
{
    enum { TASKS = 100 };
    (void)state;
    struct slot_fixture *fixture = given_job("slow");
    given_parameter(fixture, "milliseconds", "5");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){1000, TASKS}, 2000);
    uint64_t end = 1000 + TASKS;
    for (int i = 0; i < 4; i++) {
        assert_true(nothing_happens_for_ms(fixture, 20));
        struct range taken = slot_set_take_back(fixture->slots, 0);
        if (range_is_empty(taken))
            break;
        assert_int_equal(range_end(taken), end);
        end = taken.first;
    }
    assert_true(end < 1000 + TASKS); /* at least half was unstarted at first */
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    check_range(event->range, 1000, end - 1000);
    assert_int_equal(event->partial_count, 1);
    check_range(event->partials[0].range, 1000, end - 1000);
    fixture_end(fixture);
}

static void an_order_not_begun_keeps_a_task(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("slow");
    given_parameter(fixture, "milliseconds", "0");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 2}, 2); /* the executor has yet to start */
    struct range taken = slot_set_take_back(fixture->slots, 0);
    check_range(taken, 1, 1);
    assert_true(range_is_empty(slot_set_take_back(fixture->slots, 0)));
    check_range(next_event_is(fixture, SLOT_EVENT_DONE)->range, 0, 1);
    assert_true(range_is_empty(slot_set_take_back(fixture->slots, 0)));
    fixture_end(fixture);
}

/* Taken back at random moments while tasks rush: each task is run, or taken, exactly once. */
static void no_task_is_lost_between_run_and_take_back(void **state)
{
    enum { TASKS = 2000000, ROUNDS = 20 };
    (void)state;
    struct slot_fixture *fixture = given_job("noop");
    fixture->has_merge = true;
    given_slots(fixture, 1);
    for (int round = 0; round < ROUNDS; round++) {
        when_given(fixture, 0, WORK_RUN, (struct range){0, TASKS}, TASKS);
        uint64_t end = TASKS;
        const struct timespec nap = {.tv_nsec = round * 50000};
        nanosleep(&nap, NULL);
        for (int i = 0; i <= round; i++) {
            struct range taken = slot_set_take_back(fixture->slots, 0);
            assert_true(range_is_empty(taken) || range_end(taken) == end);
            end = range_is_empty(taken) ? end : taken.first;
        }
        const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
        check_range(event->range, 0, end);
        uint64_t sum = 0;
        struct byte_reader body = byte_reader_of(event->body, event->body_size);
        while (byte_reader_left(&body) > 0)
            sum += byte_reader_get_u64(&body);
        assert_int_equal(sum, end);
    }
    fixture_end(fixture);
}

static void a_cancelled_order_is_not_heard_of_again(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("trouble");
    given_parameter(fixture, "where", "run");
    given_parameter(fixture, "how", "hang");
    given_parameter(fixture, "task", "3");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 10}, 10);
    assert_true(nothing_happens_for_ms(fixture, 50));
    slot_set_cancel(fixture->slots, 0);
    when_given(fixture, 0, WORK_RUN, (struct range){4, 2}, 10);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->assignment, 2);
    check_body(event, "45");
    fixture_end(fixture);
}

static void an_order_can_be_cancelled_before_it_is_sent(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("slow");
    given_parameter(fixture, "milliseconds", "0");
    given_slots(fixture, 1);
    for (uint64_t i = 0; i < 5; i++) {
        when_given(fixture, 0, WORK_RUN, (struct range){i, 1}, 10);
        slot_set_cancel(fixture->slots, 0);
    }
    when_given(fixture, 0, WORK_RUN, (struct range){9, 1}, 10);
    check_body(next_event_is(fixture, SLOT_EVENT_DONE), "9 ");
    fixture_end(fixture);
}

static void several_slots_work_side_by_side(void **state)
{
    enum { SLOTS = 4 };
    (void)state;
    struct slot_fixture *fixture = given_job("slow");
    given_parameter(fixture, "milliseconds", "1");
    given_slots(fixture, SLOTS);
    assert_int_equal(slot_set_count(fixture->slots), SLOTS);
    uint64_t given = 0, done = 0;
    for (; given < SLOTS; given++)
        when_given(fixture, (uint32_t)given, WORK_RUN, (struct range){given * 3, 3}, 1000);
    while (done < 40) {
        const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
        assert_int_equal(event->range.count, 3);
        done++;
        when_given(fixture, event->slot, WORK_RUN, (struct range){given++ * 3, 3}, 1000);
    }
    fixture_end(fixture);
}

static void output_of_tasks_goes_to_a_log(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct slot_fixture *fixture = given_job("trouble");
    fixture->run_dir = scratch.path;
    given_parameter(fixture, "where", "run");
    given_parameter(fixture, "how", "print");
    given_slots(fixture, 2); /* the second says nothing */
    when_given(fixture, 0, WORK_RUN, (struct range){0, 1}, 1);
    next_event_is(fixture, SLOT_EVENT_DONE);
    fixture_end(fixture);
    glob_t logs;
    assert_int_equal(glob(scratch_path(&scratch, "logs/*").text, 0, NULL, &logs), 0);
    assert_int_equal(logs.gl_pathc, 1);
    char text[256] = "";
    FILE *file = fopen(logs.gl_pathv[0], "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    globfree(&logs);
    assert_non_null(strstr(text, "said on standard output\n"));
    assert_non_null(strstr(text, "said on standard error\n"));
    scratch_remove(&scratch);
}

static void check_surroundings(struct slot_fixture *fixture, uint64_t task, const char *text)
{
    when_given(fixture, 0, WORK_RUN, (struct range){task, 1}, 10);
    check_body(next_event_is(fixture, SLOT_EVENT_DONE), text);
}

static void nothing_of_the_rank_reaches_the_plugin(void **state)
{
    (void)state;
    int left_open = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    assert_int_equal(fcntl(left_open, F_DUPFD, 500), 500);
    signal(SIGTERM, SIG_IGN);
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    setenv("PMIX_RANK", "1", 1);
    setenv("PMI_RANK", "1", 1);
    struct slot_fixture *fixture = given_job("surroundings");
    given_slots(fixture, 1);
    check_surroundings(fixture, 0, "end");
    check_surroundings(fixture, 1, "1"); /* the eventfd */
    check_surroundings(fixture, 3, "0");
    check_surroundings(fixture, 5, "0");
    fixture_end(fixture);
    signal(SIGTERM, SIG_DFL);
    close(500);
    close(left_open);
}

static void executors_are_bound_to_their_cores(void **state)
{
    (void)state;
    cpu_set_t allowed;
    size_t core = 0;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &allowed))
            core = i;
    struct slot_fixture *fixture = given_job("surroundings");
    CPU_SET(core, &fixture->place.cpus);
    given_slots(fixture, 1);
    char expected[64];
    snprintf(expected, sizeof expected, "%zu count 1", core);
    check_surroundings(fixture, 2, expected);
    fixture_end(fixture);
}

static void executors_see_the_gpus_of_their_slot_alone(void **state)
{
    (void)state;
    setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3", 1);
    struct slot_fixture *fixture = given_job("surroundings");
    strcpy(fixture->place.gpus, "2,3");
    given_slots(fixture, 1);
    check_surroundings(fixture, 6, "2,3 2,3 ");
    fixture_end(fixture);
    fixture = given_job("surroundings");
    given_slots(fixture, 1);
    check_surroundings(fixture, 6, "0,1,2,3 unset "); /* no need of any: as they were */
    fixture_end(fixture);
    unsetenv("CUDA_VISIBLE_DEVICES");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_of_a_range_are_merged_on_the_spot),
        cmocka_unit_test(a_long_range_is_merged_right),
        cmocka_unit_test(results_without_merge_are_one_piece),
        cmocka_unit_test(large_inputs_and_results_pass),
        cmocka_unit_test(a_full_report_ends_the_order_early),
        cmocka_unit_test(a_failed_task_is_a_hole),
        cmocka_unit_test(nothing_but_failures_is_done_too),
        cmocka_unit_test(an_order_ends_early_when_many_of_its_tasks_fail),
        cmocka_unit_test(a_merge_order_joins_its_partials),
        cmocka_unit_test(a_merge_of_absent_partials_is_absent),
        cmocka_unit_test(finish_makes_the_output),
        cmocka_unit_test(split_names_tasks_in_batches),
        cmocka_unit_test(a_large_input_is_a_batch_of_its_own),
        cmocka_unit_test(what_is_taken_back_is_not_run),
        cmocka_unit_test(an_order_not_begun_keeps_a_task),
        cmocka_unit_test(no_task_is_lost_between_run_and_take_back),
        cmocka_unit_test(a_cancelled_order_is_not_heard_of_again),
        cmocka_unit_test(an_order_can_be_cancelled_before_it_is_sent),
        cmocka_unit_test(several_slots_work_side_by_side),
        cmocka_unit_test(output_of_tasks_goes_to_a_log),
        cmocka_unit_test(nothing_of_the_rank_reaches_the_plugin),
        cmocka_unit_test(executors_are_bound_to_their_cores),
        cmocka_unit_test(executors_see_the_gpus_of_their_slot_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
