/* test_mpirun.c - mpirun is recognized, and told what its version must be told. */
#include "../../runtime/mpirun.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct mpirun given_mpirun(const char *version)
{
    struct mpirun mpirun = {.path = "mpirun"};
    char text[100];
    snprintf(text, sizeof text, "mpirun (Open MPI) %s\n\nReport bugs to ...\n", version);
    assert_int_equal(mpirun_read_version(text, &mpirun, NULL), 0);
    return mpirun;
}

static void assert_not_usable(const char *text, const char *reason)
{
    struct mpirun mpirun = {.path = "mpirun"};
    struct sheaf_error error;
    assert_int_equal(mpirun_read_version(text, &mpirun, &error), SHEAF_ERROR_PROCESS);
    assert_non_null(strstr(error.text, reason));
    assert_int_equal(mpirun.major, 0);
}

/* The words of a launch, with blanks between and around them. */
struct line {
    char text[1000];
};

static struct line line_of(const char *version, const struct mpirun_layout *layout,
                           const struct run_options *options)
{
    struct mpirun mpirun = given_mpirun(version);
    struct mpirun_program program = {.path = "/bin/sheaf"};
    char **arguments = mpirun_arguments(&mpirun, layout, &program, options);
    struct line line = {.text = " "};
    for (int i = 0; arguments[i] != NULL; i++) {
        strncat(line.text, arguments[i], sizeof line.text - strlen(line.text) - 1);
        strncat(line.text, " ", sizeof line.text - strlen(line.text) - 1);
    }
    free(arguments);
    return line;
}

static void assert_has(const struct line *line, const char *words)
{
    if (strstr(line->text, words) == NULL)
        fail_msg("no \"%s\" in \"%s\"", words, line->text);
}

static void assert_has_not(const struct line *line, const char *words)
{
    if (strstr(line->text, words) != NULL)
        fail_msg("\"%s\" in \"%s\"", words, line->text);
}

static void versions_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(given_mpirun("4.1.4").minor, 1);
    assert_int_equal(given_mpirun("5.0.7").major, 5);
    assert_int_equal(given_mpirun("5.1.0a1").minor, 1);
    assert_int_equal(given_mpirun("10.0").major, 10);
}

static void other_programs_are_refused(void **state)
{
    (void)state;
    assert_not_usable("mpirun (Open MPI) 4.0.5\n", "4.0");
    assert_not_usable("mpirun (Open MPI) 3.1.3\n", "too old");
    assert_not_usable("", "not Open MPI");
    assert_not_usable("slurm 22.05.8\n", "the launcher of Slurm");
}

static void other_kinds_of_mpi_are_called_by_their_names(void **state)
{
    (void)state;
    assert_not_usable("HYDRA build details:\n    Version: 4.0.2\n",
                      "mpirun is the launcher of MPICH, which cannot start Sheaf");
    assert_not_usable("HYDRA build details:\n    Version: 4.0.2\n", "--mpirun mpirun.openmpi");
    assert_not_usable("Intel(R) MPI Library for Linux* OS, Version 2021.9\n", "Intel MPI");
    assert_not_usable("prterun (PRRTE) 3.0.7\n", "name the mpirun beside it");
}

static void open_mpi_is_known_by_its_other_names(void **state)
{
    (void)state;
    struct mpirun mpirun = {.path = "mpirun.openmpi"};
    assert_int_equal(mpirun_read_version("mpirun.openmpi (OpenRTE) 4.1.4\n\n", &mpirun, NULL), 0);
    assert_int_equal(mpirun.major, 4);
    assert_int_equal(mpirun.minor, 1);
    assert_not_usable("orterun (OpenRTE) 4.0.3\n", "too old");
}

static void version_4_gets_its_options(void **state)
{
    (void)state;
    struct run_options options = {.job_path = "j"};
    struct line line = line_of("4.1.4", &(struct mpirun_layout){.ranks = 3}, &options);
    assert_has(&line, " --enable-recovery ");
    assert_has(&line, " --oversubscribe ");
    assert_has(&line, " --bind-to none ");
    assert_has(&line, " -n 3 /bin/sheaf run --under-launcher ");
    assert_has_not(&line, "--map-by");
    assert_has_not(&line, "yield");
}

static void version_5_gets_its_options(void **state)
{
    (void)state;
    struct run_options options = {.job_path = "j"};
    struct line line = line_of("5.0.7", &(struct mpirun_layout){.ranks = 3}, &options);
    assert_has(&line, " --with-ft ulfm ");
    assert_has(&line, " --map-by slot:OVERSUBSCRIBE ");
    assert_has(&line, " --bind-to none ");
    assert_has_not(&line, "--enable-recovery");
    assert_has_not(&line, "--oversubscribe ");
}

static void one_host_needs_no_network(void **state)
{
    (void)state;
    unsetenv("OMPI_MCA_pml");
    unsetenv("OMPI_MCA_btl");
    struct run_options options = {.job_path = "j"};
    struct mpirun_layout here = {.ranks = 3, .host_count = 1};
    struct mpirun_layout hosts = {.ranks = 3, .host_count = 2};
    struct line line = line_of("4.1.4", &here, &options);
    assert_has(&line, " --mca pml ob1 --mca btl self,vader,tcp ");
    line = line_of("5.0.7", &here, &options);
    assert_has(&line, " --mca pml ob1 --mca btl self,sm,tcp ");
    line = line_of("4.1.4", &hosts, &options);
    assert_has_not(&line, " --mca ");
}

static void own_network_of_the_user_is_respected(void **state)
{
    (void)state;
    const char *words[] = {"--mca", "pml", "ucx"};
    struct run_options options = {.job_path = "j", .mpi_options = words, .mpi_option_count = 3};
    struct mpirun_layout here = {.ranks = 3, .host_count = 1};
    struct line line = line_of("4.1.4", &here, &options);
    assert_has(&line, " --mca pml ucx ");
    assert_has_not(&line, "btl");
    setenv("OMPI_MCA_btl", "^openib", 1);
    line = line_of("4.1.4", &here, &(struct run_options){.job_path = "j"});
    unsetenv("OMPI_MCA_btl");
    assert_has_not(&line, "pml");
}

static void several_hosts_get_a_rank_each_in_turn(void **state)
{
    (void)state;
    struct run_options options = {.job_path = "j", .hostfile = "hosts"};
    struct mpirun_layout layout = mpirun_layout_choose(&options, 4, 64);
    assert_int_equal(layout.ranks, 5);
    assert_false(layout.is_crowded);
    struct line old = line_of("4.1.4", &layout, &options);
    struct line new = line_of("5.0.7", &layout, &options);
    assert_has(&old, " --map-by node ");
    assert_has(&old, " --hostfile hosts ");
    assert_has(&new, " --map-by node:OVERSUBSCRIBE ");
}

static void own_mapping_of_the_user_is_respected(void **state)
{
    (void)state;
    const char *words[] = {"--map-by", "socket", "--mca", "x", "y"};
    struct run_options options = {.job_path = "j", .mpi_options = words, .mpi_option_count = 5};
    struct line line =
        line_of("5.0.7", &(struct mpirun_layout){.ranks = 3, .host_count = 2}, &options);
    assert_has(&line, " --map-by socket --mca x y /bin/sheaf ");
    assert_has_not(&line, "OVERSUBSCRIBE");
}

static void ranks_get_all_arguments_of_the_user(void **state)
{
    (void)state;
    char *arguments[] = {"-p", "a=b", "job.yaml"};
    struct run_options options = {.arguments = arguments, .argument_count = 3};
    struct line line = line_of("4.1.4", &(struct mpirun_layout){.ranks = 2}, &options);
    assert_has(&line, " run --under-launcher -p a=b job.yaml ");
}

static void one_host_gets_two_workers_if_it_has_two_cores(void **state)
{
    (void)state;
    struct run_options options = {.job_path = "j"};
    assert_int_equal(mpirun_layout_choose(&options, 0, 1).ranks, 2);
    assert_int_equal(mpirun_layout_choose(&options, 0, 2).ranks, 3);
    assert_int_equal(mpirun_layout_choose(&options, 0, 64).ranks, 3);
    assert_int_equal(mpirun_layout_choose(&options, 1, 64).ranks, 3);
    assert_true(mpirun_layout_choose(&options, 0, 2).is_crowded);
    assert_false(mpirun_layout_choose(&options, 0, 3).is_crowded);
    options.ranks = 9;
    assert_int_equal(mpirun_layout_choose(&options, 0, 64).ranks, 9);
}

static void hosts_that_are_left_take_the_place_of_the_users(void **state)
{
    (void)state;
    struct run_options options = {.job_path = "j", .hostfile = "hosts"};
    struct mpirun_layout layout = mpirun_layout_choose(&options, 2, 64);
    layout.host = "a:4,c";
    struct line line = line_of("4.1.4", &layout, &options);
    assert_has(&line, " --host a:4,c ");
    assert_has_not(&line, "--hostfile");
}

static void missing_mpirun_is_named(void **state)
{
    (void)state;
    struct mpirun mpirun;
    struct sheaf_error error;
    assert_int_equal(mpirun_find("/nowhere/mpirun", &mpirun, &error), SHEAF_ERROR_PROCESS);
    assert_non_null(strstr(error.text, "/nowhere/mpirun"));
    assert_int_equal(mpirun_find("/bin/echo", &mpirun, &error), SHEAF_ERROR_PROCESS);
    assert_non_null(strstr(error.text, "not Open MPI"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_told_apart),
        cmocka_unit_test(other_programs_are_refused),
        cmocka_unit_test(other_kinds_of_mpi_are_called_by_their_names),
        cmocka_unit_test(open_mpi_is_known_by_its_other_names),
        cmocka_unit_test(version_4_gets_its_options),
        cmocka_unit_test(version_5_gets_its_options),
        cmocka_unit_test(one_host_needs_no_network),
        cmocka_unit_test(own_network_of_the_user_is_respected),
        cmocka_unit_test(several_hosts_get_a_rank_each_in_turn),
        cmocka_unit_test(own_mapping_of_the_user_is_respected),
        cmocka_unit_test(ranks_get_all_arguments_of_the_user),
        cmocka_unit_test(one_host_gets_two_workers_if_it_has_two_cores),
        cmocka_unit_test(hosts_that_are_left_take_the_place_of_the_users),
        cmocka_unit_test(missing_mpirun_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
