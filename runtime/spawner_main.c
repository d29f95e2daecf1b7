/* spawner_main.c - the spawner's process: prepares once, then forks an executor for each request.
 *
 * Order of the start matters: nothing of the rank's (descriptors, signal handlers, MPI's
 * environment) may be left when the plug-in is loaded. */
#include "spawner_main.h"

#include "../jobs/plugin.h"
#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "clock.h"
#include "command_plugin.h"
#include "command_process.h"
#include "context.h"
#include "executor.h"
#include "executor_log.h"
#include "left_processes.h"
#include "mpi_environment.h"
#include "process_children.h"
#include "process_detach.h"
#include "run_place.h"
#include "spawner.h"
#include "spawner_setup.h"
#include "staging.h"
#include "surroundings.h"
#include "task_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    STOP_GRACE_MS = 500,           /* for executors to close and end */
    KILL_WAIT_MS = 1000,           /* for killed executors to be gone */
    LOG_CHECK_MS = 250,            /* between looks at how large the logs are */
    DESCRIPTORS_MAX_GUESS = 65536, /* where the kernel has no close_range */
    EXIT_SETUP_FAILED = 127,
};

struct child {
    pid_t process;
    uint64_t executor;
};

struct spawner_process {
    struct spawner_main_options options;
    pid_t process;
    int signals; /* signalfd of SIGCHLD; -1 before prepare has succeeded */
    struct spawner_setup setup;
    const struct sheaf_plugin *table;
    void *prepared;
    bool chooses_threads; /* the user does not */
    struct child *children;
    size_t child_count;
    size_t child_capacity;
    uint32_t slots_seen; /* for the logs */
    char *notes;         /* of each slot: what its executors have staged (staging.h); or NULL */
    struct task_guard *guard; /* NULL: there is none */
    uint64_t next_log_check_ns;
};

/* ---- leaving the rank behind ---- */

static void close_descriptors(unsigned first, unsigned last)
{
    if (first > last || close_range(first, last, 0) == 0)
        return;
    for (unsigned i = first; i <= last && i < DESCRIPTORS_MAX_GUESS; i++)
        close((int)i);
}

/* Closes all but standard input, output, error and these two, which may be the same. */
static void close_all_but(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b);
    unsigned high = (unsigned)(a < b ? b : a);
    close_descriptors(STDERR_FILENO + 1, low - 1);
    close_descriptors(low + 1, high - 1);
    close_descriptors(high + 1, ~0U);
}

static void set_standard_descriptors(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        _exit(EXIT_SETUP_FAILED);
    dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

/* Dies with its parent `parent`, even if that was too fast. */
static void die_with(pid_t parent, int signal_number)
{
    prctl(PR_SET_PDEATHSIG, signal_number);
    if (getppid() != parent)
        _exit(EXIT_SETUP_FAILED);
}

static void leave_rank(struct spawner_process *spawner)
{
    /* A Ctrl-C or mpirun's signals to the rank's group are the rank's to answer. */
    if (!process_detach(spawner->options.rank_process, SIGKILL))
        _exit(EXIT_SETUP_FAILED);
    set_standard_descriptors();
    close_all_but(spawner->options.socket, spawner->options.wake);
    run_place_forget();
    mpi_environment_remove();
}

/* ---- to the rank ---- */

static void post(const struct spawner_process *spawner, const struct spawner_event *event)
{
    ssize_t sent;
    do {
        sent = send(spawner->options.socket, event, sizeof *event, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return; /* the rank has gone: the loop finds out */
    atomic_fetch_add(&spawner->options.shared->spawner_posts, 1);
    const struct rank_waker waker = rank_waker_of(spawner->options.shared, spawner->options.wake);
    wake_rank(&waker);
}

/* ---- prepare ---- */

/* OpenMP would start a thread for each core of the host. It reads this when it is loaded. */
static void choose_threads(uint32_t core_count)
{
    char number[24];
    snprintf(number, sizeof number, "%u", core_count);
    setenv("OMP_NUM_THREADS", number, 1);
}

struct prepare_call {
    struct spawner_process *spawner;
    struct sheaf_context *context;
};

static int call_prepare(void *argument)
{
    struct prepare_call *call = argument;
    return call->spawner->table->prepare(call->context, &call->spawner->prepared);
}

static int prepare(struct spawner_process *spawner, struct sheaf_error *error)
{
    if (spawner->setup.job.command.is_there) {
        spawner->table = command_plugin_table();
        /* What a command leaves behind when its executor is killed comes here, and ends here. */
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        return 0;
    }
    spawner->chooses_threads = getenv("OMP_NUM_THREADS") == NULL;
    if (spawner->chooses_threads)
        choose_threads(spawner->setup.core_count);
    surroundings_begin();
    int code = plugin_load(spawner->setup.job.plugin_path, &spawner->table, error);
    if (code != 0)
        return code;
    if (spawner->setup.has_merge && spawner->table->merge == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                               "%s: has no merge on this node, but had one where the job was "
                               "started: give all nodes the same file",
                               spawner->setup.job.plugin_path);
    if (spawner->table->prepare == NULL)
        return 0;
    struct sheaf_context *context = memory_allocate_zeroed(1, sizeof *context);
    context->parameters = &spawner->setup.job.parameters;
    context->core_count = 1;
    context_begin_silent(context, "prepare");
    struct prepare_call call = {.spawner = spawner, .context = context};
    int status = context_call(context, call_prepare, &call);
    if (!context_end(context, NULL, status))
        code = sheaf_error_set(error, SHEAF_ERROR_PLUGIN, "prepare: %s",
                               context_take_text(context, status));
    free(context);
    return code;
}

static void block_signal(int how, int number)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, number);
    sigprocmask(how, &signals, NULL);
}

/* From here on the end of the rank is found by the closed socket, so that executors' process groups
 * can be killed before this process ends. SIGCONT, when the rank dies, wakes a spawner that was
 * stopped with it. */
static int watch_children(struct spawner_process *spawner, struct sheaf_error *error)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    signal(SIGCHLD, SIG_DFL); /* of what prepare has set, this alone must not be inherited */
    block_signal(SIG_BLOCK, SIGCHLD);
    spawner->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (spawner->signals < 0)
        return sheaf_error_set_errno(error, errno, "cannot watch for the end of executors");
    die_with(spawner->options.rank_process, SIGCONT);
    return 0;
}

/* ---- guarding ---- */

static void start_guard(struct spawner_process *spawner, const struct task_mark *mark)
{
    const struct task_guard_options options = {
        .mark = mark, .notes = spawner->notes, .slot_count = spawner->setup.slot_count};
    fflush(NULL);
    pid_t process = task_guard_start(&options, &spawner->guard);
    if (process == 0)
        perror("sheaf: warning: if this worker is killed, what its tasks have started may stay");
    atomic_store(&spawner->options.shared->guard_process, process);
}

/* Before anything of the user's runs: nothing of earlier attempts does, and what runs from now on
 * is marked. */
static void guard_tasks(struct spawner_process *spawner)
{
    struct task_mark mark;
    if (spawner->setup.job.command.output_count > 0)
        spawner->notes = staging_notes_make(spawner->setup.slot_count);
    if (spawner->setup.run_dir == NULL)
        return;
    task_mark_make(&mark, spawner->setup.run_dir, spawner->setup.world,
                   spawner->options.rank_process);
    start_guard(spawner, &mark);
    task_mark_set(&mark);
    if (spawner->setup.has_past)
        left_processes_end_earlier(&mark);
}

static void handle_prepare(struct spawner_process *spawner, int descriptor)
{
    struct sheaf_error error = {0};
    int code = spawner_setup_read(descriptor, &spawner->setup, &error);
    close(descriptor);
    if (code == 0) {
        mpi_environment_restore(spawner->setup.mpi_environment);
        guard_tasks(spawner);
        executor_log_open(spawner->setup.run_dir, spawner->process, EXECUTOR_LOG_PREPARE);
        code = prepare(spawner, &error);
    }
    fflush(NULL);
    if (code == 0)
        code = watch_children(spawner, &error);
    struct spawner_event event = {.kind = code == 0 ? SPAWNER_PREPARED : SPAWNER_PREPARE_FAILED};
    snprintf(event.text, sizeof event.text, "%s", error.text);
    post(spawner, &event);
}

/* ---- succession ---- */

/* A child of the rank, not of this process, and as untouched by any plug-in as this one is still.
 * It inherits what the rank shares, and has a socket of its own. */
static void handle_succeed(const struct spawner_process *spawner, int socket)
{
    fflush(NULL);
    long process = syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), 0L, 0L, 0L, 0L);
    if (process == 0) {
        struct spawner_main_options options = spawner->options;
        options.socket = socket;
        options.is_successor = true;
        spawner_main(&options);
    }
    close(socket); /* if there is no successor the rank finds this one's end closed */
}

/* ---- executors ---- */

/* What the job did not ask for is left as it is. The numbers are those of the PCI bus: CUDA's own
 * order would put the fastest first. */
static void show_gpus(const char *gpus)
{
    if (gpus[0] == '\0')
        return;
    setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 1);
    setenv("CUDA_VISIBLE_DEVICES", gpus, 1);
    setenv("ROCR_VISIBLE_DEVICES", gpus, 1);
}

_Noreturn static void become_executor(struct spawner_process *spawner,
                                      const struct spawner_command *command, int memory)
{
    setpgid(0, 0);
    block_signal(SIG_UNBLOCK, SIGCHLD);
    die_with(spawner->process, SIGKILL);
    executor_log_open(spawner->setup.run_dir, spawner->process, command->slot);
    struct shared_slot *slot =
        mmap(NULL, sizeof *slot, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (slot == MAP_FAILED) {
        perror("sheaf: an executor cannot map its slot's memory");
        _exit(EXIT_SETUP_FAILED);
    }
    const cpu_set_t *cpus = &command->place.cpus;
    uint32_t core_count = slot_place_core_count(&command->place);
    if (CPU_COUNT(cpus) > 0 && sched_setaffinity(0, sizeof *cpus, cpus) != 0)
        perror("sheaf: an executor cannot be bound to its cores and runs unbound");
    else if (CPU_COUNT(cpus) > 0)
        mpi_environment_confine(core_count);
    show_gpus(command->place.gpus);
    if (spawner->chooses_threads)
        choose_threads(core_count);
    close_all_but(spawner->options.wake, spawner->options.wake);
    run_place_forget();
    if (spawner->setup.job.command.is_there)
        command_process_watch_stops(); /* opens a descriptor that is to stay */
    block_signal(SIG_UNBLOCK, SIGTERM);
    struct command_setup command_setup = {
        .job = &spawner->setup.job,
        .run_dir = spawner->setup.run_dir,
        .spawner = spawner->process,
        .slot = command->slot,
        .slot_number = command->place.number,
        .staging_note = staging_note_of(spawner->notes, command->slot),
        .session = task_guard_session_of(spawner->guard, command->slot),
    };
    bool has_commands = spawner->setup.job.command.is_there;
    const struct executor_options options = {
        .job = &spawner->setup.job,
        .table = spawner->table,
        .has_merge = spawner->setup.has_merge,
        .prepared = has_commands ? &command_setup : spawner->prepared,
        .slot = slot,
        .waker = rank_waker_of(spawner->options.shared, spawner->options.wake),
        .core_count = core_count,
    };
    executor_main(&options);
}

static void handle_spawn(struct spawner_process *spawner, const struct spawner_command *command,
                         int memory)
{
    struct spawner_event event = {.kind = SPAWNER_STARTED, .executor = command->executor};
    if (spawner->slots_seen <= command->slot)
        spawner->slots_seen = command->slot + 1;
    fflush(NULL);
    block_signal(SIG_BLOCK, SIGTERM); /* until the executor knows what to do about it */
    event.process = fork();
    if (event.process == 0)
        become_executor(spawner, command, memory);
    block_signal(SIG_UNBLOCK, SIGTERM);
    if (event.process < 0) {
        event.kind = SPAWNER_NOT_STARTED;
        snprintf(event.text, sizeof event.text, "fork: %s", strerror(errno));
    } else {
        setpgid(event.process, event.process); /* so that a kill right now finds the group */
        void *children = spawner->children;
        memory_grow(&children, &spawner->child_capacity, spawner->child_count + 1,
                    sizeof *spawner->children);
        spawner->children = children;
        spawner->children[spawner->child_count++] =
            (struct child){event.process, command->executor};
    }
    close(memory);
    post(spawner, &event);
}

static void kill_group(pid_t process)
{
    kill(-process, SIGKILL);
    kill(process, SIGKILL); /* it may have left its group */
}

static void handle_kill(const struct spawner_process *spawner, uint64_t executor)
{
    for (size_t i = 0; i < spawner->child_count; i++)
        if (spawner->children[i].executor == executor)
            kill_group(spawner->children[i].process);
}

/* Plug-ins ask for themselves: a signal would end them. */
static void handle_terminate(const struct spawner_process *spawner)
{
    for (size_t i = 0; spawner->setup.job.command.is_there && i < spawner->child_count; i++)
        kill(spawner->children[i].process, SIGTERM);
}

static void limit_logs(const struct spawner_process *spawner)
{
    for (uint32_t i = 0; i < spawner->slots_seen; i++)
        executor_log_limit(spawner->setup.run_dir, spawner->process, i);
}

/* The group is killed while the executor is a zombie: until it is reaped nobody else can have its
 * number. */
static void end_child(struct spawner_process *spawner, pid_t process)
{
    struct spawner_event event = {.kind = SPAWNER_ENDED, .process = process};
    size_t i = 0;
    while (i < spawner->child_count && spawner->children[i].process != process)
        i++;
    bool is_executor = i < spawner->child_count;
    if (is_executor)
        kill(-process, SIGKILL);
    if (waitpid(process, &event.status, 0) != process || !is_executor)
        return;          /* a child that prepare has left */
    limit_logs(spawner); /* nobody adds to its log any more: this is how it stays */
    event.executor = spawner->children[i].executor;
    spawner->children[i] = spawner->children[--spawner->child_count];
    post(spawner, &event);
}

static void kill_orphan(void *context, pid_t child)
{
    const struct spawner_process *spawner = context;
    for (size_t i = 0; i < spawner->child_count; i++)
        if (spawner->children[i].process == child)
            return;
    kill_group(child);
}

/* Processes of a command whose executor has ended: their own children become ours in turn. */
static void end_orphans(struct spawner_process *spawner)
{
    if (spawner->setup.job.command.is_there)
        process_children_find(kill_orphan, spawner);
}

static void reap_children(struct spawner_process *spawner)
{
    struct signalfd_siginfo signal_info;
    while (read(spawner->signals, &signal_info, sizeof signal_info) > 0)
        continue;
    for (;;) {
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0)
            return;
        end_child(spawner, ended.si_pid);
        end_orphans(spawner);
    }
}

/* ---- the end ---- */

static void wait_for_children(struct spawner_process *spawner, int patience_ms)
{
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)patience_ms * 1000000;
    while (spawner->child_count > 0) {
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= end_ns)
            return;
        struct pollfd signals = {.fd = spawner->signals, .events = POLLIN};
        poll(&signals, 1, (int)((end_ns - now_ns) / 1000000) + 1);
        reap_children(spawner);
    }
}

/* The last executors have left their commands to us, which were killed when those were reaped; what
 * these leave in turn follows here. False when some is still there. */
static bool wait_for_orphans(struct spawner_process *spawner)
{
    enum { ROUND_NS = 1000000 };
    if (!spawner->setup.job.command.is_there)
        return true;
    for (int waited_ms = 0; waited_ms < KILL_WAIT_MS; waited_ms++) {
        end_orphans(spawner);
        pid_t ended;
        while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
            continue;
        if (ended < 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = ROUND_NS}, NULL);
    }
    return false;
}

_Noreturn static void end(struct spawner_process *spawner, bool is_asked)
{
    if (is_asked)
        wait_for_children(spawner, STOP_GRACE_MS);
    for (size_t i = 0; i < spawner->child_count; i++)
        kill_group(spawner->children[i].process);
    wait_for_children(spawner, KILL_WAIT_MS);
    bool is_all_over = wait_for_orphans(spawner) && spawner->child_count == 0;
    /* What tasks of a plug-in have started is not our child: if they go on elsewhere, it ends. */
    if (!is_asked && !spawner->setup.job.command.is_there)
        is_all_over = false;
    executor_log_drop_empty(spawner->setup.run_dir, spawner->process, EXECUTOR_LOG_PREPARE);
    for (uint32_t i = 0; i < spawner->slots_seen; i++) {
        executor_log_drop_empty(spawner->setup.run_dir, spawner->process, i);
        if (spawner->notes != NULL)
            staging_sweep(staging_note_of(spawner->notes, i));
    }
    if (is_all_over)
        task_guard_dismiss(spawner->guard);
    _exit(0);
}

/* ---- the loop ---- */

/* Receives a command and its descriptor (-1: none). False when the rank has gone. */
static bool receive(const struct spawner_process *spawner, struct spawner_command *command,
                    int *descriptor)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = command, .iov_len = sizeof *command};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t size;
    do {
        size = recvmsg(spawner->options.socket, &message, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    *descriptor = -1;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    return size == (ssize_t)sizeof *command;
}

static void handle(struct spawner_process *spawner, const struct spawner_command *command,
                   int descriptor)
{
    switch (command->kind) {
    case SPAWNER_PREPARE:
        handle_prepare(spawner, descriptor);
        break;
    case SPAWNER_SPAWN:
        handle_spawn(spawner, command, descriptor);
        break;
    case SPAWNER_KILL:
        handle_kill(spawner, command->executor);
        break;
    case SPAWNER_TERMINATE:
        handle_terminate(spawner);
        break;
    case SPAWNER_SUCCEED:
        handle_succeed(spawner, descriptor);
        break;
    case SPAWNER_STOP:
        end(spawner, true);
    }
}

/* Looks at the logs now and then. */
static void watch_logs(struct spawner_process *spawner)
{
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns < spawner->next_log_check_ns)
        return;
    spawner->next_log_check_ns = now_ns + (uint64_t)LOG_CHECK_MS * 1000000;
    limit_logs(spawner);
}

static void announce(const struct spawner_process *spawner)
{
    const struct spawner_event event = {.kind = SPAWNER_SUCCEEDED, .process = spawner->process};
    if (send(spawner->options.socket, &event, sizeof event, MSG_NOSIGNAL) != (ssize_t)sizeof event)
        _exit(EXIT_SETUP_FAILED);
}

_Noreturn void spawner_main(const struct spawner_main_options *options)
{
    struct spawner_process *spawner = memory_allocate_zeroed(1, sizeof *spawner);
    spawner->options = *options;
    spawner->process = getpid();
    spawner->signals = -1;
    if (options->is_successor)
        announce(spawner);
    leave_rank(spawner);
    for (;;) {
        struct pollfd watched[] = {{.fd = options->socket, .events = POLLIN},
                                   {.fd = spawner->signals, .events = POLLIN}};
        if (poll(watched, 2, spawner->child_count > 0 ? LOG_CHECK_MS : -1) < 0 && errno != EINTR)
            end(spawner, false);
        watch_logs(spawner);
        if (watched[1].revents != 0)
            reap_children(spawner);
        if (watched[0].revents == 0)
            continue;
        struct spawner_command command;
        int descriptor;
        if (!receive(spawner, &command, &descriptor))
            end(spawner, false);
        handle(spawner, &command, descriptor);
    }
}
