/* master.c - one step of the master: inputs become facts and effects, on time and in order. */
#include "master_private.h"

#include "../scheduler/check.h"
#include "clock.h"
#include "journal_state.h"
#include "progress.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often ranks hear from an idle master, people see the status, a request to stop is noticed. */
#define PING_NS        SHEAF_NS_PER_S
#define STATUS_NS      SHEAF_NS_PER_S
#define STOP_CHECK_NS  (SHEAF_NS_PER_S / 4)
/* After a gap in which this process was stopped, silence of others says nothing for so long. */
#define STOPPED_NS_MIN SHEAF_NS_PER_S
#define AFTER_STOP_NS  SHEAF_NS_PER_S
static volatile sig_atomic_t stop_signal; /* 0: none has come */

void master_request_stop(int signal_number)
{
    stop_signal = signal_number;
}

uint64_t master_incarnation(const struct master *master)
{
    return state_incarnation(scheduler_state(master->scheduler));
}

const char *master_request_dir(const struct master *master)
{
    return master->stage.name != NULL ? master->stage.run_dir
                                      : run_directory_path(master->directory);
}

/* A failure of the journal that shows only now makes a good end a bad one. */
static void close_journal(struct master *master)
{
    if (master->journal == NULL)
        return;
    struct sheaf_error error;
    if (journal_must_heal(master->journal))
        journal_snapshot_state(master->journal, scheduler_state(master->scheduler));
    int code = journal_close(master->journal, &error);
    master->journal = NULL;
    if (code == 0 || master->status == 4)
        return;
    master_tell(master, CONTROL_ERROR, "%s", error.text);
    master->status = sheaf_error_exit_status(code);
}

int master_finish(struct master *master, int code)
{
    if (code < 0) {
        master->status = sheaf_error_exit_status(code);
        master->is_worth_restarting = code == SHEAF_ERROR_TRANSPORT || code == SHEAF_ERROR_PROCESS;
    }
    master->is_over = true;
    master->now_ns = clock_monotonic_ns();
    master_outputs_clean_up(master);
    close_journal(master);
    master_tell_end(master);
    return master->status;
}

void master_destroy(struct master *master)
{
    if (master == NULL)
        return;
    close_journal(master);
    publisher_destroy(master->publisher);
    exporter_destroy(master->exporter);
    master_outputs_end(master);
    master_split_close(master);
    if (master->inputs != NULL)
        input_store_close(master->inputs);
    if (master->directory != NULL)
        run_directory_close(master->directory);
    if (master->scheduler != NULL)
        scheduler_destroy(master->scheduler);
    graph_file_close(&master->stored_graph);
    range_set_close(&master->only);
    output_close(&master->output);
    effect_queue_close(&master->effects);
    failure_log_destroy(master->failures);
    for (int i = 0; i < transport_rank_count(master->transport); i++) {
        master_presence_close(&master->members[i]);
        topology_close(&master->members[i].topology);
        placement_close(&master->members[i].placement);
    }
    free(master->members);
    free(master->output_path);
    close(master->journal_event);
    job_close(&master->job);
    free(master);
}

void master_send(struct master *master, uint32_t rank, struct message *message)
{
    message->session = master->session;
    message->incarnation = master_incarnation(master);
    struct byte_writer writer = {0};
    message_encode(message, &writer);
    transport_send(master->transport, (int)rank, writer.data, writer.size);
}

static bool carries_payload(const struct fact *fact)
{
    if (fact->kind != FACT_RESULT)
        return false;
    for (uint32_t i = 0; i < fact->as.result.partial_count; i++)
        if (fact->as.result.partials[i].payload_seq == 0 && !fact->as.result.partials[i].is_absent)
            return true;
    return false;
}

/* What the runtime itself must do when something has become a fact. */
static void on_fact(struct master *master, const struct fact *fact)
{
    if (fact->kind == FACT_WORKER_LOST && fact->as.worker_lost.cause != CAUSE_STOPPED) {
        uint32_t rank = fact->as.worker_lost.worker;
        /* Who has said goodbye is there, and waits for the end. */
        const struct member *member = &master->members[rank];
        master->anybody_was_lost |=
            member->has_ended || (!member->is_returning && !member->has_left);
        transport_forget(master->transport, (int)rank);
    }
    if (fact->kind == FACT_RESULT_LOST && master->exporter != NULL)
        exporter_forget(master->exporter, fact->as.result_lost.range);
    master_tell_fact(master, fact);
}

void master_step(struct master *master, const struct input *input, const void *payload,
                 size_t payload_size)
{
    struct output *output = &master->output;
    scheduler_step(master->scheduler, input, output);
    for (size_t i = 0; i < output->fact_count; i++) {
        const struct fact *fact = &output->facts[i];
        bool has_payload = carries_payload(fact);
        journal_append(master->journal, fact, has_payload ? payload : NULL,
                       has_payload ? payload_size : 0);
        on_fact(master, fact);
    }
    for (size_t i = 0; i < output->effect_count; i++)
        effect_queue_push(&master->effects, &output->effects[i]);
}

void master_fail(struct master *master, const struct sheaf_error *error)
{
    if (master->is_over)
        return;
    master_tell(master, CONTROL_ERROR, "%s", error->text);
    master->is_over = true;
    master->status = sheaf_error_exit_status(error->code);
}

static void ask_to_stop(struct master *master)
{
    struct input stop = {.kind = INPUT_STOP, .now_ns = master->now_ns};
    master_step(master, &stop, NULL, 0);
}

/* To mpirun a host that it has lost is a reason to end the ranks, by a signal by which people would
 * ask for a stop where no launcher is. */
static bool is_ended_by_mpirun(const struct master *master)
{
    return master->options->is_under_launcher && stop_signal != 0 && stop_signal != SIGUSR1 &&
           !run_directory_stop_is_requested(master_request_dir(master));
}

static void tell_stop(struct master *master, bool is_time_up, uint64_t grace_ns)
{
    char grace[PROGRESS_DURATION_BYTES];
    progress_format_duration(grace_ns / SHEAF_NS_PER_MS, grace);
    if (!is_time_up && is_ended_by_mpirun(master))
        master_tell(master, CONTROL_WARNING, "mpirun ends the ranks: no new tasks start");
    else
        master_tell(master, CONTROL_WARNING, "stopping%s: running %s %s to end, no new ones start",
                    is_time_up ? ", as the time limit is near" : " on request",
                    master->job.command.is_there ? "commands get SIGTERM and have" : "tasks have",
                    grace);
}

static void begin_to_stop(struct master *master, bool is_time_up)
{
    master->stop_deadline_ns = master->now_ns + master->options->grace_ns;
    if (master->stop_deadline_ns > master->walltime.cut_off_ns)
        master->stop_deadline_ns = master->walltime.cut_off_ns;
    uint64_t grace_ns =
        master->stop_deadline_ns > master->now_ns ? master->stop_deadline_ns - master->now_ns : 0;
    tell_stop(master, is_time_up, grace_ns);
    struct message stop = {.kind = MESSAGE_STOP};
    for (int i = 0; i < transport_rank_count(master->transport); i++)
        if (master->members[i].is_known)
            master_send(master, (uint32_t)i, &stop);
    ask_to_stop(master);
}

/* The first request lets running tasks end; at the end of the grace period the run ends anyway. */
static void look_for_stop(struct master *master)
{
    if (master->now_ns < master->next_stop_check_ns)
        return;
    master->next_stop_check_ns = master->now_ns + STOP_CHECK_NS;
    if (master->stop_deadline_ns == UINT64_MAX) {
        bool is_time_up = master->now_ns >= master->walltime.tasks_end_ns;
        if (!is_time_up && stop_signal == 0 &&
            !run_directory_stop_is_requested(master_request_dir(master)))
            return;
        begin_to_stop(master, is_time_up);
    } else if (master->now_ns >= master->stop_deadline_ns) {
        ask_to_stop(master);
    }
}

/* The launcher has given this master up, since it does not hear from it, and has started another:
 * two at the same time must not be, and the other is the one with the launcher. */
static void look_for_handover(struct master *master)
{
    if (master->now_ns < master->next_handover_check_ns)
        return;
    master->next_handover_check_ns = master->now_ns + STOP_CHECK_NS;
    if (!run_directory_handover_is_requested(master_request_dir(master)))
        return;
    master_tell(master, CONTROL_WARNING, "another master goes on in this one's place");
    master->anybody_was_lost = true;
    master->is_worth_restarting = true;
    master->is_over = true;
    master->status = sheaf_error_exit_status(SHEAF_ERROR_IN_USE);
}

static void send_pings(struct master *master)
{
    if (master->now_ns < master->next_ping_ns)
        return;
    master->next_ping_ns = master->now_ns + PING_NS;
    struct message ping = {.kind = MESSAGE_PING};
    /* One that counts as lost hears it too, should it live: but nothing heaps up for the dead. Of a
     * master after the first one this is how workers know. */
    for (int i = 0; i < transport_rank_count(master->transport); i++)
        if ((master->members[i].is_known || master->members[i].has_left || master->session > 1) &&
            transport_backlog_bytes(master->transport, i) == 0)
            master_send(master, (uint32_t)i, &ping);
}

/* Silence is judged only when no message is waiting to be read, and not right after this process
 * was itself stopped. */
static void tick(struct master *master, bool no_message_is_waiting)
{
    if (master->now_ns - master->last_poll_ns > STOPPED_NS_MIN)
        master->no_tick_before_ns = master->now_ns + AFTER_STOP_NS;
    master->last_poll_ns = master->now_ns;
    if (!no_message_is_waiting || master->now_ns < master->no_tick_before_ns ||
        master->now_ns < scheduler_next_tick_ns(master->scheduler))
        return;
    struct input input = {.kind = INPUT_TICK, .now_ns = master->now_ns};
    master_step(master, &input, NULL, 0);
}

static void look_at_journal(struct master *master)
{
    struct sheaf_error error;
    if (journal_failure(master->journal, &error) < 0)
        master_fail(master, &error);
    else if (journal_wants_snapshot(master->journal))
        journal_snapshot_state(master->journal, scheduler_state(master->scheduler));
}

bool master_poll(struct master *master, uint64_t now_ns, bool no_message_is_waiting)
{
    if (master->is_over)
        return false;
    master->now_ns = now_ns;
    master_count_slots(master);
    look_at_journal(master);
    if (no_message_is_waiting)
        master_presence_look(master);
    tick(master, no_message_is_waiting);
    look_for_stop(master);
    look_for_handover(master);
    bool did_something = master_split_continue(master);
    did_something |= master_outputs_continue(master);
    if (!master->is_over && master_perform_effects(master))
        did_something = true;
    if (!master->is_over)
        master_export(master); /* may wait for a file: no reason not to sleep in between */
    master_pay_credit(master);
    send_pings(master);
    if (now_ns >= master->next_status_ns) {
        master->next_status_ns = now_ns + STATUS_NS;
        master_tell_status(master);
    }
    return did_something;
}

bool master_has_idle_slot(const struct master *master)
{
    return scheduler_has_idle_slot(master->scheduler);
}

bool master_is_over(const struct master *master)
{
    return master->is_over;
}

int master_status(const struct master *master)
{
    return master->status;
}

bool master_is_worth_restarting(const struct master *master)
{
    return master->is_worth_restarting;
}

uint64_t master_tasks_ended(const struct master *master)
{
    const struct task_counts counts = state_count_tasks(scheduler_state(master->scheduler));
    return task_counts_ended(&counts);
}

/* Everybody who is there must answer: a rank that never said HELLO may be dead. */
bool master_ends_cleanly(const struct master *master)
{
    return !master->anybody_was_lost;
}

const char *master_run_directory(const struct master *master)
{
    return run_directory_path(master->directory);
}

const char *master_result_path(const struct master *master)
{
    if (master->status != 0 || strcmp(master->job.output_path, "-") != 0)
        return NULL;
    return master->output_path;
}

int master_wake_descriptor(const struct master *master)
{
    return master->journal_event;
}

void master_woken(struct master *master)
{
    uint64_t ignored;
    if (read(master->journal_event, &ignored, sizeof ignored) < 0)
        CHECK(errno == EAGAIN || errno == EINTR);
}
