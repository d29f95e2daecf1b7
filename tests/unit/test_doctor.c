/* test_doctor.c - `sheaf doctor` says what is wrong with a host, and its exit status counts. */
#include "../../runtime/doctor.h"
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

struct report {
    int status;
    char text[8192];
};

/* Runs the command in a child, since it writes to standard output. */
static struct report doctor_of(const struct scratch *scratch, char **argv)
{
    struct scratch_path path = scratch_path(scratch, "report");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int out = open(path.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        int argc = 0;
        while (argv[argc] != NULL)
            argc++;
        int status = doctor_command(argc, argv);
        fflush(stdout);
        _exit(status);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    struct report report = {.status = WEXITSTATUS(status)};
    FILE *file = fopen(path.text, "r");
    assert_non_null(file);
    report.text[fread(report.text, 1, sizeof report.text - 1, file)] = '\0';
    fclose(file);
    return report;
}

static struct scratch_path given_mpirun(const struct scratch *scratch, const char *answer)
{
    char script[200];
    snprintf(script, sizeof script, "#!/bin/sh\necho '%s'\n", answer);
    struct scratch_path path = scratch_write(scratch, "mpirun", script, strlen(script));
    assert_int_equal(chmod(path.text, 0700), 0);
    return path;
}

static void good_host_has_no_failure(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path mpirun = given_mpirun(&scratch, "mpirun (Open MPI) 4.1.4");
    char *argv[] = {"doctor", "--mpirun", mpirun.text, scratch.path, NULL};
    struct report report = doctor_of(&scratch, argv);
    if (report.status != 0)
        fail_msg("%s", report.text);
    static const char *const subjects[] = {"mpirun", "cores",      "memory", "/dev/shm", "TMPDIR",
                                           "locks",  "filesystem", "disk",   "plug-ins", "limits"};
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        assert_non_null(strstr(report.text, subjects[i]));
    assert_non_null(strstr(report.text, "Open MPI 4.1"));
    scratch_remove(&scratch);
}

static void missing_mpirun_and_directory_are_failures(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path absent = scratch_path(&scratch, "absent");
    char *argv[] = {"doctor", "--mpirun", absent.text, absent.text, NULL};
    struct report report = doctor_of(&scratch, argv);
    assert_int_equal(report.status, 1);
    assert_non_null(strstr(report.text, "fail  mpirun"));
    assert_non_null(strstr(report.text, "fail  filesystem"));
    assert_non_null(strstr(report.text, "fail  disk"));
    scratch_remove(&scratch);
}

static void launcher_of_mpich_is_called_so_with_the_way_out(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path mpirun = given_mpirun(&scratch, "HYDRA build details:");
    char *argv[] = {"doctor", "--mpirun", mpirun.text, scratch.path, NULL};
    struct report report = doctor_of(&scratch, argv);
    assert_int_equal(report.status, 1);
    assert_non_null(strstr(report.text, "the launcher of MPICH"));
    assert_non_null(strstr(report.text, "--mpirun mpirun.openmpi"));
    assert_null(strstr(report.text, "HYDRA"));
    scratch_remove(&scratch);
}

static void wrong_usage_has_status_2(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    char *unknown[] = {"doctor", "--xyz", NULL};
    struct report report = doctor_of(&scratch, unknown);
    assert_int_equal(report.status, 2);
    assert_non_null(strstr(report.text, "--xyz"));
    char *cut[] = {"doctor", "--mpirun", NULL};
    assert_int_equal(doctor_of(&scratch, cut).status, 2);
    char *two[] = {"doctor", ".", "..", NULL};
    assert_int_equal(doctor_of(&scratch, two).status, 2);
    char *help[] = {"doctor", "--help", NULL};
    assert_int_equal(doctor_of(&scratch, help).status, 0);
    scratch_remove(&scratch);
}

static void plugin_path_entries_are_checked(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path mpirun = given_mpirun(&scratch, "mpirun (Open MPI) 5.0.7");
    char setting[600];
    snprintf(setting, sizeof setting, "%s:%s/absent", scratch.path, scratch.path);
    assert_int_equal(setenv("SHEAF_PLUGIN_PATH", setting, 1), 0);
    char *argv[] = {"doctor", "--mpirun", mpirun.text, scratch.path, NULL};
    struct report report = doctor_of(&scratch, argv);
    assert_int_equal(unsetenv("SHEAF_PLUGIN_PATH"), 0);
    char expected[700];
    snprintf(expected, sizeof expected, "ok    plug-ins      %s (", scratch.path);
    assert_non_null(strstr(report.text, expected));
    snprintf(expected, sizeof expected, "warn  plug-ins      %s/absent (", scratch.path);
    assert_non_null(strstr(report.text, expected));
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_host_has_no_failure),
        cmocka_unit_test(missing_mpirun_and_directory_are_failures),
        cmocka_unit_test(launcher_of_mpich_is_called_so_with_the_way_out),
        cmocka_unit_test(wrong_usage_has_status_2),
        cmocka_unit_test(plugin_path_entries_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
