/* strike.c - put in front of the C library (LD_PRELOAD), ends or stops one process of a run within
 * the Nth call that a kind of its processes makes: so a fault hits at any place, again and again at
 * the same one. Used by run-faults.
 *
 * Environment:
 *     STRIKE_FILE  counts the calls of each kind (uint64_t, in the order of `enum kind`); shared by
 *                  all processes of the run, so that each number comes once, restarts included
 *     STRIKE_AT    "KIND NUMBER SIGNAL": that call of that kind sends its process the signal
 *     STRIKE_LOG   gets a line then, "TIME_MS KIND SIGNAL PROCESS OTHER...":
 *                  its descendants, who leads its group, and whom that keeps waiting
 */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum kind { LAUNCHER, MPIRUN, MASTER, WORKER, SPAWNER, EXECUTOR, COMMAND, KINDS };

static const char *const kind_names[KINDS] = {"launcher", "mpirun",   "master", "worker",
                                              "spawner",  "executor", "command"};

enum { DESCENDANTS_MAX = 512 };

static _Atomic uint64_t *counts; /* NULL: nothing is counted */
static char log_path[4096];
static enum kind own_kind;
static enum kind struck_kind = KINDS;
static uint64_t struck_call;
static int struck_signal;

/* The children of `process`, added to `found` from `count` on; the new count. */
static int add_children(pid_t process, pid_t *found, int count)
{
    char path[64];
    char text[4096];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *threads = opendir(path);
    for (struct dirent *thread; threads != NULL && (thread = readdir(threads)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%d/task/%.12s/children", (int)process, thread->d_name);
        FILE *file = thread->d_name[0] != '.' ? fopen(path, "re") : NULL;
        if (file == NULL)
            continue;
        size_t size = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[size] = '\0';
        char *rest = NULL;
        for (char *word = strtok_r(text, " ", &rest); word != NULL && count < DESCENDANTS_MAX;
             word = strtok_r(NULL, " ", &rest))
            found[count++] = (pid_t)atoi(word);
    }
    if (threads != NULL)
        closedir(threads);
    return count;
}

/* 0 when that cannot be told. */
static pid_t parent_of(pid_t process)
{
    char path[64];
    char text[512];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "re");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[size] = '\0';
    const char *name_end = strrchr(text, ')');
    if (name_end == NULL || sscanf(name_end + 1, " %*c %d", &parent) != 1)
        return 0;
    return parent;
}

static void strike(void)
{
    counts = NULL; /* what follows is no call of the program's */
    static pid_t processes[DESCENDANTS_MAX + 2];
    static char line[16 * DESCENDANTS_MAX];
    int count = 0;
    processes[count++] = getpid();
    for (int i = 0; i < count; i++)
        count = add_children(processes[i], processes, count);
    /* A shell misses what it waits for; each command has a group of its own. An executor whose
     * command stands still does not report what it has done before. */
    if (own_kind == COMMAND)
        processes[count++] = getpgrp();
    if (own_kind == COMMAND && struck_signal == SIGSTOP)
        processes[count++] = parent_of(getpgrp());
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int length =
        snprintf(line, sizeof line, "%llu %s %d",
                 (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000,
                 kind_names[own_kind], struck_signal);
    for (int i = 0; i < count; i++)
        length += snprintf(line + length, sizeof line - (size_t)length, " %d", (int)processes[i]);
    line[length++] = '\n';
    /* Spawners and executors have closed what they did not know. */
    int log = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log < 0 || write(log, line, (size_t)length) != length)
        abort();
    kill(getpid(), struck_signal);
}

static void count_call(void)
{
    if (counts == NULL)
        return;
    uint64_t number = atomic_fetch_add(&counts[own_kind], 1) + 1;
    if (own_kind == struck_kind && number == struck_call)
        strike();
}

/* A rank forks its spawner, that forks executors, and those what becomes a command. */
static void on_fork(void)
{
    if (own_kind == MASTER || own_kind == WORKER)
        own_kind = SPAWNER;
    else if (own_kind == SPAWNER || own_kind == EXECUTOR)
        own_kind++;
}

static enum kind kind_of_program(void)
{
    static char words[65536];
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t size = file != NULL ? fread(words, 1, sizeof words - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    const char *slash = strrchr(words, '/');
    const char *name = slash != NULL ? slash + 1 : words;
    if (strcmp(name, "mpirun") == 0 || strcmp(name, "orted") == 0 || strcmp(name, "prterun") == 0)
        return MPIRUN;
    if (strcmp(name, "sheaf") != 0)
        return COMMAND;
    for (const char *word = words; word < words + size; word += strlen(word) + 1)
        if (strcmp(word, "--under-launcher") == 0) {
            const char *rank = getenv("OMPI_COMM_WORLD_RANK");
            rank = rank != NULL ? rank : getenv("PMIX_RANK");
            return rank != NULL && strcmp(rank, "0") == 0 ? MASTER : WORKER;
        }
    return LAUNCHER;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("STRIKE_FILE");
    const char *log = getenv("STRIKE_LOG");
    const char *at = getenv("STRIKE_AT");
    if (path == NULL || log == NULL || at == NULL)
        return;
    char name[16] = "";
    unsigned long long call = 0;
    if (sscanf(at, "%15s %llu %d", name, &call, &struck_signal) != 3)
        abort();
    for (enum kind kind = 0; kind < KINDS; kind++)
        if (strcmp(name, kind_names[kind]) == 0)
            struck_kind = kind;
    struck_call = call;
    own_kind = kind_of_program();
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || access(log, W_OK) != 0 || strlen(log) >= sizeof log_path)
        return; /* the run is over, and its files have gone */
    strcpy(log_path, log);
    void *shared = mmap(NULL, KINDS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    pthread_atfork(NULL, NULL, on_fork);
    if (shared != MAP_FAILED)
        counts = shared;
}

/* COUNTED(RESULT, NAME, (PARAMETERS), (ARGUMENTS)): the library's function, counted. */
#define COUNTED(result, name, parameters, arguments)                                               \
    result name parameters;                                                                        \
    result name parameters                                                                         \
    {                                                                                              \
        static result(*next) parameters;                                                           \
        if (next == NULL)                                                                          \
            *(void **)&next = dlsym(RTLD_NEXT, #name);                                             \
        count_call();                                                                              \
        return next arguments;                                                                     \
    }

COUNTED(ssize_t, write, (int file, const void *data, size_t size), (file, data, size))
COUNTED(ssize_t, writev, (int file, const struct iovec *parts, int count), (file, parts, count))
COUNTED(ssize_t, pwrite, (int file, const void *data, size_t size, off_t at),
        (file, data, size, at))
COUNTED(ssize_t, pwrite64, (int file, const void *data, size_t size, off_t at),
        (file, data, size, at))
COUNTED(ssize_t, send, (int file, const void *data, size_t size, int flags),
        (file, data, size, flags))
COUNTED(ssize_t, sendmsg, (int file, const struct msghdr *message, int flags),
        (file, message, flags))
COUNTED(int, fsync, (int file), (file))
COUNTED(int, fdatasync, (int file), (file))
COUNTED(int, ftruncate, (int file, off_t size), (file, size))
COUNTED(int, rename, (const char *from, const char *to), (from, to))
COUNTED(int, renameat, (int from_at, const char *from, int to_at, const char *to),
        (from_at, from, to_at, to))
COUNTED(int, unlink, (const char *path), (path))
COUNTED(int, unlinkat, (int at, const char *path, int flags), (at, path, flags))
COUNTED(int, mkdir, (const char *path, mode_t mode), (path, mode))
COUNTED(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))
COUNTED(int, close, (int file), (file))
COUNTED(pid_t, fork, (void), ())
COUNTED(pid_t, waitpid, (pid_t process, int *status, int options), (process, status, options))
COUNTED(int, kill, (pid_t process, int signal_number), (process, signal_number))
COUNTED(int, munmap, (void *address, size_t size), (address, size))
