/* test_both_ends.c - the first and the last lines of what a program wrote. */
#include "../../runtime/both_ends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 40 };

static void assert_taken(const char *written, const char *expected)
{
    char text[ROOM];
    size_t size = both_ends(written, strlen(written), text, sizeof text);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void few_lines_are_all_taken(void **state)
{
    (void)state;
    assert_taken("", "");
    assert_taken("\n\n", "");
    assert_taken("one", "one");
    assert_taken("one\n\ntwo\n\n", "one\n\ntwo");
    assert_taken("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10");
}

static void of_many_lines_those_at_both_ends_are_taken(void **state)
{
    (void)state;
    assert_taken("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n", "1\n2\n3\n4\n5\n[...]\n7\n8\n9\n10\n11");
}

/* ROOM has 16 bytes for each end. */
static void what_does_not_fit_is_cut(void **state)
{
    (void)state;
    assert_taken("the first line of all\nmiddle\nthe last line\n",
                 "the first line o\n[...]\nthe last line");
    assert_taken("0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                 "0123456789abcdef\n[...]\nKLMNOPQRSTUVWXYZ");
}

static void no_size_is_too_small_or_too_large(void **state)
{
    (void)state;
    char written[200];
    char text[ROOM];
    memset(written, 'x', sizeof written);
    for (size_t size = 0; size <= sizeof written; size++) {
        for (size_t at = 0; at < size; at++)
            written[at] = (at * size) % 7 == 0 ? '\n' : 'x';
        size_t taken = both_ends(written, size, text, sizeof text);
        assert_in_range(taken, 0, sizeof text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_lines_are_all_taken),
        cmocka_unit_test(of_many_lines_those_at_both_ends_are_taken),
        cmocka_unit_test(what_does_not_fit_is_cut),
        cmocka_unit_test(no_size_is_too_small_or_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
