/* untidy.c - tasks that emit what they find around them, and that change it when parameter `task`
 * says so, in the way of parameter `how`. */
#include <sheaf.h>

#include <fenv.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

static void change(const char *how)
{
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
    return setenv(variable, "opened", 1);
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int status = emit_surroundings(context);
    if ((uint64_t)sheaf_parameter_integer(context, "task") == task->index)
        change(sheaf_parameter_string(context, "how"));
    return status;
}

SHEAF_PLUGIN(.open = open_executor, .run = run)
