/* trouble.c - a plug-in that misbehaves: parameter `where` names the hook, `task` the task (for
 * run), `how` what it does there. Otherwise each task's result is its index as text. */
#include <sheaf.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEBIBYTE = 1 << 20, EATEN_MEBIBYTES_MAX = 4096 };

static void hang(void)
{
    for (;;)
        pause();
}

/* Slowly enough to be caught before the machine suffers. */
static int eat(struct sheaf_context *context)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    for (int i = 0; i < EATEN_MEBIBYTES_MAX; i++) {
        char *food = malloc(MEBIBYTE);
        if (food != NULL)
            memset(food, 1, MEBIBYTE);
        nanosleep(&nap, NULL);
    }
    return sheaf_fail(context, "nobody stopped me");
}

/* In a process of its own, which has hardly anything itself. */
static int eat_in_child(struct sheaf_context *context)
{
    pid_t child = fork();
    if (child == 0)
        _exit(eat(context) == 0);
    waitpid(child, NULL, 0);
    return sheaf_fail(context, "nobody stopped my child");
}

static int crash(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
    return 0;
}

static int start_background_child(void)
{
    if (fork() == 0)
        hang();
    return 0;
}

static int close_descriptors(void)
{
    for (int i = 0; i < 1024; i++)
        close(i);
    return 0;
}

static int emit_without_end(struct sheaf_context *context)
{
    char *bytes = calloc(1, MEBIBYTE);
    int status = 0;
    for (int i = 0; i < EATEN_MEBIBYTES_MAX && status == 0; i++)
        status = sheaf_emit(context, bytes, MEBIBYTE);
    free(bytes);
    return 0; /* a careless plug-in: the attempt must fail all the same */
}

static int print(void)
{
    printf("said on standard output\n");
    fprintf(stderr, "said on standard error\n");
    return 0;
}

static int print_without_end(void)
{
    uint64_t i = 0;
    while (printf("line %" PRIu64 " of very many, each of which says the same again\n", i++) > 0)
        continue;
    return 0;
}

static int misbehave(struct sheaf_context *context, const char *how)
{
    if (strcmp(how, "crash") == 0)
        return crash();
    if (strcmp(how, "hang") == 0)
        hang();
    if (strcmp(how, "eat") == 0)
        return eat(context);
    if (strcmp(how, "fork") == 0)
        return fork() < 0;
    if (strcmp(how, "eat in child") == 0)
        return eat_in_child(context);
    if (strcmp(how, "fail") == 0)
        return sheaf_fail(context, "failed with number %d", 42);
    if (strcmp(how, "fail for good") == 0)
        return sheaf_fail_for_good(context, "failed with number %d, for good", 43);
    if (strcmp(how, "return") == 0)
        return 5;
    if (strcmp(how, "exit 0") == 0)
        exit(0);
    if (strcmp(how, "exit 3") == 0)
        exit(3);
    if (strcmp(how, "close") == 0)
        return close_descriptors();
    if (strcmp(how, "background") == 0)
        return start_background_child();
    if (strcmp(how, "background crash") == 0)
        return start_background_child() == 0 ? crash() : 0;
    if (strcmp(how, "emit") == 0)
        return emit_without_end(context);
    if (strcmp(how, "print") == 0)
        return print();
    if (strcmp(how, "print without end") == 0)
        return print_without_end();
    if (strcmp(how, "print and fail") == 0) {
        fprintf(stderr, "said on standard error\n");
        return sheaf_fail(context, "it is on standard error");
    }
    if (strcmp(how, "missing parameter") == 0)
        return (int)sheaf_parameter_integer(context, "absent");
    if (strcmp(how, "wrong parameter") == 0)
        return (int)sheaf_parameter_integer(context, "how");
    return sheaf_fail(context, "there is no trouble called \"%s\"", how);
}

static int trouble(struct sheaf_context *context, const char *hook)
{
    if (strcmp(sheaf_parameter_string(context, "where"), hook) != 0)
        return 0;
    return misbehave(context, sheaf_parameter_string(context, "how"));
}

static int prepare(struct sheaf_context *context, void **shared)
{
    *shared = NULL;
    return trouble(context, "prepare");
}

static int open_executor(struct sheaf_context *context, void **local)
{
    *local = NULL;
    return trouble(context, "open");
}

static void close_executor(struct sheaf_context *context, void *local)
{
    (void)local;
    trouble(context, "close");
}

static int split(struct sheaf_context *context)
{
    sheaf_add_tasks(context, 10);
    return trouble(context, "split");
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int status = 0;
    if (!sheaf_parameter_exists(context, "task") ||
        (uint64_t)sheaf_parameter_integer(context, "task") == task->index)
        status = trouble(context, "run");
    return status != 0 ? status : sheaf_emit_text(context, "%" PRIu64, task->index);
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    int status = trouble(context, "merge");
    sheaf_emit(context, left.data, left.size);
    sheaf_emit(context, right.data, right.size);
    return status;
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    int status = trouble(context, "finish");
    sheaf_emit(context, result.data, result.size);
    return status;
}

SHEAF_PLUGIN(.prepare = prepare, .open = open_executor, .close = close_executor, .split = split,
             .run = run, .merge = merge, .finish = finish)
