/* surroundings.c - tasks that report what is around them: 0 the environment of MPI, 1 the number of
 * open descriptors, 2 the cores it may use, 3 standard input, 4 the process, 5 signals,
 * 6 the GPUs it may use, 7 the number of threads for OpenMP, when it was loaded and now. */
#include <sheaf.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int emit_mpi_environment(struct sheaf_context *context)
{
    for (size_t i = 0; environ[i] != NULL; i++)
        if (strncmp(environ[i], "OMPI_", 5) == 0 || strncmp(environ[i], "PMI", 3) == 0)
            sheaf_emit_text(context, "%s ", environ[i]);
    return sheaf_emit_text(context, "end");
}

/* Beyond standard input, output and error. */
static int emit_descriptors(struct sheaf_context *context)
{
    int count = 0;
    for (int i = 3; i < 1024; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return sheaf_emit_text(context, "%d", count);
}

static int emit_cores(struct sheaf_context *context)
{
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &cpus))
            sheaf_emit_text(context, "%zu ", i);
    return sheaf_emit_text(context, "count %u", sheaf_core_count(context));
}

static int emit_input(struct sheaf_context *context)
{
    char byte;
    return sheaf_emit_text(context, "%d", (int)read(STDIN_FILENO, &byte, 1));
}

static int emit_signals(struct sheaf_context *context)
{
    sigset_t blocked;
    int count = 0;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < 32; i++)
        count += sigismember(&blocked, i) == 1 || signal(i, SIG_DFL) == SIG_IGN;
    return sheaf_emit_text(context, "%d", count);
}

static int emit_gpus(struct sheaf_context *context)
{
    const char *cuda = getenv("CUDA_VISIBLE_DEVICES");
    const char *rocr = getenv("ROCR_VISIBLE_DEVICES");
    return sheaf_emit_text(context, "%s %s ", cuda != NULL ? cuda : "unset",
                           rocr != NULL ? rocr : "unset");
}

static char threads_when_loaded[16];

__attribute__((constructor)) static void note_threads(void)
{
    const char *threads = getenv("OMP_NUM_THREADS");
    strncpy(threads_when_loaded, threads != NULL ? threads : "unset",
            sizeof threads_when_loaded - 1);
}

static int emit_threads(struct sheaf_context *context)
{
    const char *threads = getenv("OMP_NUM_THREADS");
    return sheaf_emit_text(context, "%s %s", threads_when_loaded,
                           threads != NULL ? threads : "unset");
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    switch (task->index) {
    case 0:
        return emit_mpi_environment(context);
    case 1:
        return emit_descriptors(context);
    case 2:
        return emit_cores(context);
    case 3:
        return emit_input(context);
    case 4:
        return sheaf_emit_text(context, "%d", (int)getpid());
    case 5:
        return emit_signals(context);
    case 6:
        return emit_gpus(context);
    default:
        return emit_threads(context);
    }
}

SHEAF_PLUGIN(.run = run)
