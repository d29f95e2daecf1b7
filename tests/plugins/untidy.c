/* untidy.c - tasks that emit what they find around them, and that change it when parameter `task`
 * says so, in the way of parameter `how`. */
#include <sheaf.h>

#include <fcntl.h>
#include <fenv.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char variable[] = "SHEAF_TEST_UNTIDY";

static void change_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

static void change_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 100;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void change_cores(void)
{
    cpu_set_t now;
    cpu_set_t fewer;
    sched_getaffinity(0, sizeof now, &now);
    CPU_ZERO(&fewer);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&fewer) == 0; i++)
        if (CPU_ISSET(i, &now))
            CPU_SET(i, &fewer);
    sched_setaffinity(0, sizeof fewer, &fewer);
}

/* As strtok does it to a string from getenv. */
static void cut_variable(void)
{
    char *text = getenv(variable);
    if (text != NULL)
        text[0] = '\0';
}

/* The parent waits, so that both have returned when the task has ended; `waits` says whether. */
static void fork_and_return(int waits)
{
    pid_t copy = fork();
    if (copy > 0 && waits)
        waitpid(copy, NULL, 0);
}

static void on_signal(int number)
{
    (void)number;
}

/* Without the right to be nicer again. */
static void change_niceness_for_good(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    syscall(SYS_capset, &header, none);
    setpriority(PRIO_PROCESS, 0, 15);
}

static void check(int result)
{
    if (result < 0)
        abort();
}

/* What the tasks after it would find longer than a moment. */
static void change_process(const char *how)
{
    const struct itimerval soon = {.it_value = {.tv_sec = 1000}};
    sigset_t all;
    sigfillset(&all);
    if (strcmp(how, "niceness") == 0)
        setpriority(PRIO_PROCESS, 0, 7);
    else if (strcmp(how, "niceness for good") == 0)
        change_niceness_for_good();
    else if (strcmp(how, "handler") == 0)
        signal(SIGUSR2, on_signal);
    else if (strcmp(how, "alarm") == 0)
        alarm(1000);
    else if (strcmp(how, "timer") == 0)
        setitimer(ITIMER_PROF, &soon, NULL);
    else if (strcmp(how, "file") == 0)
        check(open("/proc/self/stat", O_RDONLY));
    else if (strcmp(how, "far file") == 0)
        check(fcntl(open("/", O_RDONLY), F_DUPFD, 1000));
    else if (strcmp(how, "raw directory") == 0)
        check((int)syscall(SYS_chdir, "/"));
    else if (strcmp(how, "raw mask") == 0)
        syscall(SYS_umask, 0777);
    else if (strcmp(how, "raw signals") == 0)
        syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 8);
    else
        return;
    usleep(30000); /* after so long everything is looked at */
}

static void change(const char *how)
{
    change_process(how);
    if (strcmp(how, "directory") == 0 && chdir("/") != 0)
        abort();
    if (strcmp(how, "mask") == 0)
        umask(0777);
    if (strcmp(how, "cores") == 0)
        change_cores();
    if (strcmp(how, "signals") == 0)
        change_signals();
    if (strcmp(how, "rounding") == 0)
        fesetround(FE_UPWARD);
    if (strcmp(how, "limit") == 0)
        change_limit();
    if (strcmp(how, "variable") == 0)
        setenv(variable, "changed", 1);
    if (strcmp(how, "new variable") == 0)
        setenv("SHEAF_TEST_UNTIDY_TOO", "new", 1);
    if (strcmp(how, "no environment") == 0)
        clearenv();
    if (strcmp(how, "string") == 0)
        cut_variable();
    if (strcmp(how, "fork") == 0)
        fork_and_return(1);
    if (strcmp(how, "fork at once") == 0)
        fork_and_return(0);
}

/* Beyond what is in emit_surroundings. */
static int emit_process(struct sheaf_context *context)
{
    struct itimerval timer;
    struct sigaction handler;
    int descriptor_count = 0;
    int timer_count = 0;
    for (int i = 0; i < 2000; i++)
        descriptor_count += fcntl(i, F_GETFD) >= 0;
    for (int i = ITIMER_REAL; i <= ITIMER_PROF; i++)
        timer_count += getitimer((__itimer_which_t)i, &timer) == 0 && timer.it_value.tv_sec > 0;
    sigaction(SIGUSR2, NULL, &handler);
    return sheaf_emit_text(context, "%d %d %d %d ", getpriority(PRIO_PROCESS, 0), timer_count,
                           descriptor_count, handler.sa_handler == SIG_DFL);
}

static int emit_surroundings(struct sheaf_context *context)
{
    char *directory = getcwd(NULL, 0);
    mode_t mask = umask(0);
    cpu_set_t cpus;
    sigset_t blocked;
    struct rlimit limit;
    int blocked_count = 0;
    int variable_count = 0;
    umask(mask);
    sched_getaffinity(0, sizeof cpus, &cpus);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    getrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 1; i < 32; i++)
        blocked_count += sigismember(&blocked, i) == 1;
    while (environ != NULL && environ[variable_count] != NULL)
        variable_count++;
    const char *text = getenv(variable);
    int status = sheaf_emit_text(context, "%s %o %d %d %d %llu %s %d\n", directory, (unsigned)mask,
                                 CPU_COUNT(&cpus), blocked_count, fegetround(),
                                 (unsigned long long)limit.rlim_cur, text != NULL ? text : "unset",
                                 variable_count);
    free(directory);
    return status;
}

static int open_executor(struct sheaf_context *context, void **local)
{
    (void)context;
    *local = NULL;
    if (open("/dev/null", O_RDONLY) < 0) /* stays */
        return 1;
    return setenv(variable, "opened", 1);
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int status = emit_process(context);
    if (status == 0)
        status = emit_surroundings(context);
    if ((uint64_t)sheaf_parameter_integer(context, "task") == task->index)
        change(sheaf_parameter_string(context, "how"));
    return status;
}

SHEAF_PLUGIN(.open = open_executor, .run = run)
