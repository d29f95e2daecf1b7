/* test_mpi_environment.c - variables of MPI on their way to tasks. */
#include "../../runtime/mpi_environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *encoded(char *const *environment)
{
    char *word = NULL;
    assert_int_equal(mpi_environment_encode(environment, &word, NULL), 0);
    return word;
}

static void variables_arrive_as_they_were(void **state)
{
    (void)state;
    char *environment[] = {"PATH=/bin", "OMPI_MCA_a=x y:%;\n\303\244", "PMI_empty=", "PRTE_b==", 0};
    char *word = encoded(environment);
    assert_null(strpbrk(word, " ;\n'\""));
    mpi_environment_remove();
    setenv("PATH", "/usr/bin", 1);
    mpi_environment_restore(word);
    assert_string_equal(getenv("OMPI_MCA_a"), "x y:%;\n\303\244");
    assert_string_equal(getenv("PMI_empty"), "");
    assert_string_equal(getenv("PRTE_b"), "=");
    assert_string_equal(getenv("PATH"), "/usr/bin");
    mpi_environment_remove();
    free(word);
}

static void only_those_of_mpi_are_removed(void **state)
{
    (void)state;
    setenv("OMPI_COMM_WORLD_RANK", "1", 1);
    setenv("PMIX_RANK", "1", 1);
    setenv("HFI_NO_BACKTRACE", "1", 1);
    setenv("MY_OMPI_X", "1", 1);
    setenv("OMP_NUM_THREADS", "4", 1);
    mpi_environment_remove();
    assert_null(getenv("OMPI_COMM_WORLD_RANK"));
    assert_null(getenv("PMIX_RANK"));
    assert_null(getenv("HFI_NO_BACKTRACE"));
    assert_string_equal(getenv("MY_OMPI_X"), "1");
    assert_string_equal(getenv("OMP_NUM_THREADS"), "4");
}

static void none_are_an_empty_word(void **state)
{
    (void)state;
    char *environment[] = {"PATH=/bin", 0};
    char *word = encoded(environment);
    assert_string_equal(word, "");
    mpi_environment_restore(word);
    free(word);
}

static void what_no_argument_could_hold_is_refused(void **state)
{
    (void)state;
    static char variable[MPI_ENVIRONMENT_BYTES_MAX] = "OMPI_x=";
    memset(variable + strlen("OMPI_x="), 'y', sizeof variable - strlen("OMPI_x=") - 1);
    char *environment[] = {variable, 0};
    char *word = NULL;
    struct sheaf_error error;
    assert_int_equal(mpi_environment_encode(environment, &word, &error), SHEAF_ERROR_USAGE);
    assert_non_null(strstr(error.text, "unset"));
    assert_null(word);
}

static void only_mpirun_is_asked(void **state)
{
    (void)state;
    assert_null(mpi_environment_of_mpirun(getpid()));
}

static void confinement_yields_to_the_users_settings(void **state)
{
    (void)state;
    mpi_environment_remove();
    setenv("OMPI_MCA_hwloc_base_cpu_list", "1", 1);
    setenv("PRTE_MCA_prte_set_default_slots", "7", 1);
    mpi_environment_confine(3);
    assert_null(getenv("OMPI_MCA_hwloc_base_binding_policy"));
    assert_string_equal(getenv("OMPI_MCA_orte_set_default_slots"), "3");
    assert_string_equal(getenv("PRTE_MCA_prte_set_default_slots"), "7");
    mpi_environment_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_arrive_as_they_were),
        cmocka_unit_test(only_those_of_mpi_are_removed),
        cmocka_unit_test(none_are_an_empty_word),
        cmocka_unit_test(what_no_argument_could_hold_is_refused),
        cmocka_unit_test(only_mpirun_is_asked),
        cmocka_unit_test(confinement_yields_to_the_users_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
