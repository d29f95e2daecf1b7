/* test_journal_faults.c - the disk fails, fills up, or loses what was not synced: what the journal
 * called durable is there afterwards. */
#include "disk_fake.h"
#include "disk_unsynced.h"
#include "journal_fixture.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    CALLS_MAX = 1000,
    GROUPS = 10,
    GROUP_FACTS = 4,
    SNAPSHOT_SEQ = GROUPS * GROUP_FACTS + 3 * (GROUPS / 2), /* of the workload's last snapshot */
};

static void given_faulty_folder(struct journal_fixture *fixture, struct disk_fake **fake)
{
    given_folder(fixture);
    fixture->model.payload_bytes_max = 3000;
    *fake = disk_fake_create(fixture->dir.text);
    fixture->options.disk = disk_fake_disk(*fake);
}

/* Several syncs and rotations, as far as the disk lets it. Returns what is durable. */
static uint64_t run_workload(struct journal_fixture *fixture)
{
    for (int i = 0; i < GROUPS; i++) {
        append(fixture, GROUP_FACTS);
        wait_durable(fixture, fixture->model.last_seq);
        if (i % 2 == 1) {
            append(fixture, 3); /* not known to be durable when the snapshot is taken */
            journal_model_snapshot(&fixture->model, fixture->journal);
        }
    }
    append(fixture, 1);
    wait_durable(fixture, fixture->model.last_seq);
    return journal_durable_seq(fixture->journal);
}

/* Opens on a sound disk: all facts are there up to some point, which is not before durable_seq;
 * and the journal is good for more. */
static void check_afterwards(struct journal_fixture *fixture, uint64_t durable_seq)
{
    fixture->options.disk = disk_unsynced();
    open_journal(fixture);
    struct journal_model *model = &fixture->model;
    assert_true(model->last_seq >= durable_seq);
    assert_int_equal(model->gap_count, 0);
    assert_int_equal(model->damage_count, 0);
    journal_model_check_complete(model, model->last_seq);
    assert_int_equal(journal_model_check_payloads(model, fixture->journal), 0);
    uint64_t last_seq = model->last_seq;
    append(fixture, 5);
    reopen_journal(fixture);
    journal_model_check_complete(model, last_seq + 5);
}

/* One fault in a run: at the nth of `calls`. False when there are no as many. */
struct fault {
    unsigned int calls;
    uint64_t nth;
    int errno_value;
    bool is_lasting;
};

static bool run_with_fault(struct journal_fixture *fixture, const struct fault *fault,
                           struct sheaf_error *failure)
{
    struct disk_fake *fake;
    given_faulty_folder(fixture, &fake);
    open_journal(fixture);
    disk_fake_fail(fake, fault->calls, fault->nth, fault->errno_value, fault->is_lasting);
    uint64_t durable_seq = run_workload(fixture);
    *failure = (struct sheaf_error){0};
    int code = journal_close(fixture->journal, failure);
    assert_int_equal(code, failure->code);
    bool has_failed = disk_fake_has_failed(fake);
    check_afterwards(fixture, durable_seq);
    disk_fake_destroy(fake);
    return has_failed;
}

static void a_full_disk_stops_the_journal_and_costs_nothing_durable(void **state)
{
    (void)state;
    uint64_t nth = 1;
    bool has_failed = true;
    for (; has_failed && nth < CALLS_MAX; nth++) {
        struct journal_fixture fixture;
        struct fault fault = {DISK_WRITE, nth, ENOSPC, true};
        struct sheaf_error failure;
        has_failed = run_with_fault(&fixture, &fault, &failure);
        assert_int_equal(failure.code, has_failed ? SHEAF_ERROR_DISK_FULL : 0);
        if (has_failed) {
            assert_non_null(strstr(failure.text, fixture.dir.text));
            assert_non_null(strstr(failure.text, "free some space"));
            assert_non_null(strstr(failure.text, strerror(ENOSPC)));
        }
        fixture_close(&fixture);
    }
    assert_true(nth > GROUPS && nth < CALLS_MAX);
}

static void a_disk_that_fills_in_the_middle_of_a_write_costs_nothing_durable(void **state)
{
    (void)state;
    for (uint64_t space = 0; space < 60000; space += 1500) {
        struct journal_fixture fixture;
        struct disk_fake *fake;
        given_faulty_folder(&fixture, &fake);
        open_journal(&fixture);
        disk_fake_limit_space(fake, space);
        uint64_t durable_seq = run_workload(&fixture);
        assert_int_equal(journal_close(fixture.journal, NULL), SHEAF_ERROR_DISK_FULL);
        check_afterwards(&fixture, durable_seq);
        fixture_close(&fixture);
        disk_fake_destroy(fake);
    }
}

/* A second sync would succeed: it must not be tried. */
static void after_a_failed_sync_nothing_becomes_durable(void **state)
{
    (void)state;
    static const unsigned int syncs[] = {DISK_DATASYNC, DISK_SYNC_DIRECTORY};
    for (size_t i = 0; i < 2; i++) {
        uint64_t nth = 1;
        bool has_failed = true;
        for (; has_failed && nth < CALLS_MAX; nth++) {
            struct journal_fixture fixture;
            struct fault fault = {syncs[i], nth, EIO, false};
            struct sheaf_error failure;
            has_failed = run_with_fault(&fixture, &fault, &failure);
            assert_int_equal(failure.code, has_failed ? SHEAF_ERROR_IO : 0);
            fixture_close(&fixture);
        }
        assert_true(nth > 3 && nth < CALLS_MAX);
    }
}

static void failing_renames_and_opens_stop_the_journal(void **state)
{
    (void)state;
    static const unsigned int calls[] = {DISK_RENAME, DISK_OPEN};
    for (size_t i = 0; i < 2; i++) {
        uint64_t nth = 1;
        bool has_failed = true;
        for (; has_failed && nth < CALLS_MAX; nth++) {
            struct journal_fixture fixture;
            struct fault fault = {calls[i], nth, EACCES, false};
            struct sheaf_error failure;
            has_failed = run_with_fault(&fixture, &fault, &failure);
            assert_int_equal(failure.code, has_failed ? SHEAF_ERROR_PERMISSION : 0);
            fixture_close(&fixture);
        }
        assert_true(nth > 3 && nth < CALLS_MAX);
    }
}

static void failing_removals_stop_nothing(void **state)
{
    (void)state;
    for (int is_lasting = 0; is_lasting < 2; is_lasting++) {
        struct journal_fixture fixture;
        struct fault fault = {DISK_UNLINK, 1, EIO, is_lasting == 1};
        struct sheaf_error failure;
        assert_true(run_with_fault(&fixture, &fault, &failure));
        assert_int_equal(failure.code, 0);
        fixture_close(&fixture);
    }
}

static void short_writes_are_continued(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct disk_fake *fake;
    given_faulty_folder(&fixture, &fake);
    disk_fake_shorten_writes(fake, 7);
    open_journal(&fixture);
    uint64_t durable_seq = run_workload(&fixture);
    assert_int_equal(durable_seq, SNAPSHOT_SEQ + 1);
    assert_int_equal(journal_close(fixture.journal, NULL), 0);
    check_afterwards(&fixture, durable_seq);
    fixture_close(&fixture);
    disk_fake_destroy(fake);
}

/* A journal with a torn tail, to be opened on a disk that fails. */
static void given_torn_journal(struct journal_fixture *fixture, struct disk_fake **fake)
{
    given_folder(fixture);
    fixture->model.payload_bytes_max = 3000;
    fixture->options.disk = disk_unsynced();
    open_journal(fixture);
    run_workload(fixture);
    append(fixture, 10);
    close_journal(fixture);
    char *path;
    CHECK(asprintf(&path, "%s/segment-%016x.log", fixture->dir.text, SNAPSHOT_SEQ) > 0);
    struct stat status;
    CHECK(stat(path, &status) == 0 && truncate(path, status.st_size - 20) == 0);
    free(path);
    *fake = disk_fake_create(fixture->dir.text);
    fixture->options.disk = disk_fake_disk(*fake);
}

/* Tries to open with the nth of `calls` failing. A refusal has a text and changes nothing. False
 * when there are no as many calls. */
static bool open_with_fault(struct journal_fixture *fixture, struct disk_fake *fake,
                            const struct fault *fault)
{
    disk_fake_fail(fake, fault->calls, fault->nth, fault->errno_value, fault->is_lasting);
    struct sheaf_error error = {0};
    int code = try_open(fixture, &error);
    bool has_failed = disk_fake_has_failed(fake);
    assert_true(code == 0 || has_failed);
    assert_true(code == 0 || (code == error.code && strstr(error.text, fixture->dir.text)));
    if (code == 0)
        assert_int_equal(journal_close(fixture->journal, NULL), 0);
    fixture->journal = NULL;
    return has_failed;
}

static void a_torn_journal_opens_after_any_fault_while_opening(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {DISK_OPEN, 0, EMFILE, false}, {DISK_PREAD, 0, EIO, false},
        {DISK_PREAD, 0, EIO, true},    {DISK_TRUNCATE, 0, EIO, true},
        {DISK_DATASYNC, 0, EIO, true}, {DISK_SYNC_DIRECTORY, 0, EIO, true},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct fault fault = faults[i];
        bool has_failed = true;
        for (fault.nth = 1; has_failed && fault.nth < CALLS_MAX; fault.nth++) {
            struct journal_fixture fixture;
            struct disk_fake *fake;
            given_torn_journal(&fixture, &fake);
            has_failed = open_with_fault(&fixture, fake, &fault);
            check_afterwards(&fixture, SNAPSHOT_SEQ + 1);
            fixture_close(&fixture);
            disk_fake_destroy(fake);
        }
    }
}

static void a_new_journal_is_made_after_any_fault_while_making_it(void **state)
{
    (void)state;
    bool has_failed = true;
    for (uint64_t nth = 1; has_failed && nth < CALLS_MAX; nth++) {
        struct journal_fixture fixture;
        struct disk_fake *fake;
        given_faulty_folder(&fixture, &fake);
        struct fault fault = {DISK_ALL, nth, EROFS, true};
        has_failed = open_with_fault(&fixture, fake, &fault);
        check_afterwards(&fixture, 0);
        fixture_close(&fixture);
        disk_fake_destroy(fake);
    }
}

/* All reads fail: that is no few bad bytes, and nothing may be cut for it. */
static void an_unreadable_journal_is_refused_and_left_alone(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct disk_fake *fake;
    given_torn_journal(&fixture, &fake);
    disk_fake_fail(fake, DISK_PREAD, 1, EIO, true);
    struct sheaf_error error = {0};
    assert_int_equal(try_open(&fixture, &error), SHEAF_ERROR_IO);
    assert_non_null(strstr(error.text, fixture.dir.text));
    check_afterwards(&fixture, SNAPSHOT_SEQ + 1);
    fixture_close(&fixture);
    disk_fake_destroy(fake);
}

/* The disk stops reading while the journal is opened, a run goes on all the same, and later all can
 * be read again: neither what was there nor what came is lost. */
static void what_cannot_be_read_is_not_cut(void **state)
{
    (void)state;
    bool has_failed = true;
    uint64_t opened_count = 0;
    for (uint64_t nth = 1; has_failed && nth < CALLS_MAX; nth++) {
        struct journal_fixture fixture;
        struct disk_fake *fake;
        given_torn_journal(&fixture, &fake);
        disk_fake_fail(fake, DISK_PREAD, nth, EIO, true);
        int code = try_open(&fixture, NULL);
        has_failed = disk_fake_has_failed(fake);
        assert_true(code == 0 || code == SHEAF_ERROR_IO);
        uint64_t last_seq = 0;
        if (code == 0) {
            opened_count++;
            append(&fixture, 30);
            last_seq = fixture.model.last_seq;
            close_journal(&fixture);
        }
        disk_fake_fail(fake, 0, 0, 0, false);
        open_journal(&fixture);
        assert_true(fixture.model.last_seq >= last_seq);
        assert_true(code != 0 || fixture.model.fact_count >= 31);
        assert_true(fixture.model.first_gap_seq == 0 ||
                    fixture.model.first_gap_seq > SNAPSHOT_SEQ + 1);
        assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
        fixture_close(&fixture);
        disk_fake_destroy(fake);
    }
    assert_true(opened_count > 2);
}

static void a_read_only_directory_is_a_clear_error(void **state)
{
    (void)state;
    static const struct fault faults[] = {{DISK_OPEN, 1, EACCES, true},
                                          {DISK_CHANGING, 1, EROFS, true}};
    for (size_t i = 0; i < 2; i++) {
        struct journal_fixture fixture;
        struct disk_fake *fake;
        given_torn_journal(&fixture, &fake);
        disk_fake_fail(fake, faults[i].calls, 1, faults[i].errno_value, true);
        struct sheaf_error error = {0};
        assert_int_equal(try_open(&fixture, &error), SHEAF_ERROR_PERMISSION);
        assert_non_null(strstr(error.text, fixture.dir.text));
        check_afterwards(&fixture, SNAPSHOT_SEQ + 1);
        fixture_close(&fixture);
        disk_fake_destroy(fake);
    }
}

static uint64_t test_seed(void)
{
    const char *text = getenv("SHEAF_TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    print_message("# SHEAF_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

/* Moves on to the folder that a crash left behind. */
static void crash(struct journal_fixture *fixture, struct disk_fake *fake, uint64_t seed, int life)
{
    char name[32];
    snprintf(name, sizeof name, "life-%d", life);
    fixture->dir = scratch_path(&fixture->scratch, name);
    disk_fake_survive(fake, fixture->dir.text, seed);
}

/* Opened after a crash: everything durable is there. Of what was not, blocks may be missing before
 * others that are there; then that is told. */
static void check_after_crash(const struct journal_fixture *fixture, uint64_t durable_seq)
{
    const struct journal_model *model = &fixture->model;
    assert_true(model->last_seq >= durable_seq);
    assert_true(model->first_gap_seq == 0 || model->first_gap_seq > durable_seq);
    assert_true((model->damage_count > 0) == (model->gap_count > 0));
    if (model->gap_count == 0)
        journal_model_check_complete(model, model->last_seq);
    assert_int_equal(journal_model_check_payloads(model, fixture->journal), 0);
}

static void a_crash_at_any_call_costs_nothing_durable(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    bool has_crashed = true;
    uint64_t nth = 1;
    for (; has_crashed && nth < CALLS_MAX; nth++) {
        struct journal_fixture fixture;
        struct disk_fake *fake;
        given_faulty_folder(&fixture, &fake);
        disk_fake_crash(fake, nth);
        uint64_t durable_seq = 0;
        if (try_open(&fixture, NULL) == 0) {
            durable_seq = run_workload(&fixture);
            journal_close(fixture.journal, NULL);
        }
        has_crashed = disk_fake_has_failed(fake);
        fixture.options.disk = disk_unsynced();
        for (int life = 0; life < 4; life++) {
            crash(&fixture, fake, seed + nth * 1000 + (uint64_t)life, life);
            open_journal(&fixture);
            check_after_crash(&fixture, durable_seq);
            close_journal(&fixture);
        }
        fixture_close(&fixture);
        disk_fake_destroy(fake);
    }
    assert_true(nth > 2 * GROUPS && nth < CALLS_MAX);
}

/* Each life goes on from what the crash of the one before left. */
static void crash_after_crash_costs_nothing_durable(void **state)
{
    (void)state;
    uint64_t seed = test_seed();
    struct journal_fixture fixture;
    struct disk_fake *fake;
    given_faulty_folder(&fixture, &fake);
    uint64_t durable_seq = 0;
    bool had_gap = false;
    for (int life = 1; life <= 60; life++) {
        disk_fake_crash(fake, 1 + (seed * 31 + (uint64_t)life * 17) % 45);
        if (try_open(&fixture, NULL) == 0) {
            had_gap |= fixture.model.gap_count > 0;
            assert_true(fixture.model.last_seq >= durable_seq);
            if (!had_gap)
                journal_model_check_complete(&fixture.model, fixture.model.last_seq);
            if (!disk_fake_has_failed(fake))
                assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
            uint64_t reached = run_workload(&fixture);
            durable_seq = reached > durable_seq ? reached : durable_seq;
            journal_close(fixture.journal, NULL);
        }
        crash(&fixture, fake, seed + (uint64_t)life, life);
        disk_fake_destroy(fake);
        fake = disk_fake_create(fixture.dir.text);
        fixture.options.disk = disk_fake_disk(fake);
    }
    assert_true(durable_seq > 100);
    fixture.journal = NULL;
    fixture_close(&fixture);
    disk_fake_destroy(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_stops_the_journal_and_costs_nothing_durable),
        cmocka_unit_test(a_disk_that_fills_in_the_middle_of_a_write_costs_nothing_durable),
        cmocka_unit_test(after_a_failed_sync_nothing_becomes_durable),
        cmocka_unit_test(failing_renames_and_opens_stop_the_journal),
        cmocka_unit_test(failing_removals_stop_nothing),
        cmocka_unit_test(short_writes_are_continued),
        cmocka_unit_test(a_torn_journal_opens_after_any_fault_while_opening),
        cmocka_unit_test(a_new_journal_is_made_after_any_fault_while_making_it),
        cmocka_unit_test(an_unreadable_journal_is_refused_and_left_alone),
        cmocka_unit_test(what_cannot_be_read_is_not_cut),
        cmocka_unit_test(a_read_only_directory_is_a_clear_error),
        cmocka_unit_test(a_crash_at_any_call_costs_nothing_durable),
        cmocka_unit_test(crash_after_crash_costs_nothing_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
