/* executor_log.c - log files of executors, in the run directory. */
#include "executor_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, HOST_BYTES = 256, LOG_MODE = 0600, DIRECTORY_MODE = 0700 };

/* False when it does not fit. */
static bool name_log(char path[PATH_BYTES], const char *run_dir, long spawner, int64_t slot)
{
    char host[HOST_BYTES] = "";
    int length;
    if (gethostname(host, sizeof host - 1) != 0)
        strcpy(host, "unknown-host");
    if (slot == EXECUTOR_LOG_PREPARE)
        length = snprintf(path, PATH_BYTES, "%s/logs/spawner-%s-%ld.log", run_dir, host, spawner);
    else
        length = snprintf(path, PATH_BYTES, "%s/logs/executor-%s-%ld-%ld.log", run_dir, host,
                          spawner, (long)slot);
    return length > 0 && length < PATH_BYTES;
}

static int open_log(const char *run_dir, long spawner, int64_t slot)
{
    char path[PATH_BYTES];
    if (run_dir == NULL || !name_log(path, run_dir, spawner, slot))
        return -1;
    char *name = strrchr(path, '/');
    *name = '\0';
    if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return -1;
    *name = '/';
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, LOG_MODE);
}

void executor_log_open(const char *run_dir, long spawner, int64_t slot)
{
    int log = open_log(run_dir, spawner, slot);
    if (log >= 0) {
        dup2(log, STDERR_FILENO);
        close(log);
    } else if (run_dir != NULL) {
        fprintf(stderr,
                "sheaf: cannot write a task log in %s/logs: %s; output of tasks is shown "
                "here\n",
                run_dir, strerror(errno));
    }
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

void executor_log_drop_empty(const char *run_dir, long spawner, int64_t slot)
{
    char path[PATH_BYTES];
    struct stat status;
    if (run_dir != NULL && name_log(path, run_dir, spawner, slot) && stat(path, &status) == 0 &&
        status.st_size == 0)
        unlink(path);
}
