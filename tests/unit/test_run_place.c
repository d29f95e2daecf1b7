/* test_run_place.c - a run directory is the user's own, and so is what is opened in it. */
#include "../../runtime/run_place.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STRANGER = 54321 };

struct fixture {
    struct scratch scratch;
    struct scratch_path dir;
};

static struct scratch_path in(const struct fixture *fixture, const char *name)
{
    struct scratch inner;
    int length = snprintf(inner.path, sizeof inner.path, "%s", fixture->dir.text);
    CHECK(length > 0 && (size_t)length < sizeof inner.path);
    return scratch_path(&inner, name);
}

static void given_file(const struct fixture *fixture, const char *name, const char *text)
{
    struct scratch_path path = in(fixture, name);
    FILE *file = fopen(path.text, "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static struct fixture given_directory(mode_t mode)
{
    struct fixture fixture = {.scratch = given_scratch()};
    fixture.dir = scratch_path(&fixture.scratch, "job.sheaf");
    CHECK(mkdir(fixture.dir.text, 0700) == 0 && chmod(fixture.dir.text, mode) == 0);
    return fixture;
}

static void fixture_close(struct fixture *fixture)
{
    run_place_forget();
    scratch_remove(&fixture->scratch);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    CHECK(stat(path, &status) == 0);
    return status.st_mode & 07777;
}

static void assert_not_opened(const struct fixture *fixture, const char *name, int errno_value)
{
    static const int flags[] = {O_RDONLY, O_WRONLY | O_APPEND, O_RDWR | O_CREAT,
                                O_WRONLY | O_TRUNC};
    struct scratch_path path = in(fixture, name);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        errno = 0;
        assert_int_equal(run_place_open_file(path.text, flags[i], 0600), -1);
        if (errno_value != 0)
            assert_int_equal(errno, errno_value);
    }
}

static void what_is_no_file_is_not_opened_and_holds_nobody_up(void **state)
{
    (void)state;
    struct fixture fixture = given_directory(0700);
    struct scratch_path outside = scratch_write(&fixture.scratch, "outside", "kept", 4);
    assert_int_equal(run_place_open(fixture.dir.text, NULL), 0);
    CHECK(symlink(outside.text, in(&fixture, "link").text) == 0);
    CHECK(symlink(fixture.scratch.path, in(&fixture, "logs").text) == 0);
    CHECK(mkfifo(in(&fixture, "pipe").text, 0600) == 0);
    CHECK(mkdir(in(&fixture, "folder").text, 0700) == 0);
    assert_not_opened(&fixture, "link", ELOOP);
    assert_not_opened(&fixture, "logs/outside", 0);
    assert_not_opened(&fixture, "pipe", EMEDIUMTYPE);
    assert_not_opened(&fixture, "folder", 0);
    assert_null(run_place_list(in(&fixture, "logs").text));
    assert_int_equal(run_place_rename(in(&fixture, "logs/outside").text, outside.text), -1);
    assert_int_equal(run_place_unlink(in(&fixture, "logs/outside").text), -1);
    assert_int_equal(run_place_remove(in(&fixture, "logs").text), 0);
    struct stat status;
    assert_int_equal(stat(outside.text, &status), 0);
    assert_int_equal(status.st_size, 4);
    fixture_close(&fixture);
}

static void others_can_write_there_no_longer(void **state)
{
    (void)state;
    struct fixture fixture = given_directory(0775);
    given_file(&fixture, "identity", "x");
    assert_int_equal(run_place_open(fixture.dir.text, NULL), 0);
    assert_int_equal(mode_of(fixture.dir.text), 0755);
    fixture_close(&fixture);
}

static void what_others_may_have_left_is_refused_each_time(void **state)
{
    (void)state;
    struct fixture fixture = given_directory(0777);
    struct sheaf_error error;
    CHECK(mkdir(in(&fixture, "logs").text, 0700) == 0);
    CHECK(symlink("/dev/null", in(&fixture, "logs/mpirun.log").text) == 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run_place_open(fixture.dir.text, &error), SHEAF_ERROR_PERMISSION);
        assert_non_null(strstr(error.text, "mpirun.log"));
        assert_int_equal(mode_of(fixture.dir.text), 0777);
    }
    fixture_close(&fixture);
}

static void directory_keeps_its_name_whatever_lies_there_later(void **state)
{
    (void)state;
    struct fixture fixture = given_directory(0700);
    struct scratch_path moved = scratch_path(&fixture.scratch, "moved");
    struct stat status;
    assert_int_equal(run_place_open(fixture.dir.text, NULL), 0);
    CHECK(rename(fixture.dir.text, moved.text) == 0 && mkdir(fixture.dir.text, 0777) == 0);
    int descriptor = run_place_open_file(in(&fixture, "lock").text, O_RDWR | O_CREAT, 0600);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(stat(in(&fixture, "lock").text, &status), -1);
    assert_true(run_place_has(in(&fixture, "lock").text));
    fixture_close(&fixture);
}

static void what_belongs_to_another_user_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct fixture fixture = given_directory(0700);
    struct sheaf_error error;
    given_file(&fixture, "journal", "forged");
    CHECK(chown(in(&fixture, "journal").text, STRANGER, STRANGER) == 0);
    assert_int_equal(run_place_open(fixture.dir.text, NULL), 0);
    assert_not_opened(&fixture, "journal", EPERM);
    struct scratch_path link = scratch_path(&fixture.scratch, "link");
    CHECK(symlink("job.sheaf", link.text) == 0);
    assert_int_equal(run_place_open(link.text, NULL), 0);
    CHECK(lchown(link.text, STRANGER, STRANGER) == 0);
    assert_int_equal(run_place_open(link.text, &error), SHEAF_ERROR_PERMISSION);
    CHECK(chown(fixture.dir.text, STRANGER, STRANGER) == 0);
    assert_int_equal(run_place_open(fixture.dir.text, &error), SHEAF_ERROR_PERMISSION);
    assert_non_null(strstr(error.text, "--shared-dir"));
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_file_is_not_opened_and_holds_nobody_up),
        cmocka_unit_test(others_can_write_there_no_longer),
        cmocka_unit_test(what_others_may_have_left_is_refused_each_time),
        cmocka_unit_test(directory_keeps_its_name_whatever_lies_there_later),
        cmocka_unit_test(what_belongs_to_another_user_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
