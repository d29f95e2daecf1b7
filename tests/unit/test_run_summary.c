/* test_run_summary.c - what a run has done, in one line. */
#include "../../runtime/run_summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)

static void assert_described(struct run_summary summary, const char *expected)
{
    char text[RUN_SUMMARY_TEXT_BYTES];
    run_summary_describe(&summary, text);
    assert_string_equal(text, expected);
}

static void a_run_is_described(void **state)
{
    (void)state;
    assert_described((struct run_summary){.tasks = 1000,
                                          .tasks_before = 400,
                                          .retries = 1,
                                          .busy_ns = 93 * SECOND_NS,
                                          .slot_ns = 100 * SECOND_NS,
                                          .elapsed_ns = 50 * SECOND_NS},
                     "1,000 tasks (400 of them before) in 50 s; 1 attempt was repeated; "
                     "slots were busy 93 % of the time");
    assert_described(
        (struct run_summary){
            .tasks = 1, .retries = 2, .busy_ns = 3, .slot_ns = 2, .elapsed_ns = 2 * SECOND_NS},
        "1 task in 2 s; 2 attempts were repeated; slots were busy 100 % of the time");
}

static void a_run_that_did_nothing_says_so(void **state)
{
    (void)state;
    assert_described((struct run_summary){.tasks = 5, .tasks_before = 5, .slot_ns = SECOND_NS},
                     "5 tasks, all of them done before, in 0 s; no attempts were repeated");
}

static void stages_add_up_but_for_the_time(void **state)
{
    (void)state;
    struct run_summary sum = {.elapsed_ns = 7 * SECOND_NS};
    const struct run_summary part = {.tasks = 2,
                                     .tasks_before = 1,
                                     .retries = 1,
                                     .busy_ns = SECOND_NS,
                                     .slot_ns = 4 * SECOND_NS,
                                     .elapsed_ns = SECOND_NS};
    run_summary_add(&sum, &part);
    run_summary_add(&sum, &part);
    assert_described(sum, "4 tasks (2 of them before) in 7 s; 2 attempts were repeated; slots were "
                          "busy 25 % of the time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_described),
        cmocka_unit_test(a_run_that_did_nothing_says_so),
        cmocka_unit_test(stages_add_up_but_for_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
