/* test_last_lines.c - the lines of a program's last words that say something. */
#include "../../runtime/last_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 64 };

static void assert_said(const char *written, const char *expected)
{
    char text[ROOM];
    assert_int_equal(last_lines(written, strlen(written), text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

static void lines_without_letters_are_passed_over(void **state)
{
    (void)state;
    assert_said("why\n-----\n\n42\n", "why");
    assert_said("begin\nTraceback:\n  File x, line 3\nValueError: y\n=====",
                "Traceback: | File x, line 3 | ValueError: y");
    assert_said("\xC3\xBC\n", "\xC3\xBC");
}

static void without_any_letter_the_last_line_is_said(void **state)
{
    (void)state;
    assert_said("17\n42\n \n", "42");
    assert_said("", "");
    assert_said(" \n\t\n", "");
}

static void last_line_matters_more_than_those_before(void **state)
{
    (void)state;
    assert_said("a line of forty bytes, that does not fit\nan error of thirty bytes is told",
                "an error of thirty bytes is told");
    assert_said("before\nthe last line is cut at its end where there is no room for all of it....",
                "the last line is cut at its end where there is no room for a...");
}

static void cut_spares_characters(void **state)
{
    (void)state;
    char written[2 * ROOM + 2] = "x";
    char text[ROOM];
    for (int i = 0; i < ROOM; i++)
        memcpy(written + 1 + 2 * i, "\xC3\xBC", 2);
    size_t length = last_lines(written, sizeof written - 1, text, sizeof text);
    assert_int_equal(length, 62);
    assert_string_equal(text + 59, "...");
}

static void progress_and_colours_are_no_words(void **state)
{
    (void)state;
    assert_said("10 %\r20 %\rfailed at 30 %\r", "failed at 30 %");
    assert_said("\x1b[31merror:\x1b[0m no\n\x1b[0m\n\x1b[", "error: no");
    assert_said("tab\there\x07\n", "tab here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_without_letters_are_passed_over),
        cmocka_unit_test(without_any_letter_the_last_line_is_said),
        cmocka_unit_test(last_line_matters_more_than_those_before),
        cmocka_unit_test(cut_spares_characters),
        cmocka_unit_test(progress_and_colours_are_no_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
