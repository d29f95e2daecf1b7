/* test_error.c - codes, texts and exit statuses of operating errors. */
#include "../../scheduler/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void error_carries_code_and_text(void **state)
{
    (void)state;
    struct sheaf_error error = {0};
    int code = sheaf_error_set(&error, SHEAF_ERROR_JOB, "%s:%d: unknown key", "job.yaml", 3);
    assert_int_equal(code, SHEAF_ERROR_JOB);
    assert_int_equal(error.code, SHEAF_ERROR_JOB);
    assert_string_equal(error.text, "job.yaml:3: unknown key");
}

static void error_without_a_place_for_text_still_has_its_code(void **state)
{
    (void)state;
    assert_int_equal(sheaf_error_set(NULL, SHEAF_ERROR_IO, "unseen"), SHEAF_ERROR_IO);
    assert_int_equal(sheaf_error_set_errno(NULL, ENOSPC, "unseen"), SHEAF_ERROR_DISK_FULL);
}

static void errno_chooses_the_code(void **state)
{
    (void)state;
    static const struct {
        int errno_value;
        int code;
    } cases[] = {
        {ENOSPC, SHEAF_ERROR_DISK_FULL},
        {EDQUOT, SHEAF_ERROR_DISK_FULL},
        {EACCES, SHEAF_ERROR_PERMISSION},
        {EPERM, SHEAF_ERROR_PERMISSION},
        {EROFS, SHEAF_ERROR_PERMISSION},
        {ENOENT, SHEAF_ERROR_NOT_FOUND},
        {EIO, SHEAF_ERROR_IO},
        {EBADF, SHEAF_ERROR_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sheaf_error error = {0};
        int code = sheaf_error_set_errno(&error, cases[i].errno_value, "cannot open");
        assert_int_equal(code, cases[i].code);
        assert_int_equal(error.code, cases[i].code);
    }
}

static void errno_is_told_in_words(void **state)
{
    (void)state;
    struct sheaf_error error = {0};
    sheaf_error_set_errno(&error, ENOENT, "cannot open %s", "input");
    assert_string_equal(error.text, "cannot open input: No such file or directory");
}

static void long_text_is_cut(void **state)
{
    (void)state;
    char text[2 * SHEAF_ERROR_TEXT_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct sheaf_error error = {0};
    sheaf_error_set(&error, SHEAF_ERROR_IO, "%s", text);
    assert_int_equal(strlen(error.text), SHEAF_ERROR_TEXT_BYTES - 1);
    sheaf_error_set_errno(&error, EIO, "%s", text);
    assert_int_equal(strlen(error.text), SHEAF_ERROR_TEXT_BYTES - 1);
}

static void every_code_has_name_and_exit_status(void **state)
{
    (void)state;
    for (int index = 0; index < (int)SHEAF_ERROR_COUNT; index++) {
        int code = -1 - index;
        assert_true(strlen(sheaf_error_name(code)) > 0);
        assert_true(strlen(sheaf_error_meaning(code)) > 0);
        assert_in_range(sheaf_error_exit_status(code), 1, 4);
    }
}

static void exit_status_tells_usage_from_trouble(void **state)
{
    (void)state;
    assert_int_equal(sheaf_error_exit_status(0), 0);
    assert_int_equal(sheaf_error_exit_status(SHEAF_ERROR_TASKS_FAILED), 1);
    assert_int_equal(sheaf_error_exit_status(SHEAF_ERROR_USAGE), 2);
    assert_int_equal(sheaf_error_exit_status(SHEAF_ERROR_STOPPED), 3);
    assert_int_equal(sheaf_error_exit_status(SHEAF_ERROR_DISK_FULL), 4);
    assert_string_equal(sheaf_error_name(SHEAF_ERROR_DISK_FULL), "DISK_FULL");
    assert_string_equal(sheaf_error_meaning(SHEAF_ERROR_DISK_FULL), "no space left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_carries_code_and_text),
        cmocka_unit_test(error_without_a_place_for_text_still_has_its_code),
        cmocka_unit_test(errno_chooses_the_code),
        cmocka_unit_test(errno_is_told_in_words),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(every_code_has_name_and_exit_status),
        cmocka_unit_test(exit_status_tells_usage_from_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
