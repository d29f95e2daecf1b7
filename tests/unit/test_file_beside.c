/* test_file_beside.c - files are made beside others where nobody else can have prepared anything,
 * and what is left of them is swept.
 */
#include "../../runtime/atomic_file.h"
#include "../../runtime/file_beside.h"
#include "../../runtime/publish.h"
#include "scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>

#include <cmocka.h>

enum { STRANGER = 54321 };

static size_t count_files(const struct scratch *scratch)
{
    size_t count = 0;
    DIR *stream = opendir(scratch->path);
    CHECK(stream != NULL);
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(stream);
    return count;
}

static void make_old(const char *path)
{
    const struct timespec times[] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    CHECK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0);
}

static void names_are_random_and_fit(void **state)
{
    (void)state;
    char *first = file_beside_name("/a/out.txt");
    char *second = file_beside_name("/a/out.txt");
    assert_string_not_equal(first, second);
    assert_memory_equal(first, "/a/out.txt.sheaf-tmp-", strlen("/a/out.txt.sheaf-tmp-"));
    free(first);
    free(second);
    char longest[NAME_MAX + 1];
    memset(longest, 'x', NAME_MAX);
    longest[NAME_MAX] = '\0';
    struct scratch scratch = given_scratch();
    struct scratch_path path = scratch_path(&scratch, longest);
    char *beside = NULL;
    int descriptor = file_beside_make(path.text, 0600, &beside);
    assert_true(descriptor >= 0);
    close(descriptor);
    make_old(beside);
    file_beside_sweep(path.text);
    assert_int_equal(count_files(&scratch), 0);
    free(beside);
    scratch_remove(&scratch);
}

static void planted_links_are_not_followed(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path kept = scratch_write(&scratch, "kept", "kept", 4);
    struct scratch_path out = scratch_path(&scratch, "out");
    struct scratch_path planted = scratch_path(&scratch, "out.sheaf-tmp");
    CHECK(symlink(kept.text, planted.text) == 0);
    CHECK(symlink(kept.text, out.text) == 0);
    const struct atomic_file file = {.path = out.text, .data = "new", .size = 3, .mode = 0600};
    assert_int_equal(atomic_file_write(&file, NULL), 0);
    assert_int_equal(publish_check(out.text, NULL), 0);
    struct stat status;
    assert_int_equal(stat(kept.text, &status), 0);
    assert_int_equal(status.st_size, 4);
    assert_int_equal(lstat(out.text, &status), 0);
    assert_true(S_ISREG(status.st_mode));
    assert_int_equal(status.st_size, 3);
    assert_int_equal(count_files(&scratch), 3);
    scratch_remove(&scratch);
}

static void output_of_another_users_making_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct scratch scratch = given_scratch();
    struct scratch_path kept = scratch_write(&scratch, "kept", "kept", 4);
    struct scratch_path link = scratch_path(&scratch, "link");
    struct scratch_path pipe = scratch_path(&scratch, "pipe");
    struct sheaf_error error;
    CHECK(symlink(kept.text, link.text) == 0);
    assert_int_equal(publish_check(link.text, NULL), 0);
    CHECK(lchown(link.text, STRANGER, STRANGER) == 0);
    assert_int_equal(publish_check(link.text, &error), SHEAF_ERROR_PERMISSION);
    assert_non_null(strstr(error.text, "link"));
    CHECK(mkfifo(pipe.text, 0666) == 0 && chown(pipe.text, STRANGER, STRANGER) == 0);
    assert_int_equal(publish_check(pipe.text, &error), SHEAF_ERROR_PERMISSION);
    scratch_remove(&scratch);
}

static void what_is_left_is_swept_and_nothing_else(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path out = scratch_path(&scratch, "out");
    char *left = NULL;
    char *used = NULL;
    char *young = NULL;
    close(file_beside_make(out.text, 0600, &left));
    int descriptor = file_beside_make(out.text, 0600, &used);
    close(file_beside_make(out.text, 0600, &young));
    make_old(left);
    make_old(used);
    struct scratch_path older = scratch_write(&scratch, "out.sheaf-tmp", "x", 1);
    make_old(older.text);
    make_old(scratch_write(&scratch, "other.sheaf-tmp-0", "x", 1).text);
    make_old(scratch_write(&scratch, "out.txt", "x", 1).text);
    file_beside_sweep(out.text);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(access(older.text, F_OK), -1);
    assert_int_equal(access(used, F_OK), 0);
    assert_int_equal(access(young, F_OK), 0);
    assert_int_equal(count_files(&scratch), 4);
    file_beside_sweep_folder(scratch.path);
    assert_int_equal(count_files(&scratch), 3);
    close(descriptor);
    free(left);
    free(used);
    free(young);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_random_and_fit),
        cmocka_unit_test(planted_links_are_not_followed),
        cmocka_unit_test(output_of_another_users_making_is_refused),
        cmocka_unit_test(what_is_left_is_swept_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
