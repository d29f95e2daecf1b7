/* test_journal.c - a journal on a disk that works: what is appended comes back. */
#include "../../runtime/segment_file.h"
#include "../../scheduler/memory.h"
#include "disk_fake.h"
#include "journal_fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

static size_t segment_count(const struct journal_fixture *fixture)
{
    struct segment_list list = {0};
    CHECK(segment_list_read(fixture->dir.text, SEGMENT_SUFFIX, &list, NULL) == 0);
    size_t count = list.count;
    segment_list_close(&list);
    return count;
}

static uint64_t directory_bytes(const struct journal_fixture *fixture)
{
    struct segment_list list = {0};
    CHECK(segment_list_read(fixture->dir.text, SEGMENT_SUFFIX, &list, NULL) == 0);
    uint64_t total = 0;
    for (size_t i = 0; i < list.count; i++) {
        char *path = segment_path(fixture->dir.text, list.starts[i], SEGMENT_SUFFIX);
        struct stat status;
        CHECK(stat(path, &status) == 0);
        total += (uint64_t)status.st_size;
        free(path);
    }
    segment_list_close(&list);
    return total;
}

static void new_journal_is_empty(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    assert_true(fixture.recovery.is_new);
    assert_int_equal(fixture.recovery.last_seq, 0);
    assert_int_equal(fixture.model.first_seq, 0);
    assert_false(journal_wants_snapshot(fixture.journal));
    struct stat status;
    assert_int_equal(stat(fixture.dir.text, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    reopen_journal(&fixture);
    assert_true(fixture.recovery.is_new);
    fixture_close(&fixture);
}

static void appended_facts_come_back_in_order(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    append(&fixture, 1000);
    reopen_journal(&fixture);
    assert_false(fixture.recovery.is_new);
    assert_int_equal(fixture.model.fact_count, 1000);
    assert_int_equal(fixture.model.damage_count + fixture.model.torn_count, 0);
    journal_model_check_complete(&fixture.model, 1000);
    assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    fixture_close(&fixture);
}

static void numbering_continues_over_many_openings(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    for (uint64_t i = 1; i <= 20; i++) {
        append(&fixture, 7);
        if (i % 6 == 0)
            journal_model_snapshot(&fixture.model, fixture.journal);
        reopen_journal(&fixture);
        assert_int_equal(fixture.recovery.last_seq, 7 * i);
        journal_model_check_complete(&fixture.model, 7 * i);
        assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    }
    fixture_close(&fixture);
}

static void payloads_of_all_sizes_are_read_back(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    fixture.model.payload_bytes_max = 400 << 10;
    for (int i = 0; i < 40; i++) {
        append(&fixture, 1);
        assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    }
    reopen_journal(&fixture);
    journal_model_check_complete(&fixture.model, 40);
    assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    fixture_close(&fixture);
}

static void a_slice_of_a_payload_is_read(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    append(&fixture, 2);
    static const char payload[] = "one two three";
    struct partial partials[2] = {
        {.range = {0, 1}, .size_bytes = 3},
        {.range = {1, 1}, .offset_bytes = 4, .size_bytes = 9},
    };
    struct fact fact = {
        .kind = FACT_RESULT,
        .seq = 3,
        .as.result = {.work = WORK_RUN, .partial_count = 2, .partials = partials},
    };
    journal_append(fixture.journal, &fact, payload, sizeof payload - 1);
    struct byte_writer bytes = {0};
    partials[1].payload_seq = 3;
    assert_int_equal(journal_read_payload(fixture.journal, &partials[1], &bytes, NULL), 0);
    assert_int_equal(bytes.size, 9);
    assert_memory_equal(bytes.data, "two three", 9);
    partials[1].size_bytes = 10;
    assert_int_equal(journal_read_payload(fixture.journal, &partials[1], &bytes, NULL),
                     SHEAF_ERROR_DAMAGED);
    partials[1].is_absent = true;
    partials[1].size_bytes = 0;
    assert_int_equal(journal_read_payload(fixture.journal, &partials[1], &bytes, NULL), 0);
    assert_int_equal(bytes.size, 9);
    byte_writer_close(&bytes);
    assert_int_equal(journal_close(fixture.journal, NULL), 0);
    fixture.journal = NULL;
    fixture_close(&fixture);
}

/* More than is kept in memory: the oldest come from the disk. */
static void evicted_payloads_are_read_from_disk(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    append_durably(&fixture, 60); /* the results of all tasks, to be evicted */
    size_t size = 4 << 20;
    unsigned char *payload = memory_allocate_zeroed(1, size);
    for (uint64_t seq = 61; seq < 61 + 24; seq++) {
        struct partial partial = {.range = {0, 1}, .size_bytes = size};
        struct fact fact = {
            .kind = FACT_RESULT,
            .seq = seq,
            .as.result = {.work = WORK_RUN, .partial_count = 1, .partials = &partial},
        };
        journal_append(fixture.journal, &fact, payload, size);
        wait_durable(&fixture, seq);
    }
    free(payload);
    assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    close_journal(&fixture);
    fixture_close(&fixture);
}

static void wanted_facts_become_durable_before_the_interval(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_folder(&fixture);
    fixture.options.sync_interval_ns = UINT64_C(3600000000000);
    fixture.options.wake_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    open_journal(&fixture);
    append(&fixture, 3);
    assert_int_equal(journal_durable_seq(fixture.journal), 0);
    journal_want_durable(fixture.journal, 2);
    struct pollfd wake = {.fd = fixture.options.wake_descriptor, .events = POLLIN};
    assert_int_equal(poll(&wake, 1, FIXTURE_DEADLINE_S * 1000), 1);
    assert_true(journal_durable_seq(fixture.journal) >= 2);
    int wake_descriptor = fixture.options.wake_descriptor;
    fixture_close(&fixture);
    close(wake_descriptor);
}

static void facts_become_durable_at_the_interval_unasked(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_folder(&fixture);
    fixture.options.sync_interval_ns = 20 * UINT64_C(1000000);
    fixture.options.wake_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    open_journal(&fixture);
    append(&fixture, 3);
    struct pollfd wake = {.fd = fixture.options.wake_descriptor, .events = POLLIN};
    assert_int_equal(poll(&wake, 1, FIXTURE_DEADLINE_S * 1000), 1);
    assert_int_equal(journal_durable_seq(fixture.journal), 3);
    int wake_descriptor = fixture.options.wake_descriptor;
    fixture_close(&fixture);
    close(wake_descriptor);
}

/* The writer does not wait for a sync to write: a killed master loses nothing that was written. */
static void facts_are_written_before_they_are_synced(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_folder(&fixture);
    fixture.options.sync_interval_ns = UINT64_C(3600000000000);
    open_journal(&fixture);
    append(&fixture, 100);
    struct journal_model seen;
    uint64_t last_seq = 0;
    time_t deadline = time(NULL) + FIXTURE_DEADLINE_S;
    while (last_seq < 100) {
        assert_true(time(NULL) < deadline);
        seen = fixture.model;
        struct journal_recovery recovery = journal_model_recovery(&seen);
        assert_int_equal(journal_scan(fixture.dir.text, &recovery, NULL), 0);
        last_seq = recovery.last_seq;
    }
    assert_int_equal(journal_durable_seq(fixture.journal), 0);
    journal_model_check_complete(&seen, 100);
    fixture_close(&fixture);
}

static void a_full_queue_is_congested_until_it_is_written(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_folder(&fixture);
    struct disk_fake *fake = disk_fake_create(fixture.dir.text);
    fixture.options.disk = disk_fake_disk(fake);
    fixture.options.queue_bytes_max = 10000;
    open_journal(&fixture);
    disk_fake_hold_writes(fake, true);
    append(&fixture, 3);
    assert_false(journal_is_congested(fixture.journal));
    append(&fixture, 200);
    assert_true(journal_is_congested(fixture.journal));
    disk_fake_hold_writes(fake, false);
    wait_durable(&fixture, 203);
    assert_false(journal_is_congested(fixture.journal));
    fixture_close(&fixture);
    disk_fake_destroy(fake);
}

static void a_rotation_keeps_the_state_and_drops_old_segments(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    for (int i = 0; i < 10; i++) {
        append(&fixture, 500);
        take_snapshot(&fixture);
        assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    }
    assert_true(segment_count(&fixture) <= 3);
    reopen_journal(&fixture);
    assert_int_equal(fixture.model.fact_count, 1); /* what came after the last snapshot */
    assert_int_equal(fixture.model.damage_count, 0);
    journal_model_check_complete(&fixture.model, 5010);
    assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    fixture_close(&fixture);
}

/* Results that stay live while everything around them dies are copied on, however many rotations
 * follow. */
static void live_payloads_outlive_their_segments(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    append(&fixture, 100);
    struct partial kept = fixture.model.slots[0];
    uint8_t salt = fixture.model.salts[kept.payload_seq];
    for (int i = 0; i < 8; i++) {
        do
            append(&fixture, 1);
        while (fixture.model.last_seq % 300 != 0);
        fixture.model.slots[0] = kept;
        take_snapshot(&fixture);
        if (i % 3 == 2)
            reopen_journal(&fixture);
        fixture.model.slots[0] = kept;
        assert_int_equal(fixture.model.salts[kept.payload_seq], salt);
        assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    }
    assert_true(segment_count(&fixture) <= 3);
    fixture_close(&fixture);
}

/* A segment that is mostly live stays where it is, and is not copied again and again. */
static void large_live_payloads_stay_in_their_segment(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    fixture.model.payload_bytes_max = 100 << 10;
    append(&fixture, 40);
    for (int i = 0; i < 5; i++) {
        journal_model_snapshot(&fixture.model, fixture.journal);
        struct fact fact = {.kind = FACT_WORKER_LOST,
                            .seq = fixture.model.last_seq + 1,
                            .as.worker_lost = {.worker = 1, .cause = CAUSE_WORKER_LOST}};
        journal_append(fixture.journal, &fact, NULL, 0);
        fixture.model.last_seq++;
        wait_durable(&fixture, fact.seq);
        assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    }
    uint64_t live_bytes = 0;
    for (size_t i = 0; i < MODEL_SLOTS; i++)
        live_bytes += fixture.model.slots[i].size_bytes;
    assert_true(directory_bytes(&fixture) < 4 * live_bytes);
    assert_int_equal(journal_size_bytes(fixture.journal), directory_bytes(&fixture));
    fixture_close(&fixture);
}

static void a_million_facts_with_little_live_state_stay_small(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_folder(&fixture);
    fixture.options.segment_bytes_min = 128 << 10;
    open_journal(&fixture);
    append(&fixture, 2);
    uint64_t largest = 0;
    uint64_t snapshot_count = 0;
    for (uint64_t seq = 3; seq <= 1000000; seq++) {
        unsigned char payload[8] = {(unsigned char)seq};
        struct partial partial = {.range = {seq % MODEL_SLOTS, 1}, .size_bytes = sizeof payload};
        struct fact fact = {
            .kind = FACT_RESULT,
            .seq = seq,
            .as.result = {.work = WORK_RUN, .partial_count = 1, .partials = &partial},
        };
        journal_append(fixture.journal, &fact, payload, sizeof payload);
        fixture.model.last_seq = seq;
        partial.payload_seq = seq;
        fixture.model.slots[seq % MODEL_SLOTS] = partial;
        if (seq % 2000 == 0) {
            wait_durable(&fixture, seq);
            uint64_t size = journal_size_bytes(fixture.journal);
            largest = size > largest ? size : largest;
        }
        if (journal_wants_snapshot(fixture.journal)) {
            snapshot_count++;
            journal_model_snapshot(&fixture.model, fixture.journal);
        }
    }
    wait_durable(&fixture, 1000000);
    assert_true(snapshot_count > 10);
    assert_true(largest < 1 << 20);
    assert_true(directory_bytes(&fixture) < 1 << 20);
    for (size_t i = 0; i < MODEL_SLOTS; i++) {
        struct byte_writer bytes = {0};
        assert_int_equal(
            journal_read_payload(fixture.journal, &fixture.model.slots[i], &bytes, NULL), 0);
        assert_int_equal(bytes.data[0], fixture.model.slots[i].payload_seq & 0xff);
        byte_writer_close(&bytes);
    }
    close_journal(&fixture);
    fixture_close(&fixture);
}

static void snapshots_are_wanted_when_the_segment_has_grown(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_folder(&fixture);
    fixture.options.segment_bytes_min = 16 << 10;
    open_journal(&fixture);
    append_durably(&fixture, 10);
    assert_false(journal_wants_snapshot(fixture.journal));
    append_durably(&fixture, 2000);
    assert_true(journal_wants_snapshot(fixture.journal));
    take_snapshot(&fixture);
    assert_false(journal_wants_snapshot(fixture.journal));
    reopen_journal(&fixture);
    assert_false(journal_wants_snapshot(fixture.journal));
    fixture_close(&fixture);
}

static void a_snapshot_without_new_facts_is_passed_over(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    append(&fixture, 10);
    take_snapshot(&fixture);
    reopen_journal(&fixture);
    journal_model_snapshot(&fixture.model, fixture.journal);
    journal_model_snapshot(&fixture.model, fixture.journal);
    reopen_journal(&fixture);
    journal_model_snapshot(&fixture.model, fixture.journal);
    reopen_journal(&fixture);
    journal_model_check_complete(&fixture.model, 11);
    assert_int_equal(segment_count(&fixture), 2);
    fixture_close(&fixture);
}

static void another_jobs_journal_is_refused_and_left_alone(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    append(&fixture, 50);
    close_journal(&fixture);
    fixture.options.identity[0] = 99;
    struct sheaf_error error = {0};
    assert_int_equal(try_open(&fixture, &error), SHEAF_ERROR_IDENTITY);
    assert_non_null(strstr(error.text, "--dir"));
    assert_null(strstr(error.text, "--fresh"));
    assert_non_null(strstr(error.text, fixture.dir.text));
    assert_int_equal(fixture.model.first_seq, 0);
    fixture.options.identity[0] = 1;
    open_journal(&fixture);
    journal_model_check_complete(&fixture.model, 50);
    fixture_close(&fixture);
}

struct reader_run {
    const char *dir;
    const struct journal_model *model;
    pthread_mutex_t mutex;
    bool is_over;
    uint64_t scan_count;
    uint64_t damage_count;
    uint64_t last_seq;
};

static void count_fact(void *context, const struct fact *fact)
{
    struct reader_run *run = context;
    CHECK(fact->seq >= run->last_seq);
    run->last_seq = fact->seq;
}

static void count_damage(void *context, const struct journal_damage *damage)
{
    struct reader_run *run = context;
    if (strcmp(damage->text, "torn tail") != 0)
        run->damage_count++;
}

static void *scan_again_and_again(void *context)
{
    struct reader_run *run = context;
    uint64_t seen_seq = 0;
    bool is_over = false;
    while (!is_over) {
        pthread_mutex_lock(&run->mutex);
        is_over = run->is_over;
        pthread_mutex_unlock(&run->mutex);
        struct journal_recovery recovery = {
            .replay = count_fact, .damaged = count_damage, .context = run};
        run->last_seq = 0;
        CHECK(journal_scan(run->dir, &recovery, NULL) == 0);
        CHECK(recovery.last_seq >= seen_seq);
        seen_seq = recovery.last_seq;
        run->scan_count++;
    }
    return NULL;
}

static void a_scan_meanwhile_sees_no_damage_and_never_goes_back(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_folder(&fixture);
    fixture.options.segment_bytes_min = 4 << 10;
    open_journal(&fixture);
    struct reader_run run = {.dir = fixture.dir.text, .mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, scan_again_and_again, &run), 0);
    for (int i = 0; i < 300; i++) {
        append_durably(&fixture, 50);
        if (journal_wants_snapshot(fixture.journal))
            journal_model_snapshot(&fixture.model, fixture.journal);
    }
    pthread_mutex_lock(&run.mutex);
    run.is_over = true;
    pthread_mutex_unlock(&run.mutex);
    pthread_join(thread, NULL);
    assert_true(run.scan_count > 0);
    assert_int_equal(run.damage_count, 0);
    assert_int_equal(run.last_seq, 15000);
    fixture_close(&fixture);
}

static void verify_and_dump_tell_what_is_there(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    append(&fixture, 100);
    take_snapshot(&fixture);
    append(&fixture, 9);
    close_journal(&fixture);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(journal_verify(fixture.dir.text, out, NULL), 0);
    fflush(out);
    assert_non_null(strstr(text, "segment-0000000000000000.log: "));
    assert_non_null(strstr(text, "facts 1 to 100"));
    assert_non_null(strstr(text, "snapshot at 100"));
    assert_null(strstr(text, "damaged"));
    rewind(out);
    assert_int_equal(journal_dump(fixture.dir.text, out, NULL), 0);
    fclose(out);
    size_t line_count = 0;
    for (const char *line = text; (line = strchr(line, '\n')) != NULL; line++)
        line_count++;
    assert_int_equal(line_count, 1 + 3 + MODEL_SLOTS + 10);
    assert_memory_equal(text, "# ", 2);
    assert_memory_equal(strchr(text, '\n') + 1, "100 ", 4);
    free(text);
    fixture_close(&fixture);
}

static void reading_a_missing_journal_is_not_found(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path path = scratch_path(&scratch, "none");
    struct journal_model model;
    journal_model_init(&model);
    struct journal_recovery recovery = journal_model_recovery(&model);
    struct sheaf_error error = {0};
    assert_int_equal(journal_scan(path.text, &recovery, &error), SHEAF_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.text, path.text));
    assert_int_equal(journal_verify(path.text, stderr, NULL), SHEAF_ERROR_NOT_FOUND);
    journal_model_close(&model);
    scratch_remove(&scratch);
}

static void left_over_temporary_files_are_removed(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_journal(&fixture);
    append(&fixture, 5);
    close_journal(&fixture);
    char *path = segment_path(fixture.dir.text, 5, SEGMENT_SUFFIX_TEMPORARY);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    open_journal(&fixture);
    assert_int_equal(access(path, F_OK), -1);
    journal_model_check_complete(&fixture.model, 5);
    free(path);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_journal_is_empty),
        cmocka_unit_test(appended_facts_come_back_in_order),
        cmocka_unit_test(numbering_continues_over_many_openings),
        cmocka_unit_test(payloads_of_all_sizes_are_read_back),
        cmocka_unit_test(a_slice_of_a_payload_is_read),
        cmocka_unit_test(evicted_payloads_are_read_from_disk),
        cmocka_unit_test(wanted_facts_become_durable_before_the_interval),
        cmocka_unit_test(facts_become_durable_at_the_interval_unasked),
        cmocka_unit_test(facts_are_written_before_they_are_synced),
        cmocka_unit_test(a_full_queue_is_congested_until_it_is_written),
        cmocka_unit_test(a_rotation_keeps_the_state_and_drops_old_segments),
        cmocka_unit_test(live_payloads_outlive_their_segments),
        cmocka_unit_test(large_live_payloads_stay_in_their_segment),
        cmocka_unit_test(a_million_facts_with_little_live_state_stay_small),
        cmocka_unit_test(snapshots_are_wanted_when_the_segment_has_grown),
        cmocka_unit_test(a_snapshot_without_new_facts_is_passed_over),
        cmocka_unit_test(another_jobs_journal_is_refused_and_left_alone),
        cmocka_unit_test(a_scan_meanwhile_sees_no_damage_and_never_goes_back),
        cmocka_unit_test(verify_and_dump_tell_what_is_there),
        cmocka_unit_test(reading_a_missing_journal_is_not_found),
        cmocka_unit_test(left_over_temporary_files_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
