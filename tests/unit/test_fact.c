/* test_fact.c - facts survive their encoding, and nothing else passes for one. */
#include "../../scheduler/fact.h"
#include "seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct partial two_partials[] = {
    {.range = {8, 8}, .offset_bytes = 0, .size_bytes = 24},
    {.range = {16, 1}, .payload_seq = 7, .is_absent = true},
};

static const struct fact examples[] = {
    {.kind = FACT_RUN_STARTED, .as.run_started = {.incarnation = 3}},
    {.kind = FACT_JOB_ACCEPTED,
     .as.job_accepted = {.task_count = SHEAF_TASKS_MAX,
                         .input_bytes = 12345,
                         .input_crc = 0xdeadbeef,
                         .has_merge = true}},
    {.kind = FACT_WORKER_JOINED, .as.worker_joined = {.worker = 5, .slot_count = 64, .node = 2}},
    {.kind = FACT_WORKER_LOST, .as.worker_lost = {.worker = 5, .cause = CAUSE_WORKER_LOST}},
    {.kind = FACT_ASSIGNED,
     .as.assigned =
         {.worker = 1, .work = WORK_RUN, .range = {100, 28}, .attempt = 2, .copy_of = 17}},
    {.kind = FACT_RESULT,
     .as.result = {.worker = 2,
                   .assignment = 40,
                   .work = WORK_RUN,
                   .tasks_run = 9,
                   .busy_ns = 1000,
                   .partial_count = 2,
                   .partials = two_partials}},
    {.kind = FACT_RETURNED,
     .as.returned = {.worker = 3, .assignment = 41, .range = {64, 64}, .is_whole = true}},
    {.kind = FACT_ATTEMPT_FAILED,
     .as.attempt_failed = {.worker = 3,
                           .assignment = 42,
                           .work = WORK_RUN,
                           .range = {7, 1},
                           .cause = CAUSE_SIGNAL,
                           .detail = -11,
                           .is_crash = true,
                           .is_final = true,
                           .not_before_ns = 99,
                           .text_size = 5,
                           .text = "a\nb\0c"}},
    {.kind = FACT_RESULT_LOST, .as.result_lost = {.range = {0, 512}}},
    {.kind = FACT_JOB_FAILED,
     .as.job_failed = {.work = WORK_MERGE, .range = {0, 4}, .cause = CAUSE_EXIT, .detail = 1}},
    {.kind = FACT_JOB_FINISHED, .as.job_finished = {.failed_task_count = 2}},
    {.kind = FACT_SNAPSHOT_END},
    {.kind = FACT_NODE_BENCHED, .as.node_benched = {.node = 3, .task_count = 4}},
    {.kind = FACT_NODE_READMITTED,
     .as.node_readmitted = {.node = 3, .reason = READMISSION_PROBE_PASSED}},
    {.kind = FACT_FAILURES,
     .as.failures =
         {.work = WORK_RUN,
          .cause = CAUSE_SIGNAL,
          .detail = 11,
          .count = 30,
          .final_count = 10,
          .order_count = 7,
          .has_example = true,
          .example = {.worker = 3, .attempt = 2, .range = {7, 1}, .text_size = 4, .text = "why?"},
          .host_size = 5,
          .host = "node2",
          .log_size = 6,
          .log = "a\nb\nc\n"}},
    {.kind = FACT_FAILED_REOPENED, .as.failed_reopened = {.range = {3, 8}}},
};

enum { EXAMPLE_COUNT = sizeof examples / sizeof examples[0] };

static struct partial decoded_partials[FACT_PARTIALS_MAX];

static int decode(uint8_t kind, const void *data, size_t size, struct fact *fact)
{
    struct sheaf_error error = {0};
    int code = fact_decode(kind, data, size, decoded_partials, fact, &error);
    assert_int_equal(code, error.code);
    return code;
}

/* Encodes one fact and tells whether that is accepted. */
static bool is_accepted(const struct fact *fact)
{
    struct byte_writer writer = {0};
    struct fact decoded;
    fact_encode(fact, &writer);
    int code = decode((uint8_t)fact->kind, writer.data, writer.size, &decoded);
    byte_writer_close(&writer);
    return code == 0;
}

static void every_kind_survives_its_encoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        struct byte_writer first = {0};
        struct byte_writer second = {0};
        struct fact decoded = {.seq = 77};
        fact_encode(&examples[i], &first);
        assert_int_equal(decode((uint8_t)examples[i].kind, first.data, first.size, &decoded), 0);
        assert_int_equal(decoded.kind, examples[i].kind);
        assert_int_equal(decoded.seq, 77);
        fact_encode(&decoded, &second);
        assert_int_equal(first.size, second.size);
        if (first.size > 0)
            assert_memory_equal(first.data, second.data, first.size);
        byte_writer_close(&first);
        byte_writer_close(&second);
    }
}

static void fields_come_back_as_they_were(void **state)
{
    (void)state;
    struct byte_writer writer = {0};
    struct fact fact;
    fact_encode(&examples[7], &writer);
    assert_int_equal(decode(FACT_ATTEMPT_FAILED, writer.data, writer.size, &fact), 0);
    const struct fact_attempt_failed *failed = &fact.as.attempt_failed;
    assert_int_equal(failed->assignment, 42);
    assert_int_equal(failed->range.first, 7);
    assert_int_equal(failed->cause, CAUSE_SIGNAL);
    assert_int_equal(failed->detail, -11);
    assert_true(failed->is_crash);
    assert_int_equal(failed->not_before_ns, 99);
    assert_int_equal(failed->text_size, 5);
    assert_memory_equal(failed->text, "a\nb\0c", 5);
    byte_writer_clear(&writer);

    fact_encode(&examples[5], &writer);
    assert_int_equal(decode(FACT_RESULT, writer.data, writer.size, &fact), 0);
    assert_int_equal(fact.as.result.busy_ns, 1000);
    assert_int_equal(fact.as.result.partial_count, 2);
    assert_int_equal(fact.as.result.partials[0].size_bytes, 24);
    assert_int_equal(fact.as.result.partials[1].payload_seq, 7);
    assert_true(fact.as.result.partials[1].is_absent);
    byte_writer_close(&writer);
}

static void record_of_another_length_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLE_COUNT; i++) {
        struct byte_writer writer = {0};
        struct fact decoded;
        fact_encode(&examples[i], &writer);
        uint8_t kind = (uint8_t)examples[i].kind;
        for (size_t size = 0; size < writer.size; size++) {
            void *exact = malloc(size > 0 ? size : 1); /* so that a sanitizer sees any overrun */
            assert_non_null(exact);
            memcpy(exact, writer.data, size);
            assert_int_equal(decode(kind, exact, size, &decoded), SHEAF_ERROR_MALFORMED);
            free(exact);
        }
        byte_writer_put_u8(&writer, 0);
        assert_int_equal(decode(kind, writer.data, writer.size, &decoded), SHEAF_ERROR_MALFORMED);
        byte_writer_close(&writer);
    }
}

static void refused_record_leaves_the_fact_alone(void **state)
{
    (void)state;
    struct fact fact = {.kind = FACT_JOB_FINISHED, .seq = 5, .as.job_finished = {9}};
    const unsigned char bytes[3] = {1, 2, 3};
    assert_int_equal(decode(FACT_RUN_STARTED, bytes, sizeof bytes, &fact), SHEAF_ERROR_MALFORMED);
    assert_int_equal(decode(200, bytes, sizeof bytes, &fact), SHEAF_ERROR_MALFORMED);
    assert_int_equal(decode(0, bytes, 0, &fact), SHEAF_ERROR_MALFORMED);
    assert_int_equal(fact.kind, FACT_JOB_FINISHED);
    assert_int_equal(fact.seq, 5);
    assert_int_equal(fact.as.job_finished.failed_task_count, 9);
}

static void range_beyond_the_largest_job_is_refused(void **state)
{
    (void)state;
    struct fact fact = {.kind = FACT_RESULT_LOST, .as.result_lost = {{SHEAF_TASKS_MAX - 4, 4}}};
    assert_true(is_accepted(&fact));
    fact.as.result_lost.range.count = 5;
    assert_false(is_accepted(&fact));
    fact.as.result_lost.range = (struct range){UINT64_MAX - 1, 4};
    assert_false(is_accepted(&fact));
    fact.as.result_lost.range = (struct range){4, UINT64_MAX - 2};
    assert_false(is_accepted(&fact));
}

static struct fact result_of(enum work work, const struct partial *partials, uint32_t count)
{
    return (struct fact){.kind = FACT_RESULT,
                         .as.result = {.work = work, .partial_count = count, .partials = partials}};
}

static void partials_must_ascend_without_overlap(void **state)
{
    (void)state;
    struct partial partials[] = {{.range = {0, 8}}, {.range = {8, 8}}};
    struct fact fact = result_of(WORK_RUN, partials, 2);
    assert_true(is_accepted(&fact));
    partials[1].range.first = 7;
    assert_false(is_accepted(&fact));
    partials[0].range.first = 32;
    assert_false(is_accepted(&fact));
}

static void partial_without_tasks_is_only_an_output(void **state)
{
    (void)state;
    const struct partial empty = {.range = {0, 0}};
    struct fact run = result_of(WORK_RUN, &empty, 1);
    assert_false(is_accepted(&run));
    struct fact finish = result_of(WORK_FINISH, &empty, 1);
    assert_true(is_accepted(&finish));
}

static void partial_must_lie_within_a_payload(void **state)
{
    (void)state;
    struct partial partial = {.range = {0, 1}, .offset_bytes = UINT64_MAX - 3, .size_bytes = 3};
    struct fact fact = result_of(WORK_RUN, &partial, 1);
    assert_true(is_accepted(&fact));
    partial.size_bytes = 4;
    assert_false(is_accepted(&fact));
    partial = (struct partial){.range = {0, 1}, .size_bytes = 1, .is_absent = true};
    assert_false(is_accepted(&fact));
}

static void work_other_than_run_has_one_partial_at_most(void **state)
{
    (void)state;
    struct fact fact = result_of(WORK_MERGE, two_partials, 1);
    assert_true(is_accepted(&fact));
    fact = result_of(WORK_MERGE, two_partials, 2);
    assert_false(is_accepted(&fact));
    fact = result_of(WORK_SPLIT, two_partials, 1);
    assert_false(is_accepted(&fact));
}

static void values_outside_their_enum_are_refused(void **state)
{
    (void)state;
    for (uint8_t byte = 0; byte < 64; byte++) {
        struct fact lost = {.kind = FACT_WORKER_LOST,
                            .as.worker_lost = {.cause = (enum cause)byte}};
        assert_int_equal(is_accepted(&lost), byte < CAUSE_COUNT);
        struct fact failures = {.kind = FACT_FAILURES, .as.failures = {.work = (enum work)byte}};
        assert_int_equal(is_accepted(&failures), byte <= WORK_FINISH);
        struct fact failed = {.kind = FACT_JOB_FAILED, .as.job_failed = {.work = (enum work)byte}};
        assert_int_equal(is_accepted(&failed), byte <= WORK_FINISH);
        struct fact assigned = {.kind = FACT_ASSIGNED,
                                .as.assigned = {.work = (enum work)byte, .range = {0, 1}}};
        assert_int_equal(is_accepted(&assigned), byte >= WORK_SPLIT && byte <= WORK_FINISH);
    }
}

static void only_final_failures_may_be_of_several_tasks(void **state)
{
    (void)state;
    struct fact fact = {.kind = FACT_ATTEMPT_FAILED,
                        .as.attempt_failed = {.work = WORK_RUN, .range = {0, 2}}};
    assert_false(is_accepted(&fact));
    fact.as.attempt_failed.is_final = true;
    assert_true(is_accepted(&fact));
}

static void damaged_bytes_never_decode_to_something_else(void **state)
{
    (void)state;
    unsigned seed = test_seed();
    for (int i = 0; i < 200000; i++) {
        struct byte_writer writer = {0};
        struct byte_writer again = {0};
        const struct fact *example = &examples[(size_t)rand_r(&seed) % EXAMPLE_COUNT];
        struct fact fact;
        fact_encode(example, &writer);
        for (int flips = rand_r(&seed) % 4; flips > 0 && writer.size > 0; flips--)
            writer.data[(size_t)rand_r(&seed) % writer.size] = (unsigned char)rand_r(&seed);
        uint8_t kind = rand_r(&seed) % 8 == 0 ? (uint8_t)rand_r(&seed) : (uint8_t)example->kind;
        struct sheaf_error error;
        if (fact_decode(kind, writer.data, writer.size, decoded_partials, &fact, &error) == 0) {
            char text[128];
            fact_encode(&fact, &again);
            assert_int_equal(again.size, writer.size);
            if (writer.size > 0)
                assert_memory_equal(again.data, writer.data, writer.size);
            assert_true(fact_describe(&fact, text, sizeof text) > 0);
        }
        byte_writer_close(&writer);
        byte_writer_close(&again);
    }
}

static void assert_described(const struct fact *fact, const char *expected)
{
    char text[512];
    int length = fact_describe(fact, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

static void descriptions_say_what_happened(void **state)
{
    (void)state;
    const struct partial partial = {.range = {0, 512}, .size_bytes = 8};
    struct fact result = result_of(WORK_RUN, &partial, 1);
    result.as.result.worker = 2;
    assert_described(&result, "result of [0, 512) from worker 2: 1 partial, 8 bytes");
    result.as.result.worker = WORKER_NONE;
    assert_described(&result, "result of [0, 512) from worker none: 1 partial, 8 bytes");
    assert_described(&examples[3], "worker 5 lost: nothing was heard of it any more");
    assert_described(&examples[12], "node 3 benched: 4 tasks failed there and passed elsewhere");
    assert_described(&examples[13], "node 3 readmitted: a task passed there");
    assert_described(&examples[15], "what failed is open again within [3, 11)");
    assert_described(&examples[4], "assigned run of [100, 128) to worker 1, attempt 2, copy of 17");
    assert_described(&examples[9], "job failed: merge of [0, 4): exited with status 1");
}

static void description_shows_control_characters(void **state)
{
    (void)state;
    assert_described(&examples[7], "task 7 failed for good on worker 3: was killed by a signal: "
                                   "a\\x0Ab\\x00c");
}

static void description_is_cut_to_its_room(void **state)
{
    (void)state;
    char text[12];
    memset(text, 'x', sizeof text);
    int length = fact_describe(&examples[0], text, sizeof text);
    assert_string_equal(text, "run started");
    assert_int_equal(length, strlen("run started: incarnation 3"));
    assert_int_equal(fact_describe(&examples[0], NULL, 0), length);
}

static void range_of_a_fact_spans_its_partials(void **state)
{
    (void)state;
    struct range range = fact_range(&examples[5]);
    assert_int_equal(range.first, 8);
    assert_int_equal(range.count, 9);
    assert_true(range_is_empty(fact_range(&examples[0])));
    struct fact nothing = result_of(WORK_RUN, NULL, 0);
    assert_true(range_is_empty(fact_range(&nothing)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives_its_encoding),
        cmocka_unit_test(fields_come_back_as_they_were),
        cmocka_unit_test(record_of_another_length_is_refused),
        cmocka_unit_test(refused_record_leaves_the_fact_alone),
        cmocka_unit_test(range_beyond_the_largest_job_is_refused),
        cmocka_unit_test(partials_must_ascend_without_overlap),
        cmocka_unit_test(partial_without_tasks_is_only_an_output),
        cmocka_unit_test(partial_must_lie_within_a_payload),
        cmocka_unit_test(work_other_than_run_has_one_partial_at_most),
        cmocka_unit_test(values_outside_their_enum_are_refused),
        cmocka_unit_test(only_final_failures_may_be_of_several_tasks),
        cmocka_unit_test(damaged_bytes_never_decode_to_something_else),
        cmocka_unit_test(descriptions_say_what_happened),
        cmocka_unit_test(description_shows_control_characters),
        cmocka_unit_test(description_is_cut_to_its_room),
        cmocka_unit_test(range_of_a_fact_spans_its_partials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
