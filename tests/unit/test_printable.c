/* test_printable.c - what others wrote does no harm on a terminal, and stays readable. */
#include "../../scheduler/printable.h"

#include "../../runtime/print_foreign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_shown(const char *bytes, const char *expected)
{
    char text[256];
    char *printed = NULL;
    size_t printed_size = 0;
    assert_int_equal(printable(bytes, strlen(bytes), text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
    FILE *out = open_memstream(&printed, &printed_size);
    print_foreign(out, bytes, strlen(bytes));
    fclose(out);
    assert_string_equal(printed, expected);
    free(printed);
}

static void text_of_any_language_stays(void **state)
{
    (void)state;
    assert_shown("plain, 100 % \\n", "plain, 100 % \\n");
    assert_shown("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x8C\xBE",
                 "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x8C\xBE");
}

static void controls_are_shown_as_numbers(void **state)
{
    (void)state;
    assert_shown("\x1B[2Jgone\r\n\a", "\\x1B[2Jgone\\x0D\\x0A\\x07");
    assert_shown("a\tb\x7F", "a b\\x7F");
    assert_shown("\xC2\x9B\x32J", "\\xC2\\x9B2J"); /* the same as ESC [ to some terminals */
}

static void bytes_that_are_no_text_are_shown_as_numbers(void **state)
{
    (void)state;
    assert_shown("\x9B\x32J \xFF \xC3", "\\x9B2J \\xFF \\xC3");
    assert_shown("\xC0\x9B", "\\xC0\\x9B");                   /* a longer form of ESC [ */
    assert_shown("\xED\xA0\x80", "\\xED\\xA0\\x80");          /* half of a pair of UTF-16 */
    assert_shown("\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"); /* above all characters */
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(printable("abcd\x1B", 5, text, 8), 4);
    assert_string_equal(text, "abcd");
    assert_int_equal(printable("abcdef\xC3\xBC", 8, text, 8), 6);
    assert_string_equal(text, "abcdef");
    assert_int_equal(printable("a", 1, text, 1), 0);
    assert_string_equal(text, "");
    assert_int_equal(printable("a", 1, text, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_any_language_stays),
        cmocka_unit_test(controls_are_shown_as_numbers),
        cmocka_unit_test(bytes_that_are_no_text_are_shown_as_numbers),
        cmocka_unit_test(long_text_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
