/* test_edit.c - an edited list keeps what was done, by content, and a crash on the way harms
 * nothing.
 */
#include "../../runtime/run_open.h"

#include "../../jobs/command_record.h"
#include "../../jobs/split.h"
#include "../../runtime/input_store.h"
#include "../../runtime/journal.h"
#include "../../runtime/kept_results.h"
#include "../../runtime/run_identity.h"
#include "../../scheduler/memory.h"
#include "../../scheduler/state.h"
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a process that ends before its nth change of a directory, or its nth sync ---- */

enum { EXIT_CRASHED = 99 };

static int calls_to_live = -1; /* -1: for ever */

static void count_call(void)
{
    if (calls_to_live > 0 && __atomic_sub_fetch(&calls_to_live, 1, __ATOMIC_SEQ_CST) == 0)
        _exit(EXIT_CRASHED);
}

/* These take the place of the C library's. */
int rename(const char *from, const char *to)
{
    count_call();
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int fsync(int descriptor)
{
    count_call();
    return (int)syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor)
{
    count_call();
    return (int)syscall(SYS_fdatasync, descriptor);
}

int mkdir(const char *path, mode_t mode)
{
    count_call();
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int remove(const char *path)
{
    count_call();
    if (syscall(SYS_unlinkat, AT_FDCWD, path, 0) == 0)
        return 0;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

/* ---- runs ---- */

struct fixture {
    struct scratch scratch;
    struct scratch_path list;
    struct scratch_path dir;
    struct run_options options;
    struct sheaf_error error;
};

static void given_fixture(struct fixture *fixture)
{
    *fixture = (struct fixture){.scratch = given_scratch()};
    fixture->list = scratch_path(&fixture->scratch, "list");
    fixture->dir = scratch_path(&fixture->scratch, "run.sheaf");
    fixture->options.dir = fixture->dir.text;
}

/* A job of `command`, or of command lines when that is NULL, for the lines of the list. */
static struct job job_of(struct fixture *fixture, const char *command, const char *lines)
{
    scratch_write(&fixture->scratch, "list", lines, strlen(lines));
    const struct job_command_line line = {
        .text = command, .list_path = fixture->list.text, .name = "run"};
    struct job job;
    assert_int_equal(job_read_command_line(&line, &job, &fixture->error), 0);
    return job;
}

static void put_result(struct journal *journal, uint64_t seq, uint64_t task,
                       struct byte_reader input)
{
    struct byte_writer writer = {0};
    struct command_record record = {.task = task,
                                    .command = (const char *)input.data,
                                    .command_bytes = input.size,
                                    .out = input.data,
                                    .out_bytes = input.size};
    command_record_put_head(&record, &writer);
    byte_writer_put(&writer, record.out, record.out_bytes);
    const struct partial partial = {.range = {task, 1}, .size_bytes = writer.size};
    const struct fact fact = {
        .kind = FACT_RESULT,
        .seq = seq,
        .as.result = {.worker = 1, .work = WORK_RUN, .partial_count = 1, .partials = &partial}};
    journal_append(journal, &fact, writer.data, writer.size);
    byte_writer_close(&writer);
}

static void ignore(void *context, const struct fact *fact)
{
    (void)context;
    (void)fact;
}

static struct journal *open_journal(struct fixture *fixture, const struct job *job)
{
    char *path = run_directory_join(fixture->dir.text, "journal");
    struct journal_options options = {
        .dir = path, .disk = disk_system(), .sync_interval_ns = 1000000000, .wake_descriptor = -1};
    struct journal_recovery recovery = {.replay = ignore};
    struct journal *journal;
    assert_int_equal(job_identity(job, options.identity, NULL), 0);
    assert_int_equal(journal_open(&options, &recovery, &journal, &fixture->error), 0);
    free(path);
    return journal;
}

/* What a run leaves that was stopped when the tasks with a bit in `done` had succeeded, and those
 * with one in `failed` had failed for good. Each writes its line. */
static void run_until(struct fixture *fixture, const struct job *job, unsigned done,
                      unsigned failed)
{
    struct run_opening opening = {.options = &fixture->options, .job = job};
    struct run_directory *directory;
    assert_int_equal(run_open(&opening, &directory, &fixture->error), 0);
    struct input_writer *writer;
    struct split_walk *walk;
    struct byte_reader input;
    assert_int_equal(input_writer_create(fixture->dir.text, &writer, NULL), 0);
    assert_int_equal(split_walk_create(&job->split, &walk, NULL), 0);
    while (split_walk_next(walk, &input, NULL) == 1)
        input_writer_add(writer, input.data, input.size, NULL);
    split_walk_destroy(walk);
    struct fact fact = {.kind = FACT_JOB_ACCEPTED, .seq = 1};
    fact.as.job_accepted.task_count = input_writer_task_count(writer);
    assert_int_equal(input_writer_finish(writer, &fact.as.job_accepted.input_bytes,
                                         &fact.as.job_accepted.input_crc, NULL),
                     0);
    input_writer_destroy(writer);
    struct journal *journal = open_journal(fixture, job);
    journal_append(journal, &fact, NULL, 0);
    uint64_t seq = 1;
    assert_int_equal(split_walk_create(&job->split, &walk, NULL), 0);
    for (uint64_t task = 0; split_walk_next(walk, &input, NULL) == 1; task++) {
        const struct fact end = {
            .kind = FACT_ATTEMPT_FAILED,
            .seq = seq + 1,
            .as.attempt_failed = {
                .work = WORK_RUN, .range = {task, 1}, .cause = CAUSE_EXIT, .is_final = true}};
        if ((done >> task & 1) != 0)
            put_result(journal, ++seq, task, input);
        else if ((failed >> task & 1) != 0)
            journal_append(journal, &end, NULL, 0), seq++;
    }
    split_walk_destroy(walk);
    assert_int_equal(journal_close(journal, &fixture->error), 0);
    run_directory_close(directory);
}

static void apply(void *context, const struct fact *fact)
{
    state_apply(context, fact);
}

static void expect_record(struct byte_reader *reader, uint64_t task, struct byte_reader input)
{
    struct command_record record;
    assert_true(command_record_get(reader, &record));
    assert_int_equal(record.task, task);
    assert_int_equal(record.out_bytes, input.size);
    if (input.size > 0)
        assert_memory_equal(record.out, input.data, input.size);
}

/* The tasks of the run that are done, as bits. Each holds what its own line has written. */
static unsigned done_in(struct fixture *fixture, const struct job *job)
{
    char *path = run_directory_join(fixture->dir.text, "journal");
    struct state *state = state_create();
    struct journal_recovery recovery = {.replay = apply, .context = state};
    struct journal_view *view;
    assert_int_equal(journal_view_open(path, &recovery, &view, &fixture->error), 0);
    const struct fact_job_accepted *accepted = state_job(state);
    assert_non_null(accepted);
    struct input_store *store;
    if (input_store_open(fixture->dir.text, accepted->task_count, accepted->input_bytes,
                         accepted->input_crc, &store, &fixture->error) != 0)
        fail_msg("%s", fixture->error.text);
    input_store_close(store);
    unsigned done = 0;
    struct split_walk *walk;
    struct byte_reader input;
    struct byte_writer bytes = {0};
    assert_int_equal(split_walk_create(&job->split, &walk, NULL), 0);
    assert_int_equal(split_walk_task_count(walk), accepted->task_count);
    struct byte_reader reader = {0};
    for (uint64_t task = 0; split_walk_next(walk, &input, NULL) == 1; task++) {
        const struct partial *partial = state_find_partial(state, task);
        if (partial == NULL || partial->range.first > task || partial->is_absent)
            continue;
        if (partial->range.first == task) {
            byte_writer_clear(&bytes);
            assert_int_equal(journal_view_read(view, partial, &bytes, &fixture->error), 0);
            reader = byte_reader_of(bytes.data, bytes.size);
        }
        expect_record(&reader, task, input);
        done |= 1U << task;
    }
    split_walk_destroy(walk);
    byte_writer_close(&bytes);
    journal_view_close(view);
    state_destroy(state);
    free(path);
    return done;
}

/* Opens the run for the job: its list may be another one than before. */
static struct edit_counts opened(struct fixture *fixture, const struct job *job)
{
    struct run_opening opening = {.options = &fixture->options, .job = job};
    struct run_directory *directory;
    if (run_open(&opening, &directory, &fixture->error) != 0)
        fail_msg("%s", fixture->error.text);
    run_directory_close(directory);
    return opening.counts;
}

/* ---- tests ---- */

static void done_lines_stay_done_wherever_they_are(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    struct job old = job_of(&fixture, NULL, "a\nb\nc\nd\ne\n");
    run_until(&fixture, &old, 0x16, 0x8); /* b, c and e are done, d has failed */
    job_close(&old);
    struct job fresh = job_of(&fixture, NULL, "# new\ne\nx\nd\nb\n\ny\na\n");
    struct edit_counts counts = opened(&fixture, &fresh);
    assert_int_equal(done_in(&fixture, &fresh), 0x9);
    assert_int_equal(counts.task_count, 6);
    assert_int_equal(counts.kept_count, 2);
    assert_int_equal(counts.gone_count, 1);
    job_close(&fresh);
    scratch_remove(&fixture.scratch);
}

static void nth_of_equal_lines_stays_the_nth(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    struct job old = job_of(&fixture, NULL, "a\na\nb\na\n");
    run_until(&fixture, &old, 0xa, 0); /* the second and the third a */
    job_close(&old);
    struct job fresh = job_of(&fixture, NULL, "b\na\na\na\na\n");
    opened(&fixture, &fresh);
    assert_int_equal(done_in(&fixture, &fresh), 0xc);
    job_close(&fresh);
    fresh = job_of(&fixture, NULL, "a\na\n");
    opened(&fixture, &fresh);
    assert_int_equal(done_in(&fixture, &fresh), 0x2);
    job_close(&fresh);
    scratch_remove(&fixture.scratch);
}

static void place_counts_where_the_command_knows_it(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    struct job old = job_of(&fixture, "f {#} {}", "a\nb\nc\n");
    run_until(&fixture, &old, 0x7, 0);
    job_close(&old);
    struct job fresh = job_of(&fixture, "f {#} {}", "a\nc\nb\nd\n");
    opened(&fixture, &fresh);
    assert_int_equal(done_in(&fixture, &fresh), 0x1);
    job_close(&fresh);
    scratch_remove(&fixture.scratch);
}

static void another_command_is_another_job(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    struct job old = job_of(&fixture, "f {}", "a\nb\n");
    run_until(&fixture, &old, 0x3, 0);
    job_close(&old);
    struct job fresh = job_of(&fixture, "g {}", "a\nb\n");
    struct run_opening opening = {.options = &fixture.options, .job = &fresh};
    struct run_directory *directory;
    assert_int_equal(run_open(&opening, &directory, &fixture.error), SHEAF_ERROR_IDENTITY);
    assert_int_equal(done_in(&fixture, &fresh), 0x3);
    job_close(&fresh);
    scratch_remove(&fixture.scratch);
}

static void changed_file_is_another_input(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    scratch_write(&fixture.scratch, "in.a", "1", 1);
    scratch_write(&fixture.scratch, "in.b", "1", 1);
    struct scratch_path pattern = scratch_path(&fixture.scratch, "in.*");
    const char *const patterns[] = {pattern.text};
    const struct job_command_line line = {
        .text = "f {}", .name = "run", .patterns = patterns, .pattern_count = 1};
    struct job job;
    assert_int_equal(job_read_command_line(&line, &job, &fixture.error), 0);
    run_until(&fixture, &job, 0x3, 0);
    scratch_write(&fixture.scratch, "in.a", "22", 2);
    scratch_write(&fixture.scratch, "in.c", "1", 1);
    opened(&fixture, &job);
    assert_int_equal(done_in(&fixture, &job), 0x2);
    job_close(&job);
    scratch_remove(&fixture.scratch);
}

static void results_of_gone_lines_come_back(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    struct job old = job_of(&fixture, NULL, "a\nb\nc\na\n");
    run_until(&fixture, &old, 0xf, 0);
    struct job fresh = job_of(&fixture, NULL, "x\nc\n");
    struct edit_counts counts = opened(&fixture, &fresh);
    assert_int_equal(done_in(&fixture, &fresh), 0x2);
    assert_int_equal(counts.gone_count, 3);
    job_close(&fresh);
    fresh = job_of(&fixture, NULL, "b\na\na\na\nc\n");
    counts = opened(&fixture, &fresh);
    assert_int_equal(done_in(&fixture, &fresh), 0x17);
    assert_int_equal(counts.returned_count, 3);
    assert_int_equal(counts.kept_count, 4);
    job_close(&fresh);
    job_close(&old);
    scratch_remove(&fixture.scratch);
}

static void pruned_results_do_not_come_back(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    struct job old = job_of(&fixture, NULL, "a\nb\n");
    run_until(&fixture, &old, 0x3, 0);
    job_close(&old);
    fixture.options.is_pruned = true;
    struct job fresh = job_of(&fixture, NULL, "b\n");
    opened(&fixture, &fresh);
    job_close(&fresh);
    fixture.options.is_pruned = false;
    fresh = job_of(&fixture, NULL, "a\nb\n");
    opened(&fixture, &fresh);
    assert_int_equal(done_in(&fixture, &fresh), 0x2);
    job_close(&fresh);
    scratch_remove(&fixture.scratch);
}

static void damaged_kept_results_run_again(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    struct job old = job_of(&fixture, NULL, "a\nb\nc\n");
    run_until(&fixture, &old, 0x7, 0);
    job_close(&old);
    struct job fresh = job_of(&fixture, NULL, "c\n");
    opened(&fixture, &fresh);
    job_close(&fresh);
    char *path = run_directory_join(fixture.dir.text, KEPT_RESULTS_NAME);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0); /* in the last record, that of b */
    assert_int_equal(fputc('x', file), 'x');
    assert_int_equal(fclose(file), 0);
    free(path);
    fresh = job_of(&fixture, NULL, "a\nb\nc\n");
    opened(&fixture, &fresh);
    assert_int_equal(done_in(&fixture, &fresh), 0x5);
    job_close(&fresh);
    scratch_remove(&fixture.scratch);
}

static void expect_refused(struct fixture *fixture, const char *lines, const char *text)
{
    struct job job = job_of(fixture, NULL, lines);
    struct run_opening opening = {.options = &fixture->options, .job = &job};
    struct run_directory *directory;
    assert_int_equal(run_open(&opening, &directory, &fixture->error), SHEAF_ERROR_IDENTITY);
    assert_non_null(strstr(fixture->error.text, text));
    char *next = run_directory_join(fixture->dir.text, "next.partial");
    assert_int_not_equal(access(next, F_OK), 0);
    free(next);
    job_close(&job);
}

static void list_that_would_take_all_away_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    struct job old = job_of(&fixture, NULL, "a\nb\n");
    run_until(&fixture, &old, 0x1, 0);
    expect_refused(&fixture, "", "the list is empty");
    expect_refused(&fixture, "c\n", "nothing in common");
    job_close(&old);
    old = job_of(&fixture, NULL, "a\nb\n");
    assert_int_equal(done_in(&fixture, &old), 0x1);
    job_close(&old);
    fixture.options.is_forced = true;
    struct job fresh = job_of(&fixture, NULL, "c\n");
    opened(&fixture, &fresh);
    job_close(&fresh);
    fixture.options.is_forced = false;
    old = job_of(&fixture, NULL, "a\nb\n");
    opened(&fixture, &old);
    assert_int_equal(done_in(&fixture, &old), 0x1);
    job_close(&old);
    scratch_remove(&fixture.scratch);
}

/* Opens the run in a process that may end early. True when it did. */
static bool crashes(struct fixture *fixture, const struct job *job, int call)
{
    pid_t child = fork();
    if (child == 0) {
        struct run_opening opening = {.options = &fixture->options, .job = job};
        struct run_directory *directory;
        calls_to_live = call;
        int code = run_open(&opening, &directory, &fixture->error);
        _exit(code == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EXIT_CRASHED);
    return WEXITSTATUS(status) == EXIT_CRASHED;
}

static void crash_leaves_the_old_run_or_the_new_one(void **state)
{
    (void)state;
    bool was_crashed = true;
    int crash_count = 0;
    for (int call = 1; was_crashed; call++) {
        struct fixture fixture;
        given_fixture(&fixture);
        struct job old = job_of(&fixture, NULL, "a\nb\nc\nd\n");
        run_until(&fixture, &old, 0x7, 0);
        job_close(&old);
        struct job fresh = job_of(&fixture, NULL, "x\nc\na\n");
        was_crashed = crashes(&fixture, &fresh, call);
        crash_count += was_crashed;
        if (call % 2 == 0) {
            job_close(&fresh);
            fresh = job_of(&fixture, NULL, "a\nb\nc\nd\n");
            opened(&fixture, &fresh);
            unsigned done = done_in(&fixture, &fresh);
            if (done != 0x7)
                fail_msg("crash at call %d: tasks %#x are done in the old list", call, done);
        } else {
            opened(&fixture, &fresh);
            unsigned done = done_in(&fixture, &fresh);
            if (done != 0x6)
                fail_msg("crash at call %d: tasks %#x are done in the new list", call, done);
        }
        job_close(&fresh);
        scratch_remove(&fixture.scratch);
    }
    assert_true(crash_count > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(done_lines_stay_done_wherever_they_are),
        cmocka_unit_test(nth_of_equal_lines_stays_the_nth),
        cmocka_unit_test(place_counts_where_the_command_knows_it),
        cmocka_unit_test(another_command_is_another_job),
        cmocka_unit_test(changed_file_is_another_input),
        cmocka_unit_test(results_of_gone_lines_come_back),
        cmocka_unit_test(pruned_results_do_not_come_back),
        cmocka_unit_test(damaged_kept_results_run_again),
        cmocka_unit_test(list_that_would_take_all_away_is_refused),
        cmocka_unit_test(crash_leaves_the_old_run_or_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
