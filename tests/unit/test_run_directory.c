/* test_run_directory.c - the run directory is made, locked, recognized and cleared. */
#include "../../runtime/run_directory.h"
#include "../../runtime/status.h"
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

struct fixture {
    struct scratch scratch;
    struct scratch_path path;
    struct run_directory_options options;
    struct run_directory *directory;
    struct sheaf_error error;
};

static void given_fixture(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    fixture->scratch = given_scratch();
    fixture->path = scratch_path(&fixture->scratch, "job.sheaf");
    fixture->options.path = fixture->path.text;
    fixture->options.job_name = "job";
    memset(fixture->options.identity, 7, sizeof fixture->options.identity);
}

static void fixture_close(struct fixture *fixture)
{
    run_directory_close(fixture->directory);
    scratch_remove(&fixture->scratch);
}

static void open_again(struct fixture *fixture)
{
    run_directory_close(fixture->directory);
    fixture->directory = NULL;
    if (run_directory_open(&fixture->options, &fixture->directory, &fixture->error) != 0)
        fail_msg("%s", fixture->error.text);
}

static void assert_refused(struct fixture *fixture, int code, const char *text)
{
    struct run_directory *untouched = NULL;
    assert_int_equal(run_directory_open(&fixture->options, &untouched, &fixture->error), code);
    assert_null(untouched);
    if (strstr(fixture->error.text, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, fixture->error.text);
}

static bool is_there(const struct fixture *fixture, const char *name)
{
    char *path = run_directory_join(fixture->path.text, name);
    bool is_found = access(path, F_OK) == 0;
    free(path);
    return is_found;
}

static void write_file(struct fixture *fixture, const char *name)
{
    assert_int_equal(run_directory_write_file(fixture->path.text, name, "x", 1, NULL), 0);
}

static void new_directory_is_private_and_complete(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    struct stat status;
    assert_int_equal(stat(fixture.path.text, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_true(is_there(&fixture, "journal"));
    assert_true(is_there(&fixture, "logs"));
    assert_true(is_there(&fixture, "identity"));
    assert_string_equal(run_directory_path(fixture.directory), fixture.path.text);
    assert_memory_equal(run_directory_journal_identity(fixture.directory), fixture.options.identity,
                        sizeof fixture.options.identity);
    fixture_close(&fixture);
}

static void same_job_continues(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    write_file(&fixture, "journal/segment");
    open_again(&fixture);
    assert_true(is_there(&fixture, "journal/segment"));
    fixture_close(&fixture);
}

static void other_job_is_refused_with_the_way_out(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    write_file(&fixture, "journal/segment");
    run_directory_close(fixture.directory);
    fixture.directory = NULL;
    fixture.options.identity[31] = 8;
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "--dir to keep both");
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "--fresh begins anew: no task is done there");
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "earlier version of job job");
    fixture.options.job_name = "another";
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "another job, job");
    assert_true(is_there(&fixture, "journal/segment"));
    fixture.options.identity[31] = 7;
    open_again(&fixture);
    fixture_close(&fixture);
}

static void forced_job_continues_the_old_journal(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    write_file(&fixture, "journal/segment");
    fixture.options.identity[0] = 9;
    fixture.options.is_forced = true;
    open_again(&fixture);
    assert_true(is_there(&fixture, "journal/segment"));
    assert_int_equal(run_directory_journal_identity(fixture.directory)[0], 7);
    /* From now on it is the new job's, without --force. */
    fixture.options.is_forced = false;
    open_again(&fixture);
    assert_int_equal(run_directory_journal_identity(fixture.directory)[0], 7);
    run_directory_close(fixture.directory);
    fixture.directory = NULL;
    fixture.options.identity[0] = 7;
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "--force");
    fixture_close(&fixture);
}

static void fresh_job_starts_anew(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    static const char *const left[] = {"journal/segment", "inputs.data", "inputs.index",
                                       "output",          "status.json", "logs/task"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        write_file(&fixture, left[i]);
    fixture.options.identity[0] = 9;
    fixture.options.is_fresh = true;
    open_again(&fixture);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        assert_false(is_there(&fixture, left[i]));
    assert_true(is_there(&fixture, "journal"));
    assert_int_equal(run_directory_journal_identity(fixture.directory)[0], 9);
    fixture_close(&fixture);
}

static void folder_of_something_else_is_never_touched(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    assert_int_equal(mkdir(fixture.path.text, 0755), 0);
    write_file(&fixture, "thesis.tex");
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "thesis.tex");
    fixture.options.is_fresh = true;
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "not a run directory");
    fixture.options.is_forced = true;
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "--dir");
    assert_true(is_there(&fixture, "thesis.tex"));
    assert_false(is_there(&fixture, "lock"));
    fixture_close(&fixture);
}

static void empty_folder_is_taken(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    assert_int_equal(mkdir(fixture.path.text, 0755), 0);
    open_again(&fixture);
    fixture_close(&fixture);
}

static void file_in_the_place_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    scratch_write(&fixture.scratch, "job.sheaf", "x", 1);
    assert_refused(&fixture, SHEAF_ERROR_IDENTITY, "not a directory");
    fixture_close(&fixture);
}

static void missing_parent_is_named(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    fixture.options.path = "/nowhere/at/all.sheaf";
    assert_refused(&fixture, SHEAF_ERROR_NOT_FOUND, "/nowhere/at/all.sheaf");
    fixture_close(&fixture);
}

static void unreadable_identity_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    write_file(&fixture, "identity");
    run_directory_close(fixture.directory);
    fixture.directory = NULL;
    assert_refused(&fixture, SHEAF_ERROR_DAMAGED, "identity");
    fixture_close(&fixture);
}

static void second_master_is_told_who_the_first_is(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    char expected[64];
    snprintf(expected, sizeof expected, "process %d", (int)getpid());
    assert_refused(&fixture, SHEAF_ERROR_IN_USE, expected);
    fixture.options.is_fresh = true;
    write_file(&fixture, "output");
    assert_refused(&fixture, SHEAF_ERROR_IN_USE, "in use by sheaf on ");
    assert_true(is_there(&fixture, "output"));
    struct run_directory_holder holder = {.process_id = 0};
    assert_int_equal(run_directory_find_holder(fixture.path.text, &holder, NULL), 1);
    assert_int_equal(holder.process_id, getpid());
    run_directory_close(fixture.directory);
    fixture.directory = NULL;
    assert_int_equal(run_directory_find_holder(fixture.path.text, &holder, NULL), 0);
    fixture_close(&fixture);
}

/* A child that holds the directory until it is killed; its process, once it holds it. */
static pid_t given_holder(const struct fixture *fixture)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct run_directory *held;
        if (run_directory_open(&fixture->options, &held, NULL) != 0 || write(ends[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    char byte;
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

static void death_of_the_holder_frees_the_directory(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    pid_t holder = given_holder(&fixture);
    assert_refused(&fixture, SHEAF_ERROR_IN_USE, "in use");
    kill(holder, SIGKILL);
    fixture.options.lock_wait_ms = 60000; /* the lock goes at some point of its dying */
    open_again(&fixture);
    waitpid(holder, NULL, 0);
    fixture_close(&fixture);
}

static void request_to_stop_holds_until_the_next_run(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    assert_false(run_directory_stop_is_requested(fixture.path.text));
    assert_int_equal(run_directory_request_stop(fixture.path.text, NULL), 0);
    assert_true(run_directory_stop_is_requested(fixture.path.text));
    open_again(&fixture);
    assert_false(run_directory_stop_is_requested(fixture.path.text));
    fixture_close(&fixture);
}

static void holder_is_asked_to_leave_by_who_takes_over(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    pid_t holder = given_holder(&fixture);
    assert_refused(&fixture, SHEAF_ERROR_IN_USE, "in use");
    assert_false(run_directory_handover_is_requested(fixture.path.text));
    fixture.options.takes_over = true;
    assert_refused(&fixture, SHEAF_ERROR_IN_USE, "in use");
    assert_true(run_directory_handover_is_requested(fixture.path.text));
    kill(holder, SIGKILL);
    fixture.options.lock_wait_ms = 60000; /* the lock goes at some point of its dying */
    open_again(&fixture);
    assert_false(run_directory_handover_is_requested(fixture.path.text));
    waitpid(holder, NULL, 0);
    fixture_close(&fixture);
}

static void failed_write_leaves_the_old_file(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    write_file(&fixture, "output");
    struct sheaf_error error;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max});
    int code = run_directory_write_file(fixture.path.text, "output", "yy", 2, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(code < 0);
    assert_non_null(strstr(error.text, "output"));
    struct stat status;
    char *path = run_directory_join(fixture.path.text, "output");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 1);
    free(path);
    fixture_close(&fixture);
}

static void status_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct fixture fixture;
    given_fixture(&fixture);
    open_again(&fixture);
    static struct status written;
    static struct status got;
    written = (struct status){.state = STATUS_STOPPED,
                              .tasks.total = UINT64_C(1) << 60,
                              .tasks.done = 5,
                              .workers = 3,
                              .slots = 12,
                              .incarnation = 4,
                              .has_ended = true,
                              .exit_status = 3,
                              .job = "prim\"es",
                              .output = "/tmp/a b"};
    assert_int_equal(status_read(fixture.path.text, &got, NULL), SHEAF_ERROR_NOT_FOUND);
    assert_int_equal(status_write(fixture.path.text, &written, NULL), 0);
    assert_int_equal(status_read(fixture.path.text, &got, NULL), 0);
    assert_int_equal(got.process_id, getpid());
    assert_true(got.written_unix_s > 0);
    written.process_id = got.process_id;
    written.written_unix_s = got.written_unix_s;
    memcpy(written.host, got.host, sizeof written.host);
    assert_memory_equal(&got, &written, sizeof got);
    write_file(&fixture, "status.json");
    assert_int_equal(status_read(fixture.path.text, &got, NULL), SHEAF_ERROR_DAMAGED);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_directory_is_private_and_complete),
        cmocka_unit_test(same_job_continues),
        cmocka_unit_test(other_job_is_refused_with_the_way_out),
        cmocka_unit_test(forced_job_continues_the_old_journal),
        cmocka_unit_test(fresh_job_starts_anew),
        cmocka_unit_test(folder_of_something_else_is_never_touched),
        cmocka_unit_test(empty_folder_is_taken),
        cmocka_unit_test(file_in_the_place_is_refused),
        cmocka_unit_test(missing_parent_is_named),
        cmocka_unit_test(unreadable_identity_is_refused),
        cmocka_unit_test(second_master_is_told_who_the_first_is),
        cmocka_unit_test(death_of_the_holder_frees_the_directory),
        cmocka_unit_test(holder_is_asked_to_leave_by_who_takes_over),
        cmocka_unit_test(request_to_stop_holds_until_the_next_run),
        cmocka_unit_test(failed_write_leaves_the_old_file),
        cmocka_unit_test(status_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
