/* test_walltime.c - when a run must be over, as options, launcher and Slurm say. */
#include "../../runtime/walltime.h"

#include "../../runtime/clock.h"
#include "../../scheduler/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"

static void reserve_is_30_s_or_a_tenth_of_the_time(void **state)
{
    (void)state;
    uint64_t start_ns = 7 * SHEAF_NS_PER_S;
    struct walltime hour = walltime_plan(3600 * SHEAF_NS_PER_S, start_ns);
    assert_int_equal(hour.tasks_end_ns, (7 + 3570) * SHEAF_NS_PER_S);
    assert_int_equal(hour.cut_off_ns, (7 + 3580) * SHEAF_NS_PER_S);
    assert_int_equal(hour.leave_ns, (7 + 3590) * SHEAF_NS_PER_S);
    struct walltime minute = walltime_plan(60 * SHEAF_NS_PER_S, start_ns);
    assert_int_equal(minute.tasks_end_ns, (7 + 54) * SHEAF_NS_PER_S);
    assert_int_equal(minute.leave_ns, (7 + 58) * SHEAF_NS_PER_S);
    struct walltime none = walltime_plan(0, start_ns);
    assert_int_equal(none.tasks_end_ns, start_ns);
    assert_int_equal(none.leave_ns, start_ns);
    assert_true(walltime_plan(WALLTIME_NEVER, start_ns).tasks_end_ns == WALLTIME_NEVER);
    assert_true(walltime_plan_until(WALLTIME_NEVER).leave_ns == WALLTIME_NEVER);
    assert_true(walltime_plan_until(1).tasks_end_ns <= clock_monotonic_ns());
}

static void forget_slurm(void)
{
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_JOB_END_TIME");
}

/* Seconds from now until the end that the options and the environment give. */
static uint64_t seconds_until_end(const struct run_options *options)
{
    uint64_t end_unix_ms;
    struct sheaf_error error;
    uint64_t now_unix_ms = clock_wall_ns() / SHEAF_NS_PER_MS;
    assert_int_equal(walltime_find(options, &end_unix_ms, &error), 0);
    if (end_unix_ms == WALLTIME_NEVER)
        return WALLTIME_NEVER;
    return (end_unix_ms - now_unix_ms + 999) / 1000;
}

static void without_option_and_batch_job_there_is_no_limit(void **state)
{
    (void)state;
    forget_slurm();
    assert_true(seconds_until_end(&(struct run_options){0}) == WALLTIME_NEVER);
}

static void earlier_of_option_and_slurm_holds(void **state)
{
    (void)state;
    char end[32];
    snprintf(end, sizeof end, "%llu",
             (unsigned long long)(clock_wall_ns() / SHEAF_NS_PER_S + 1000));
    setenv("SLURM_JOB_ID", "7", 1);
    setenv("SLURM_JOB_END_TIME", end, 1);
    struct run_options options = {.walltime_ns = 100 * SHEAF_NS_PER_S};
    assert_in_range(seconds_until_end(&options), 100, 990);
    options.walltime_ns = 100000 * SHEAF_NS_PER_S;
    assert_in_range(seconds_until_end(&options), 2, 1001);
    options.walltime_ns = 0;
    assert_in_range(seconds_until_end(&options), 2, 1001);
    forget_slurm();
}

static void launcher_knows_better_than_option_and_slurm(void **state)
{
    (void)state;
    setenv("SLURM_JOB_ID", "7", 1);
    setenv("SLURM_JOB_END_TIME", "1", 1);
    struct run_options options = {.walltime_ns = SHEAF_NS_PER_S, .end_unix_ms = 12345};
    uint64_t end_unix_ms;
    assert_int_equal(walltime_find(&options, &end_unix_ms, NULL), 0);
    assert_int_equal(end_unix_ms, 12345);
    forget_slurm();
}

/* Runs walltime_find in a Slurm job, with a squeue first in $PATH that does as the script says.
 * Returns its code. */
static int find_with_squeue(const char *script, uint64_t *end_unix_ms, struct sheaf_error *error)
{
    struct scratch scratch = given_scratch();
    struct scratch_path squeue = scratch_write(&scratch, "squeue", script, strlen(script));
    chmod(squeue.text, 0700);
    char *path_before = strdup(getenv("PATH"));
    char path[1024];
    snprintf(path, sizeof path, "%s:%s", scratch.path, path_before);
    setenv("PATH", path, 1);
    setenv("SLURM_JOB_ID", "7", 1);
    int code = walltime_find(&(struct run_options){.walltime_ns = 3600 * SHEAF_NS_PER_S},
                             end_unix_ms, error);
    setenv("PATH", path_before, 1);
    free(path_before);
    forget_slurm();
    scratch_remove(&scratch);
    return code;
}

static void slurm_is_asked_for_the_time_that_is_left(void **state)
{
    (void)state;
    uint64_t end_unix_ms;
    struct sheaf_error error;
    int code = find_with_squeue("#!/bin/sh\n"
                                "[ \"$*\" = '-h -j 7 -o %e' ] || exit 1\n"
                                "[ \"$SLURM_TIME_FORMAT\" = %s ] && echo 1000000001\n",
                                &end_unix_ms, &error);
    assert_int_equal(code, 0);
    assert_int_equal(end_unix_ms, 1000000001000);
}

static void slurm_that_does_not_answer_leaves_the_option(void **state)
{
    (void)state;
    static const char *const scripts[] = {"#!/bin/sh\necho 1000000001; exit 1\n",
                                          "#!/bin/sh\necho N/A\n", "#!/nowhere\n"};
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        uint64_t now_unix_ms = clock_wall_ns() / SHEAF_NS_PER_MS;
        uint64_t end_unix_ms = 0;
        struct sheaf_error error;
        assert_int_equal(find_with_squeue(scripts[i], &end_unix_ms, &error), SHEAF_ERROR_PROCESS);
        assert_non_null(strstr(error.text, "--walltime"));
        assert_true(end_unix_ms >= now_unix_ms + 3600 * 1000 && end_unix_ms != WALLTIME_NEVER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserve_is_30_s_or_a_tenth_of_the_time),
        cmocka_unit_test(without_option_and_batch_job_there_is_no_limit),
        cmocka_unit_test(earlier_of_option_and_slurm_holds),
        cmocka_unit_test(launcher_knows_better_than_option_and_slurm),
        cmocka_unit_test(slurm_is_asked_for_the_time_that_is_left),
        cmocka_unit_test(slurm_that_does_not_answer_leaves_the_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
