/* rank.c - the loop of a rank: messages in, one step of master and worker, a bounded sleep. */
#include "rank.h"

#include "clock.h"
#include "idling.h"
#include "master.h"
#include "mpi_environment.h"
#include "print_foreign.h"
#include "publish.h"
#include "rank_witness.h"
#include "rank_worker.h"
#include "session.h"
#include "stage_run.h"
#include "world_files.h"

#include "../scheduler/memory.h"
#include "control.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    MESSAGES_PER_ROUND = 256,
    WATCHDOG_S = 10, /* for leaving MPI together */
    MASTER_RANK = 0,
    END_PATIENCE_MS = 2000,
};

#define FLUSH_PAUSE_NS  ((uint64_t)50 * 1000)
#define FLUSH_NS_MAX    ((uint64_t)3 * 1000 * 1000 * 1000)
#define PARENT_CHECK_NS ((uint64_t)200 * 1000 * 1000)

struct rank {
    const struct run_options *options;
    struct transport *transport;
    struct spawner *spawner;
    struct topology topology;
    struct master *master;      /* NULL on other ranks than 0 */
    struct stage_run *stages;   /* NULL when the job is one, and on other ranks than 0 */
    struct rank_worker *worker; /* NULL on rank 0 of several */
    bool has_worker;
    const char *worker_failure; /* why it cannot work, or NULL; borrowed */
    char *mpi_environment;      /* of tasks; NULL: empty */
    char *run_dir;              /* of a master without a launcher; NULL: it has one, ... */
    char *world;                /* ... which keeps the records of the world, see world_files.h */
    pid_t parent;
    pid_t witness; /* 0: none */
    uint64_t next_parent_check_ns;
    struct idling idling;
    bool is_orphan;
};

/* Before there is a master, and where there is none. */
static void tell_error(const struct run_options *options, const struct sheaf_error *error)
{
    if (options->is_under_launcher)
        control_write_message(STDERR_FILENO, CONTROL_ERROR, "%s", error->text);
    else
        print_harmless(stderr, "sheaf: %s\n", error->text);
}

/* Another mpirun would meet the same error; unless the last one's master is still there, which does
 * not last. */
static void tell_end_without_begin(const struct run_options *options, int code)
{
    struct control_line line = {.kind = CONTROL_END};
    line.as.end.exit_status = sheaf_error_exit_status(code);
    line.as.end.is_worth_restarting = options->is_restart && code == SHEAF_ERROR_IN_USE;
    if (line.as.end.is_worth_restarting)
        snprintf(line.as.end.text, sizeof line.as.end.text, "an earlier master has not left yet");
    if (options->is_under_launcher)
        control_write(STDERR_FILENO, &line, END_PATIENCE_MS);
}

static void tell_mpi_up(const struct run_options *options)
{
    struct control_line line = {.kind = CONTROL_MPI_UP};
    line.as.mpi_up.process_id = getpid();
    gethostname(line.as.mpi_up.host, sizeof line.as.mpi_up.host - 1);
    if (options->is_under_launcher)
        control_write(STDERR_FILENO, &line, END_PATIENCE_MS);
}

static void on_stop_signal(int signal_number)
{
    master_request_stop(signal_number);
}

/* Only the master decides when the run ends; workers follow its END, or its silence. */
static void set_signals(bool is_master)
{
    struct sigaction action = {.sa_handler = is_master ? on_stop_signal : SIG_IGN,
                               .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static bool is_for_master(enum message_kind kind)
{
    return kind < MESSAGE_WELCOME;
}

static void route(struct rank *rank, const struct transport_message *received, uint64_t now_ns)
{
    struct message message;
    struct sheaf_error error;
    if (message_decode(received->data, received->size, &message, &error) < 0) {
        tell_error(rank->options, &error);
        return;
    }
    if (is_for_master(message.kind) && rank->master != NULL)
        master_handle(rank->master, received->rank, &message, received->size, now_ns);
    else if (!is_for_master(message.kind) && rank->worker != NULL)
        rank_worker_handle(rank->worker, &message, now_ns);
    message_close(&message);
}

/* Handles messages until none is waiting or it is somebody else's turn. Returns the number handled,
 * or a code. */
static int handle_messages(struct rank *rank, uint64_t now_ns, struct sheaf_error *error)
{
    for (int i = 0; i < MESSAGES_PER_ROUND; i++) {
        struct transport_message received;
        int code = transport_poll(rank->transport, &received, error);
        if (code < 0)
            return code;
        if (code == 0)
            return i;
        route(rank, &received, now_ns);
    }
    return MESSAGES_PER_ROUND;
}

/* Who is in the middle of a long message is not silent, however long that takes. */
static void hear_parts(struct rank *rank, uint64_t now_ns)
{
    for (int from; (from = transport_next_heard(rank->transport)) >= 0;) {
        if (rank->master != NULL)
            master_hear(rank->master, from, now_ns);
        else if (rank->worker != NULL && from == MASTER_RANK)
            rank_worker_hear(rank->worker, now_ns);
    }
}

/* Executors and the journal wake a rank; only messages wait for the end of a sleep. */
static void sleep_until_woken(const struct rank *rank, uint64_t pause_ns)
{
    struct pollfd wakers[2];
    nfds_t count = 0;
    struct slot_set *slots = rank->worker != NULL ? rank_worker_find_slots(rank->worker) : NULL;
    if (rank->master != NULL)
        wakers[count++] =
            (struct pollfd){.fd = master_wake_descriptor(rank->master), .events = POLLIN};
    if (slots != NULL)
        wakers[count++] = (struct pollfd){.fd = slot_set_wake_descriptor(slots), .events = POLLIN};
    struct timespec timeout = {.tv_nsec = (long)pause_ns};
    int woken = 0;
    if (slots == NULL || slot_set_prepare_sleep(slots))
        woken = ppoll(wakers, count, &timeout, NULL);
    if (woken > 0 && rank->master != NULL && (wakers[0].revents & POLLIN) != 0)
        master_woken(rank->master);
    if (slots != NULL)
        slot_set_end_sleep(slots);
}

/* An executor has nothing to do until a message has come. */
static bool is_urgent(const struct rank *rank)
{
    return (rank->master != NULL && master_has_idle_slot(rank->master)) ||
           (rank->worker != NULL && !rank_worker_is_busy(rank->worker));
}

static void rest(struct rank *rank, bool did_something, uint64_t now_ns)
{
    if (did_something) {
        idling_end(&rank->idling, now_ns);
        return;
    }
    uint64_t pause_ns = idling_pause_ns(&rank->idling, now_ns, is_urgent(rank));
    if (pause_ns > 0)
        sleep_until_woken(rank, pause_ns);
}

/* The process that started this one, mpirun or its daemon, is gone: nobody will collect or clean up
 * what stays. */
static bool is_orphaned(struct rank *rank, uint64_t now_ns)
{
    if (now_ns < rank->next_parent_check_ns)
        return false;
    rank->next_parent_check_ns = now_ns + PARENT_CHECK_NS;
    return getppid() != rank->parent;
}

static bool is_over(const struct rank *rank)
{
    if (rank->master != NULL)
        return master_is_over(rank->master);
    return rank_worker_is_over(rank->worker);
}

static int loop(struct rank *rank, struct sheaf_error *error)
{
    while (!is_over(rank)) {
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t fragments_before = transport_fragment_count(rank->transport);
        int handled = handle_messages(rank, now_ns, error);
        if (handled < 0)
            return handled;
        hear_parts(rank, now_ns);
        bool did_something =
            handled > 0 || transport_fragment_count(rank->transport) != fragments_before;
        if (rank->master != NULL && master_poll(rank->master, now_ns, handled < MESSAGES_PER_ROUND))
            did_something = true;
        if (rank->worker != NULL && rank_worker_poll(rank->worker, now_ns))
            did_something = true;
        if (is_orphaned(rank, now_ns)) {
            rank->is_orphan = true;
            return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                                   "mpirun is gone; what was journalled is safe: repeat the "
                                   "command to continue");
        }
        rest(rank, did_something, now_ns);
    }
    return 0;
}

/* Hands END to MPI for everybody; who does not take it within the deadline is lost. */
static void send_end(struct rank *rank, bool is_clean)
{
    for (int i = 0; i < transport_rank_count(rank->transport); i++) {
        if (i == transport_rank(rank->transport))
            continue;
        struct message end = {.kind = MESSAGE_END};
        end.as.end.is_clean = is_clean;
        struct byte_writer writer = {0};
        message_encode(&end, &writer);
        transport_send(rank->transport, i, writer.data, writer.size);
    }
    uint64_t deadline_ns = clock_monotonic_ns() + FLUSH_NS_MAX;
    struct transport_message ignored;
    while (!transport_is_flushed(rank->transport) && clock_monotonic_ns() < deadline_ns) {
        if (transport_poll(rank->transport, &ignored, NULL) < 0)
            return;
        struct timespec pause = {.tv_nsec = (long)FLUSH_PAUSE_NS};
        nanosleep(&pause, NULL);
    }
}

/* The job's output on standard output, where no launcher does it. */
static int print_result(const struct rank *rank, int status)
{
    const char *path = rank->stages != NULL ? stage_run_result_path(rank->stages)
                                            : master_result_path(rank->master);
    if (rank->options->is_under_launcher || path == NULL)
        return status;
    struct sheaf_error error;
    int code = publish_copy(path, STDOUT_FILENO, &error);
    if (code == 0)
        return status;
    tell_error(rank->options, &error);
    return sheaf_error_exit_status(code);
}

static int end_master(struct rank *rank, int code, const struct sheaf_error *error, bool *is_clean)
{
    int status = sheaf_error_exit_status(code);
    *is_clean = true;
    if (code < 0)
        tell_error(rank->options, error);
    if (rank->stages != NULL) {
        status = stage_run_finish(rank->stages, &rank->master, code);
        *is_clean = stage_run_ends_cleanly(rank->stages) && !rank->is_orphan;
        status = print_result(rank, status);
    } else if (rank->master == NULL) {
        tell_end_without_begin(rank->options, code);
    } else {
        *is_clean = master_ends_cleanly(rank->master) && !rank->is_orphan;
        status = master_finish(rank->master, code);
        status = print_result(rank, status);
    }
    if (rank->worker != NULL) {
        rank_worker_destroy(rank->worker);
        rank->worker = NULL;
    }
    send_end(rank, *is_clean);
    master_destroy(rank->master);
    stage_run_destroy(rank->stages);
    return status;
}

static int end_worker(struct rank *rank, int code, const struct sheaf_error *error, bool *is_clean)
{
    if (code < 0 && !rank->is_orphan)
        tell_error(rank->options, error);
    *is_clean = code == 0 && rank_worker_ends_cleanly(rank->worker);
    int status = code < 0 ? sheaf_error_exit_status(code) : rank_worker_status(rank->worker);
    rank_worker_destroy(rank->worker);
    return status;
}

static int begin_master(struct rank *rank, struct master_job *job, struct sheaf_error *error)
{
    if (job->job.plan == NULL)
        return master_create(rank->options, job, rank->transport, &rank->master, error);
    int code = stage_run_create(rank->options, job, rank->transport, &rank->stages, error);
    if (code == 0)
        stage_run_next(rank->stages, &rank->master);
    return code;
}

/* Where no launcher does it, and so for the host of the master alone. */
static void begin_world(struct rank *rank)
{
    if (rank->options->is_under_launcher)
        return;
    rank->run_dir = memory_copy_string(rank->stages != NULL ? stage_run_directory(rank->stages)
                                                            : master_run_directory(rank->master));
    rank->world = world_files_begin(rank->run_dir);
    if (rank->world != NULL)
        world_files_note_rank(rank->world, false);
}

/* mpirun, which is still there, removes what this world has. */
static void end_world(struct rank *rank, bool is_clean)
{
    if (rank->options->world != NULL)
        world_files_note_end(rank->options->world);
    if (rank->run_dir != NULL)
        world_files_finish(rank->run_dir, rank->world, is_clean);
    free(rank->run_dir);
}

/* A job in stages has a master for each. */
static int loop_stages(struct rank *rank, struct sheaf_error *error)
{
    int code = 0;
    while (code == 0 && rank->master != NULL) {
        code = loop(rank, error);
        if (code == 0)
            stage_run_next(rank->stages, &rank->master);
    }
    return code;
}

/* Everything after MPI has started. `load_code` and `error` say how reading the job went (rank 0).
 */
static int run(struct rank *rank, struct master_job *job, int load_code, struct sheaf_error *error)
{
    int code = transport_create(&rank->transport, error);
    if (code < 0) {
        tell_error(rank->options, error);
        return sheaf_error_exit_status(code);
    }
    bool is_master = transport_rank(rank->transport) == MASTER_RANK;
    set_signals(is_master);
    code = load_code;
    if (is_master && code == 0)
        code = begin_master(rank, job, error);
    if (is_master && code == 0)
        begin_world(rank);
    if (rank->has_worker && (!is_master || code == 0)) {
        struct rank_worker_options options = {.transport = rank->transport,
                                              .spawner = rank->spawner,
                                              .topology = &rank->topology,
                                              .mpi_environment = rank->mpi_environment,
                                              .master_rank = MASTER_RANK,
                                              .is_under_launcher = rank->options->is_under_launcher,
                                              .failure = rank->worker_failure};
        rank->worker = rank_worker_create(&options, clock_monotonic_ns());
    }
    idling_init(&rank->idling, clock_monotonic_ns());
    if (code == 0)
        code = rank->stages != NULL ? loop_stages(rank, error) : loop(rank, error);
    bool is_clean;
    int status = is_master ? end_master(rank, code, error, &is_clean)
                           : end_worker(rank, code, error, &is_clean);
    spawner_stop(rank->spawner);
    topology_close(&rank->topology);
    free(rank->mpi_environment);
    transport_destroy(rank->transport);
    rank_witness_end(rank->witness);
    end_world(rank, is_clean);
    session_close(!is_clean, status, WATCHDOG_S);
    return status;
}

/* The master has not heard yet where this rank is. */
static const char *name_host(char *text, size_t size, const struct sheaf_error *error)
{
    char host[STATUS_HOST_BYTES] = "";
    gethostname(host, sizeof host - 1);
    snprintf(text, size, "on %s: %s", host, error->text);
    return text;
}

/* The spawner, another in reserve, and what this host has. */
static int prepare_worker(struct rank *rank, struct sheaf_error *error)
{
    int code = spawner_start(&rank->spawner, error);
    if (code == 0)
        code = spawner_reserve_successor(rank->spawner, error);
    if (code == 0)
        code = topology_discover(&rank->topology, error);
    return code;
}

/* Of MPI what the user has set. Without a launcher mpirun is asked, where it is on this host. */
static char *find_mpi_environment(const struct run_options *options)
{
    if (options->is_under_launcher)
        return options->mpi_environment != NULL ? memory_copy_string(options->mpi_environment)
                                                : NULL;
    return mpi_environment_of_mpirun(getppid());
}

int rank_main(const struct run_options *options)
{
    struct session_environment environment = session_environment_read();
    struct rank rank = {.options = options, .parent = getppid()};
    struct sheaf_error error = {0};
    struct sheaf_error worker_error;
    char failure[SHEAF_ERROR_TEXT_BYTES + STATUS_HOST_BYTES + sizeof "on : "] = "";
    struct sheaf_error mpi_error;
    struct master_job job = {0};
    if (options->world != NULL)
        world_files_note_rank(options->world, false);
    if (options->is_under_launcher)
        rank.witness = rank_witness_start(environment.rank);
    /* Both fork, which must happen before MPI starts. What fails is told after it: a rank that
     * leaves while MPI starts would hang the others. */
    int load_code = environment.rank == MASTER_RANK ? master_job_load(options, &job, &error) : 0;
    rank.mpi_environment = find_mpi_environment(options);
    rank.has_worker =
        load_code == 0 && (environment.rank != MASTER_RANK || environment.rank_count == 1);
    if (rank.has_worker && prepare_worker(&rank, &worker_error) < 0)
        rank.worker_failure = name_host(failure, sizeof failure, &worker_error);
    int code = session_open(&mpi_error);
    if (code < 0) {
        tell_error(options, &mpi_error);
        return sheaf_error_exit_status(code); /* which the witness tells */
    }
    if (options->world != NULL)
        world_files_note_rank(options->world, true);
    if (environment.rank == MASTER_RANK)
        tell_mpi_up(options);
    return run(&rank, &job, load_code, &error);
}
