/* test_message.c - every message survives its encoding, and no damaged one is taken for good. */
#include "../../runtime/message.h"
#include "../../scheduler/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct byte_writer encoded(const struct message *message)
{
    struct byte_writer writer = {0};
    message_encode(message, &writer);
    return writer;
}

static struct message decoded(const struct byte_writer *bytes)
{
    struct message message;
    struct sheaf_error error;
    assert_int_equal(message_decode(bytes->data, bytes->size, &message, &error), 0);
    return message;
}

/* Decoding any proper prefix, and the bytes with one more, must fail and leave the output alone. */
static void assert_only_whole_is_accepted(struct byte_writer *bytes)
{
    struct sheaf_error error;
    struct message untouched = {.incarnation = 77};
    for (size_t size = 0; size < bytes->size; size++) {
        /* A copy of exactly this size lets the sanitizer see a read past its end. */
        unsigned char *prefix = memory_copy(bytes->data, size);
        assert_int_equal(message_decode(prefix, size, &untouched, &error), SHEAF_ERROR_MALFORMED);
        free(prefix);
    }
    byte_writer_put_u8(bytes, 0);
    assert_int_equal(message_decode(bytes->data, bytes->size, &untouched, &error),
                     SHEAF_ERROR_MALFORMED);
    assert_int_equal(untouched.incarnation, 77);
}

static void given_cpu(cpu_set_t *cpus, unsigned cpu)
{
    CPU_ZERO(cpus);
    CPU_SET(cpu, cpus);
}

static void hello_brings_the_topology(void **state)
{
    (void)state;
    cpu_set_t cores[2];
    given_cpu(&cores[0], 3);
    given_cpu(&cores[1], 1000);
    struct message hello = {.kind = MESSAGE_HELLO};
    hello.as.hello.process_id = 4711;
    uint32_t caches[2] = {3, 4};
    struct topology_gpu gpu = {.name = "GPU-1"};
    given_cpu(&gpu.near, 1);
    hello.as.hello.topology = (struct topology){.caches = caches,
                                                .gpu_count = 1,
                                                .gpus = &gpu,
                                                .host = "node17",
                                                .local_rank = 1,
                                                .local_count = 5,
                                                .memory_bytes = 1 << 30,
                                                .core_count = 2,
                                                .cores = cores};
    struct byte_writer bytes = encoded(&hello);
    struct message copy = decoded(&bytes);
    assert_int_equal(copy.as.hello.process_id, 4711);
    assert_string_equal(copy.as.hello.topology.host, "node17");
    assert_int_equal(copy.as.hello.topology.local_count, 5);
    assert_int_equal(copy.as.hello.topology.core_count, 2);
    assert_true(CPU_EQUAL(&copy.as.hello.topology.cores[1], &cores[1]));
    assert_int_equal(copy.as.hello.topology.caches[1], 4);
    assert_int_equal(copy.as.hello.topology.gpu_count, 1);
    assert_string_equal(copy.as.hello.topology.gpus[0].name, "GPU-1");
    assert_true(CPU_EQUAL(&copy.as.hello.topology.gpus[0].near, &gpu.near));
    message_close(&copy);
    assert_only_whole_is_accepted(&bytes);
    byte_writer_close(&bytes);
}

static void report_brings_partials_and_payload(void **state)
{
    (void)state;
    struct partial partials[2] = {
        {.range = {0, 4}, .offset_bytes = 0, .size_bytes = 3},
        {.range = {4, 1}, .offset_bytes = 3, .size_bytes = 0, .is_absent = true},
    };
    struct message report = {.kind = MESSAGE_REPORT, .session = 4, .incarnation = 9};
    report.as.report.assignment = 5;
    report.as.report.work = WORK_RUN;
    report.as.report.tasks_run = 5;
    report.as.report.busy_ns = 123456789012;
    report.as.report.idle_ns = 345678901234;
    report.as.report.held_ns = 567890123456;
    report.as.report.partial_count = 2;
    report.as.report.partials = partials;
    report.as.report.payload = (const unsigned char *)"abc";
    report.as.report.payload_size = 3;
    struct byte_writer bytes = encoded(&report);
    struct message copy = decoded(&bytes);
    assert_int_equal(copy.session, 4);
    assert_int_equal(copy.incarnation, 9);
    assert_int_equal(copy.as.report.busy_ns, 123456789012);
    assert_int_equal(copy.as.report.idle_ns, 345678901234);
    assert_int_equal(copy.as.report.held_ns, 567890123456);
    assert_int_equal(copy.as.report.partials[0].range.count, 4);
    assert_true(copy.as.report.partials[1].is_absent);
    assert_int_equal(copy.as.report.payload_size, 3);
    assert_memory_equal(copy.as.report.payload, "abc", 3);
    message_close(&copy);
    assert_int_equal(message_report_of(bytes.data, bytes.size / 2), 5);
    assert_int_equal(message_report_of(bytes.data, 20), 0);
    assert_int_equal(message_report_of(NULL, 0), 0);
    assert_only_whole_is_accepted(&bytes);
    byte_writer_close(&bytes);
}

static void report_with_partial_outside_its_payload_is_refused(void **state)
{
    (void)state;
    struct partial partial = {.range = {0, 1}, .offset_bytes = 2, .size_bytes = 2};
    struct message report = {.kind = MESSAGE_REPORT};
    report.as.report.work = WORK_RUN;
    report.as.report.partial_count = 1;
    report.as.report.partials = &partial;
    report.as.report.payload = (const unsigned char *)"abc";
    report.as.report.payload_size = 3;
    struct byte_writer bytes = encoded(&report);
    struct message copy;
    assert_int_equal(message_decode(bytes.data, bytes.size, &copy, NULL), SHEAF_ERROR_MALFORMED);
    byte_writer_close(&bytes);
}

static void failure_brings_cause_and_text(void **state)
{
    (void)state;
    struct message failed = {.kind = MESSAGE_FAILED};
    failed.as.failed.assignment = 12;
    failed.as.failed.work = WORK_MERGE;
    failed.as.failed.range = (struct range){8, 8};
    failed.as.failed.cause = CAUSE_SIGNAL;
    failed.as.failed.detail = -11;
    failed.as.failed.is_crash = true;
    failed.as.failed.is_for_good = true;
    failed.as.failed.is_open = true;
    failed.as.failed.text = "no luck";
    failed.as.failed.text_size = 7;
    struct byte_writer bytes = encoded(&failed);
    struct message copy = decoded(&bytes);
    assert_int_equal(copy.as.failed.work, WORK_MERGE);
    assert_int_equal(copy.as.failed.range.first, 8);
    assert_int_equal(copy.as.failed.cause, CAUSE_SIGNAL);
    assert_int_equal(copy.as.failed.detail, -11);
    assert_true(copy.as.failed.is_crash);
    assert_true(copy.as.failed.is_for_good);
    assert_true(copy.as.failed.is_open);
    assert_memory_equal(copy.as.failed.text, "no luck", 7);
    message_close(&copy);
    assert_only_whole_is_accepted(&bytes);
    byte_writer_close(&bytes);
}

static void welcome_brings_job_and_slots(void **state)
{
    (void)state;
    struct slot_place places[2] = {{.gpus = ""}, {.gpus = "2,3", .number = 6}};
    given_cpu(&places[0].cpus, 0);
    given_cpu(&places[1].cpus, 1);
    struct message welcome = {.kind = MESSAGE_WELCOME, .incarnation = 3};
    welcome.as.welcome.placement = (struct placement){.slot_count = 2, .slots = places};
    welcome.as.welcome.job.name = (char *)(uintptr_t) "square";
    welcome.as.welcome.job.source_path = (char *)(uintptr_t) "/jobs/square.so";
    welcome.as.welcome.job.plugin_path = (char *)(uintptr_t) "/jobs/square.so";
    welcome.as.welcome.job.output_path = (char *)(uintptr_t) "-";
    welcome.as.welcome.job.split.kind = SPLIT_RANGE;
    welcome.as.welcome.job.split.tasks = 42;
    welcome.as.welcome.lost_after_ns = 5;
    welcome.as.welcome.window_bytes = 6;
    welcome.as.welcome.has_merge = true;
    welcome.as.welcome.world = 7;
    welcome.as.welcome.has_past = true;
    welcome.as.welcome.run_dir = "/run";
    welcome.as.welcome.run_dir_size = 4;
    struct byte_writer bytes = encoded(&welcome);
    struct message copy = decoded(&bytes);
    assert_int_equal(copy.as.welcome.placement.slot_count, 2);
    assert_true(CPU_EQUAL(&copy.as.welcome.placement.slots[1].cpus, &places[1].cpus));
    assert_string_equal(copy.as.welcome.placement.slots[0].gpus, "");
    assert_string_equal(copy.as.welcome.placement.slots[1].gpus, "2,3");
    assert_string_equal(copy.as.welcome.job.name, "square");
    assert_int_equal(copy.as.welcome.job.split.tasks, 42);
    assert_true(copy.as.welcome.has_merge);
    assert_int_equal(copy.as.welcome.world, 7);
    assert_true(copy.as.welcome.has_past);
    assert_memory_equal(copy.as.welcome.run_dir, "/run", 4);
    message_close(&copy);
    assert_only_whole_is_accepted(&bytes);
    byte_writer_close(&bytes);
}

static void order_brings_its_body(void **state)
{
    (void)state;
    struct message order = {.kind = MESSAGE_ORDER, .incarnation = 2};
    order.as.order = (struct work_order){.assignment = 8,
                                         .work = WORK_FINISH,
                                         .range = {0, 100},
                                         .attempt = 2,
                                         .has_input = true,
                                         .task_count = 100,
                                         .body = (const unsigned char *)"body",
                                         .body_size = 4};
    struct byte_writer bytes = encoded(&order);
    struct message copy = decoded(&bytes);
    assert_int_equal(copy.as.order.assignment, 8);
    assert_int_equal(copy.as.order.work, WORK_FINISH);
    assert_int_equal(copy.as.order.attempt, 2);
    assert_true(copy.as.order.has_input);
    assert_memory_equal(copy.as.order.body, "body", 4);
    message_close(&copy);
    assert_only_whole_is_accepted(&bytes);
    byte_writer_close(&bytes);
}

static void small_messages_keep_their_field(void **state)
{
    (void)state;
    struct message end = {.kind = MESSAGE_END};
    end.as.end.is_clean = true;
    end.as.end.status = 3;
    struct byte_writer bytes = encoded(&end);
    struct message copy = decoded(&bytes);
    assert_true(copy.as.end.is_clean);
    assert_int_equal(copy.as.end.status, 3);
    assert_only_whole_is_accepted(&bytes);
    byte_writer_close(&bytes);

    struct message returned = {.kind = MESSAGE_RETURNED};
    returned.as.returned.assignment = 6;
    returned.as.returned.range = (struct range){10, 5};
    returned.as.returned.is_whole = true;
    bytes = encoded(&returned);
    copy = decoded(&bytes);
    assert_int_equal(copy.as.returned.range.count, 5);
    assert_true(copy.as.returned.is_whole);
    assert_only_whole_is_accepted(&bytes);
    byte_writer_close(&bytes);
}

static void unknown_kind_is_refused(void **state)
{
    (void)state;
    struct message message;
    unsigned char bytes[9] = {200};
    assert_int_equal(message_decode(bytes, sizeof bytes, &message, NULL), SHEAF_ERROR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_brings_the_topology),
        cmocka_unit_test(report_brings_partials_and_payload),
        cmocka_unit_test(report_with_partial_outside_its_payload_is_refused),
        cmocka_unit_test(failure_brings_cause_and_text),
        cmocka_unit_test(welcome_brings_job_and_slots),
        cmocka_unit_test(order_brings_its_body),
        cmocka_unit_test(small_messages_keep_their_field),
        cmocka_unit_test(unknown_kind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
