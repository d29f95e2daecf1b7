/* test_left_processes.c - of marked processes those are ended that nobody answers for any more. */
#include "../../runtime/left_processes.h"

#include "../../runtime/process_files.h"
#include "../../scheduler/check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 60000 };

/* This process is the spawner that looks, of rank 1's process. */
struct given {
    char run_dir[64]; /* nobody else's */
    struct task_mark mark;
};

static void given_mark(struct given *given)
{
    snprintf(given->run_dir, sizeof given->run_dir, "/nowhere/%ld", (long)getpid());
    task_mark_make(&given->mark, given->run_dir, 7, getpid());
}

/* A program with one variable in its environment. */
static pid_t start_program(const char *variable)
{
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t process = fork();
    CHECK(process >= 0);
    if (process == 0) {
        char *environment[] = {(char *)(uintptr_t)variable, NULL};
        char *words[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                         (char *)(uintptr_t) "exec 3>&-; read never", NULL};
        int input[2];
        CHECK(pipe(input) == 0);
        dup2(input[0], STDIN_FILENO);
        dup2(ready[1], STDERR_FILENO + 1);
        close(ready[1] != STDERR_FILENO + 1 ? ready[1] : -1);
        setsid();
        execve("/bin/sh", words, environment);
        _exit(127);
    }
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 0); /* the program runs */
    close(ready[0]);
    return process;
}

static pid_t start_marked(const struct given *given, const struct task_owner *owner)
{
    char value[TASK_MARK_VALUE_BYTES];
    char variable[TASK_MARK_NAME_BYTES + TASK_MARK_VALUE_BYTES];
    task_mark_write_owner(owner, value);
    snprintf(variable, sizeof variable, "%s=%s", given->mark.name, value);
    return start_program(variable);
}

static void end(const struct given *given, enum left_processes_of whose)
{
    pid_t left;
    const struct left_processes order = {
        .mark = &given->mark, .whose = whose, .patience_ms = PATIENCE_MS};
    assert_int_equal(left_processes_end(&order, &left), 0);
}

static void is_ended(pid_t process)
{
    int status;
    assert_int_equal(waitpid(process, &status, WNOHANG), process); /* it is awaited */
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void is_spared(pid_t process)
{
    int status;
    assert_int_equal(waitpid(process, &status, WNOHANG), 0);
    kill(process, SIGKILL);
    waitpid(process, &status, 0);
}

/* As this one's, of a spawner that has ended. */
static struct task_owner ended_owner(const struct given *given)
{
    struct task_owner owner = given->mark.owner;
    owner.spawner_start_ticks--; /* its number is ours now */
    return owner;
}

static struct task_owner living_owner(const struct given *given, pid_t *spawner)
{
    struct task_owner owner = given->mark.owner;
    struct process_stat stat;
    *spawner = start_program("A=b");
    CHECK(process_stat_read(*spawner, &stat));
    owner.spawner = (uint64_t)*spawner;
    owner.spawner_start_ticks = stat.start_ticks;
    return owner;
}

static void owner_can_be_read(void **state)
{
    (void)state;
    struct given given;
    struct task_owner owner;
    given_mark(&given);
    assert_true(task_mark_read_owner(given.mark.value, &owner));
    assert_int_equal(owner.world, 7);
    assert_int_equal(owner.process_namespace, given.mark.owner.process_namespace);
    assert_int_equal(owner.mount_namespace, given.mark.owner.mount_namespace);
    assert_int_equal(owner.directory, given.mark.owner.directory);
    assert_int_equal(owner.rank_start_ticks, given.mark.owner.rank_start_ticks);
    assert_int_equal(owner.spawner, getpid());
    assert_int_equal(owner.spawner_start_ticks, given.mark.owner.spawner_start_ticks);
    assert_false(task_mark_read_owner("", &owner));
    assert_false(task_mark_read_owner("1-2-3-4", &owner));
    given.mark.value[3] = '-';
    assert_false(task_mark_read_owner(given.mark.value, &owner));
}

static void what_an_ended_spawner_has_left_is_ended(void **state)
{
    (void)state;
    struct given given;
    given_mark(&given);
    struct task_owner owner = ended_owner(&given);
    pid_t marked = start_marked(&given, &owner);
    end(&given, LEFT_BY_EARLIER);
    is_ended(marked);
}

static void what_a_living_one_of_this_world_runs_is_spared(void **state)
{
    (void)state;
    struct given given;
    pid_t spawner;
    given_mark(&given);
    struct task_owner owner = living_owner(&given, &spawner);
    pid_t marked = start_marked(&given, &owner);
    end(&given, LEFT_BY_EARLIER);
    is_spared(marked);
    is_spared(spawner);
}

static void what_a_living_one_of_an_earlier_world_runs_is_ended(void **state)
{
    (void)state;
    struct given given;
    pid_t spawner;
    given_mark(&given);
    struct task_owner owner = living_owner(&given, &spawner);
    owner.world = 8;
    owner.rank_start_ticks--;
    pid_t earlier = start_marked(&given, &owner);
    owner.rank_start_ticks += 2;
    pid_t later = start_marked(&given, &owner);
    end(&given, LEFT_BY_EARLIER);
    is_ended(earlier);
    is_spared(later);
    is_spared(spawner);
}

static void what_belongs_to_others_is_spared(void **state)
{
    (void)state;
    struct given given;
    struct given other;
    given_mark(&given);
    given_mark(&other);
    task_mark_make(&other.mark, "/nowhere/else", 7, getpid());
    struct task_owner owner = ended_owner(&given);
    pid_t of_other_run = start_marked(&other, &owner);
    owner.process_namespace++;
    pid_t of_other_namespace = start_marked(&given, &owner);
    pid_t unmarked = start_program("SHEAF_RUN_=x");
    end(&given, LEFT_BY_EARLIER);
    is_spared(of_other_run);
    is_spared(of_other_namespace);
    is_spared(unmarked);
}

/* Two jobs that have a /tmp each, and run directories of one path in them. */
static void what_belongs_to_a_directory_of_the_same_path_is_spared(void **state)
{
    (void)state;
    struct given given;
    given_mark(&given);
    given.mark.owner.directory = 5;
    struct task_owner owner = ended_owner(&given);
    owner.directory = 5;
    owner.mount_namespace++;
    pid_t same = start_marked(&given, &owner);
    owner.directory = 0; /* not to be seen there */
    pid_t other_namespace = start_marked(&given, &owner);
    owner.mount_namespace--;
    pid_t same_namespace = start_marked(&given, &owner);
    owner.directory = 6;
    pid_t other = start_marked(&given, &owner);
    end(&given, LEFT_BY_EARLIER);
    is_ended(same);
    is_ended(same_namespace);
    is_spared(other_namespace);
    is_spared(other);
}

/* A task of the run has started it again: what else that task runs is not ours to end. */
static void what_has_the_inherited_mark_is_spared(void **state)
{
    (void)state;
    struct given given;
    given_mark(&given);
    struct task_owner owner = ended_owner(&given);
    pid_t marked = start_marked(&given, &owner);
    size_t size;
    char *environment = process_file_read(marked, "environ", &size);
    assert_non_null(environment);
    setenv(given.mark.name, strchr(environment, '=') + 1, 1);
    free(environment);
    given_mark(&given);
    unsetenv(given.mark.name);
    end(&given, LEFT_BY_EARLIER);
    is_spared(marked);
}

static void own_mark_is_what_a_guard_looks_for(void **state)
{
    (void)state;
    struct given given;
    given_mark(&given);
    struct task_owner owner = ended_owner(&given);
    pid_t of_other = start_marked(&given, &owner);
    pid_t own = start_marked(&given, &given.mark.owner);
    end(&given, LEFT_BY_OWNER);
    is_ended(own);
    is_spared(of_other);
}

/* The session of a slot's command, whatever environment there is. */
static void what_is_in_a_noted_session_is_ended(void **state)
{
    (void)state;
    struct given given;
    given_mark(&given);
    pid_t unmarked = start_program("A=b"); /* leads a session */
    pid_t other = start_program("A=b");
    _Atomic pid_t sessions[] = {0, unmarked};
    pid_t left;
    const struct left_processes order = {.mark = &given.mark,
                                         .whose = LEFT_BY_OWNER,
                                         .patience_ms = PATIENCE_MS,
                                         .sessions = sessions,
                                         .session_count = 2};
    assert_int_equal(left_processes_end(&order, &left), 0);
    is_ended(unmarked);
    is_spared(other);
}

/* ---- copies: this program, started again with room for a mark, is the spawner ---- */

/* Marks itself, and leaves a copy, of which it tells the process. */
static int leave_copy(const char *run_dir)
{
    struct task_mark mark;
    task_mark_make(&mark, run_dir, 7, getppid());
    task_mark_set(&mark);
    if (getenv(mark.name) == NULL || strcmp(getenv(mark.name), mark.value) != 0)
        return 1;
    fflush(NULL);
    pid_t copy = fork();
    if (copy == 0) {
        setsid();
        fclose(stdout);
        for (;;)
            pause();
    }
    printf("%d\n", (int)copy);
    return 0;
}

static void copy_that_was_only_forked_is_ended(void **state)
{
    (void)state;
    struct given given;
    char command[256];
    char program[128] = "";
    int copy = 0;
    struct process_stat stat;
    given_mark(&given);
    assert_true(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    assert_true(task_mark_reserve());
    assert_false(task_mark_reserve());
    snprintf(command, sizeof command, "%s leave-copy %s", program, given.run_dir);
    FILE *told = popen(command, "re");
    assert_non_null(told);
    assert_int_equal(fscanf(told, "%d", &copy), 1);
    assert_int_equal(pclose(told), 0);
    assert_true(process_stat_read(copy, &stat));
    end(&given, LEFT_BY_EARLIER);
    assert_false(process_is_alive(copy, stat.start_ticks));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner_can_be_read),
        cmocka_unit_test(what_an_ended_spawner_has_left_is_ended),
        cmocka_unit_test(what_a_living_one_of_this_world_runs_is_spared),
        cmocka_unit_test(what_a_living_one_of_an_earlier_world_runs_is_ended),
        cmocka_unit_test(what_belongs_to_others_is_spared),
        cmocka_unit_test(what_belongs_to_a_directory_of_the_same_path_is_spared),
        cmocka_unit_test(what_has_the_inherited_mark_is_spared),
        cmocka_unit_test(own_mark_is_what_a_guard_looks_for),
        cmocka_unit_test(what_is_in_a_noted_session_is_ended),
        cmocka_unit_test(copy_that_was_only_forked_is_ended),
    };
    if (argc == 3 && strcmp(argv[1], "leave-copy") == 0)
        return leave_copy(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
