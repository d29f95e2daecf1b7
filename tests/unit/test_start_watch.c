/* test_start_watch.c - a rank that ends while MPI starts is missed, one that is still to come is
 * not. */
#include "../../runtime/start_watch.h"

#include "../../runtime/clock.h"
#include "../../scheduler/scheduler.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STEP_NS (SHEAF_NS_PER_S / 10)

static char rank_program[PATH_MAX];

/* Starts a shell in mpirun's place, whose rank is a `sleep`, and waits until that is there. */
static void given_mpirun(struct process_tree *tree, struct start_watch *watch, const char *script)
{
    struct sheaf_error error;
    char *arguments[] = {"bash", "-c", (char *)(uintptr_t)script, NULL};
    const struct process_streams streams = {.out = STDOUT_FILENO, .error = STDERR_FILENO};
    assert_int_equal(process_tree_start(tree, arguments, &streams, &error), 0);
    const struct timespec pause = {.tv_nsec = 1000000};
    for (uint64_t end_ns = clock_monotonic_ns() + 60 * SHEAF_NS_PER_S; watch->count == 0;) {
        assert_true(clock_monotonic_ns() < end_ns);
        watch->looked_ns = 0;
        assert_false(start_watch_look(watch, tree, SHEAF_NS_PER_S));
        nanosleep(&pause, NULL);
    }
    /* So that what the shell does first is over. */
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
}

/* How often is looked, each time a tenth of a second later, until a rank is missed. */
static int looks_until_missed(struct start_watch *watch, const struct process_tree *tree,
                              int looks_max)
{
    uint64_t now_ns = watch->looked_ns;
    for (int look = 1; look <= looks_max; look++) {
        now_ns += STEP_NS;
        if (start_watch_look(watch, tree, now_ns))
            return look;
    }
    return looks_max + 1;
}

static void end(struct process_tree *tree, struct start_watch *watch)
{
    assert_true(process_tree_kill(tree, 20000));
    start_watch_close(watch);
}

static void rank_that_was_never_seen_is_missed_when_mpirun_waits(void **state)
{
    (void)state;
    struct process_tree tree = {0};
    struct start_watch watch = {.program = rank_program, .rank_count = 2};
    given_mpirun(&tree, &watch, "sleep 1000 & wait");
    int looks = looks_until_missed(&watch, &tree, 200);
    assert_in_range(looks, 10, 20);
    end(&tree, &watch);
}

static void rank_is_waited_for_while_mpirun_is_at_work(void **state)
{
    (void)state;
    struct process_tree tree = {0};
    struct start_watch watch = {.program = rank_program, .rank_count = 2};
    given_mpirun(&tree, &watch, "sleep 1000 & while :; do :; done");
    assert_int_equal(looks_until_missed(&watch, &tree, 50), 51);
    end(&tree, &watch);
}

/* The copy of mpirun that is to become one. */
static void rank_is_waited_for_while_it_is_being_started(void **state)
{
    (void)state;
    struct process_tree tree = {0};
    struct start_watch watch = {.program = rank_program, .rank_count = 2};
    given_mpirun(&tree, &watch, "sleep 1000 & (kill -STOP $BASHPID) & wait");
    assert_int_equal(looks_until_missed(&watch, &tree, 50), 51);
    end(&tree, &watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rank_that_was_never_seen_is_missed_when_mpirun_waits),
        cmocka_unit_test(rank_is_waited_for_while_mpirun_is_at_work),
        cmocka_unit_test(rank_is_waited_for_while_it_is_being_started),
    };
    if (realpath("/usr/bin/sleep", rank_program) == NULL)
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
