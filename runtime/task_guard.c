/* task_guard.c - waits for the end of a spawner, and clears up after one that was killed. */
#include "task_guard.h"

#include "left_processes.h"
#include "process_files.h"
#include "process_title.h"
#include "process_watch.h"
#include "staging.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KILL_PATIENCE_MS = 30000 };

/* Shared by the two. */
struct task_guard {
    atomic_bool is_dismissed;
    _Atomic pid_t sessions[]; /* of slots */
};

/* Nothing of the spawner's, and of mpirun's, is held open: others wait for its end. */
static int keep_only(int descriptor)
{
    enum { WATCHED = STDERR_FILENO + 1, FIRST_UNUSED };
    int null = open("/dev/null", O_RDWR);
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        dup2(null, i);
    if (descriptor >= 0)
        descriptor = dup2(descriptor, WATCHED);
    close_range(descriptor >= 0 ? FIRST_UNUSED : WATCHED, ~0U, 0);
    return descriptor;
}

static void ignore_requests(void)
{
    static const int requests[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        signal(requests[i], SIG_IGN);
}

static _Noreturn void guard(const struct task_guard_options *options,
                            const struct task_guard *shared, struct process_watch *spawner)
{
    pid_t left;
    setsid();
    ignore_requests();
    process_title_set(TASK_GUARD_TITLE);
    spawner->descriptor = keep_only(spawner->descriptor);
    while (!process_watch_wait(spawner, -1))
        poll(NULL, 0, PROCESS_WATCH_LOOK_MS); /* the kernel has no memory for it now */
    if (atomic_load(&shared->is_dismissed))
        _exit(0);
    const struct left_processes order = {.mark = options->mark,
                                         .whose = LEFT_BY_OWNER,
                                         .patience_ms = KILL_PATIENCE_MS,
                                         .sessions = shared->sessions,
                                         .session_count = options->slot_count};
    left_processes_end(&order, &left);
    for (uint32_t i = 0; options->notes != NULL && i < options->slot_count; i++)
        staging_sweep(staging_note_of(options->notes, i));
    _exit(0);
}

pid_t task_guard_start(const struct task_guard_options *options, struct task_guard **started)
{
    struct process_watch spawner;
    size_t size = sizeof **started + options->slot_count * sizeof(*started)->sessions[0];
    struct task_guard *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 0;
    if (!process_watch_open(&spawner, getpid())) {
        munmap(shared, size);
        return 0;
    }
    long process = syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), 0L, 0L, 0L, 0L);
    if (process == 0)
        guard(options, shared, &spawner);
    process_watch_close(&spawner);
    if (process < 0) {
        munmap(shared, size);
        return 0;
    }
    *started = shared;
    return (pid_t)process;
}

_Atomic pid_t *task_guard_session_of(struct task_guard *guard, uint32_t slot)
{
    return guard != NULL ? &guard->sessions[slot] : NULL;
}

void task_guard_dismiss(struct task_guard *guard)
{
    if (guard != NULL)
        atomic_store(&guard->is_dismissed, true);
}

bool task_guard_is(pid_t process)
{
    size_t size;
    char *name = process_file_read(process, "comm", &size);
    bool is_guard = name != NULL && strcmp(name, TASK_GUARD_TITLE "\n") == 0;
    free(name);
    return is_guard;
}
