/* test_process_watch.c - the end of a process is seen, with and without pidfds. */
#include "../../runtime/process_watch.h"

#include "../../scheduler/check.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* As a kernel before 5.3, for this process. */
static void forbid_pidfds(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static pid_t given_process(void)
{
    pid_t process = fork();
    CHECK(process >= 0);
    while (process == 0)
        pause();
    return process;
}

/* What is not so ends this process by SIGABRT. */
static void watch_one(bool has_descriptor)
{
    struct process_watch watch;
    pid_t process = given_process();
    CHECK(process_watch_open(&watch, process));
    CHECK((watch.descriptor >= 0) == has_descriptor);
    CHECK(!process_watch_has_ended(&watch));
    CHECK(!process_watch_wait(&watch, 10));
    process_watch_signal(&watch, SIGTERM);
    CHECK(process_watch_wait(&watch, -1)); /* it is a zombie */
    CHECK(process_watch_has_ended(&watch));
    int status;
    CHECK(waitpid(process, &status, 0) == process && WTERMSIG(status) == SIGTERM);
    CHECK(process_watch_has_ended(&watch));
    process_watch_signal(&watch, SIGTERM); /* to nobody */
    process_watch_close(&watch);
    CHECK(!process_watch_open(&watch, process));
    CHECK(!process_watch_has_ended(&watch)); /* of nothing */
}

static void end_is_seen(void **state)
{
    (void)state;
    watch_one(true);
}

static void end_is_seen_without_pidfds(void **state)
{
    (void)state;
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        forbid_pidfds();
        watch_one(false);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(process, &status, 0), process);
    assert_int_equal(status, 0);
}

static void nothing_never_ends(void **state)
{
    (void)state;
    struct process_watch watch = {.process = 0};
    assert_false(process_watch_has_ended(&watch));
    process_watch_signal(&watch, SIGKILL);
    process_watch_close(&watch);
    assert_false(process_watch_has_ended(&watch));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(end_is_seen),
        cmocka_unit_test(end_is_seen_without_pidfds),
        cmocka_unit_test(nothing_never_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
