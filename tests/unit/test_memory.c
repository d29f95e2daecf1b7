/* test_memory.c - allocation never returns NULL, and ends the process when memory is out. */
#include "../../scheduler/memory.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void nothing_is_still_memory(void **state)
{
    (void)state;
    void *allocated = memory_allocate(0);
    void *zeroed = memory_allocate_zeroed(0, 8);
    void *copy = memory_copy(NULL, 0);
    void *resized = memory_resize(memory_allocate(8), 0);
    assert_non_null(allocated);
    assert_non_null(zeroed);
    assert_non_null(copy);
    assert_non_null(resized);
    free(resized);
    free(copy);
    free(zeroed);
    free(allocated);
}

static void zeroed_memory_is_zero(void **state)
{
    (void)state;
    static const unsigned char zeros[1000];
    unsigned char *memory = memory_allocate_zeroed(100, 10);
    assert_memory_equal(memory, zeros, sizeof zeros);
    free(memory);
}

static void resizing_keeps_the_content(void **state)
{
    (void)state;
    char *memory = memory_copy("0123456789", 10);
    memory = memory_resize(memory, 100000);
    assert_memory_equal(memory, "0123456789", 10);
    memory = memory_resize(memory, 5);
    assert_memory_equal(memory, "01234", 5);
    free(memory);
}

static void copies_are_their_own(void **state)
{
    (void)state;
    char original[] = "original";
    char *copy = memory_copy_string(original);
    original[0] = 'X';
    assert_string_equal(copy, "original");
    free(copy);
}

static void array_doubles_until_it_is_large_enough(void **state)
{
    (void)state;
    void *array = NULL;
    size_t capacity = 0;
    memory_grow(&array, &capacity, 1, sizeof(uint32_t));
    assert_in_range(capacity, 1, 64);
    ((uint32_t *)array)[0] = 42;
    memory_grow(&array, &capacity, 1000, sizeof(uint32_t));
    assert_in_range(capacity, 1000, 2000);
    assert_int_equal(((uint32_t *)array)[0], 42);
    memset(array, 0xff, capacity * sizeof(uint32_t));
    free(array);
}

static void large_enough_array_stays_where_it_is(void **state)
{
    (void)state;
    void *array = NULL;
    size_t capacity = 0;
    memory_grow(&array, &capacity, 10, 1);
    void *before = array;
    size_t capacity_before = capacity;
    memory_grow(&array, &capacity, capacity_before, 1);
    assert_ptr_equal(array, before);
    assert_int_equal(capacity, capacity_before);
    free(array);
}

static void ask_for_half_the_address_space(void)
{
    free(memory_allocate(SIZE_MAX / 4));
}

static void ask_for_a_product_that_overflows(void)
{
    free(memory_allocate_zeroed(SIZE_MAX / 2, 4));
}

/* The signal that ended a child process that called `fatal`; 0 if it returned. */
static int signal_after(void (*fatal)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        fatal();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void running_out_of_memory_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(signal_after(ask_for_half_the_address_space), SIGABRT);
}

static void overflowing_size_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(signal_after(ask_for_a_product_that_overflows), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_still_memory),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(resizing_keeps_the_content),
        cmocka_unit_test(copies_are_their_own),
        cmocka_unit_test(array_doubles_until_it_is_large_enough),
        cmocka_unit_test(large_enough_array_stays_where_it_is),
        cmocka_unit_test(running_out_of_memory_ends_the_process),
        cmocka_unit_test(overflowing_size_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
