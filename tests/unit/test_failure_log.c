/* test_failure_log.c - the last line about a task names all attempts before it. */
#include "../../runtime/failure_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void attempts_are_told_in_order(void **state)
{
    (void)state;
    struct failure_log *log = failure_log_create();
    char text[128];
    failure_log_add(log, 7, 1);
    failure_log_add(log, 9, 5);
    failure_log_add(log, 7, 2);
    failure_log_add(log, 7, 1);
    failure_log_take(log, 7, text, sizeof text);
    assert_string_equal(text, "3 attempts, on workers 1, 2, 1");
    failure_log_take(log, 9, text, sizeof text);
    assert_string_equal(text, "1 attempt, on worker 5");
    failure_log_destroy(log);
}

static void a_task_is_forgotten_once_told(void **state)
{
    (void)state;
    struct failure_log *log = failure_log_create();
    char text[128];
    failure_log_add(log, 7, 1);
    failure_log_take(log, 7, text, sizeof text);
    failure_log_take(log, 7, text, sizeof text);
    assert_string_equal(text, "");
    failure_log_destroy(log);
}

static void the_log_does_not_grow_without_end(void **state)
{
    (void)state;
    struct failure_log *log = failure_log_create();
    char text[128];
    for (uint64_t task = 0; task < 2 * FAILURE_LOG_TASKS_MAX; task++)
        failure_log_add(log, task, 1);
    failure_log_take(log, 2 * FAILURE_LOG_TASKS_MAX - 1, text, sizeof text);
    assert_string_equal(text, "");
    for (int i = 0; i < 100; i++)
        failure_log_add(log, 0, 1);
    failure_log_take(log, 0, text, sizeof text);
    assert_string_equal(text, "101 attempts, on workers 1, 1, 1, 1, 1, 1, 1, 1");
    failure_log_destroy(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_told_in_order),
        cmocka_unit_test(a_task_is_forgotten_once_told),
        cmocka_unit_test(the_log_does_not_grow_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
