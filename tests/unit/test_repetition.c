/* test_repetition.c - the same message again and again is counted, not told. */
#include "../../runtime/repetition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct repetition *given(uint64_t told_max)
{
    struct repetition *repetition = calloc(1, sizeof *repetition);
    assert_non_null(repetition);
    repetition->told_max = told_max;
    return repetition;
}

static bool added(struct repetition *repetition, const char *text)
{
    bool is_last = false;
    return repetition_add(repetition, 1, text, &is_last);
}

static void what_differs_in_numbers_alone_is_one_kind(void **state)
{
    (void)state;
    struct repetition *repetition = given(100);
    bool is_last = false;
    assert_true(repetition_add(repetition, 1, "task 1 failed on worker 2", &is_last));
    assert_true(repetition_add(repetition, 1, "task 20 failed on worker 1", &is_last));
    assert_false(is_last);
    assert_true(repetition_add(repetition, 1, "task 3 failed on worker 1", &is_last));
    assert_true(is_last);
    for (int i = 0; i < 50; i++)
        assert_false(added(repetition, "task 4 failed on worker 1"));
    assert_true(added(repetition, "task 4 hangs on worker 1"));
    assert_true(repetition_add(repetition, 2, "task 4 failed on worker 1", &is_last));
    assert_int_equal(repetition->count, 3);
    assert_int_equal(repetition->kinds[0].untold, 50);
    assert_string_equal(repetition->kinds[0].text, "task 1 failed on worker 2");
    free(repetition);
}

static void all_together_are_bounded(void **state)
{
    (void)state;
    struct repetition *repetition = given(5);
    uint64_t told = 0;
    uint64_t untold = 0;
    for (int i = 0; i < 1000; i++) {
        char text[32];
        snprintf(text, sizeof text, "%c%c fails", 'a' + i / 26 % 26, 'a' + i % 26);
        told += added(repetition, text);
    }
    for (size_t i = 0; i <= REPETITION_KINDS_MAX; i++)
        untold += repetition->kinds[i].untold;
    assert_int_equal(told, 5);
    assert_int_equal(untold, 995);
    assert_int_equal(repetition->count, REPETITION_KINDS_MAX);
    free(repetition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_differs_in_numbers_alone_is_one_kind),
        cmocka_unit_test(all_together_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
