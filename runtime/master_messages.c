/* master_messages.c - turns what workers say into inputs of the scheduler. */
#include "master_private.h"

#include "host_slots.h"

#include <string.h>
#include <unistd.h>

/* Between these a part of a message tells how fast it comes; within the upper one the product of
 * microseconds and bytes fits into 64 bits. */
#define ARRIVING_NS_MIN ((uint64_t)50 * 1000 * 1000)
#define ARRIVING_NS_MAX ((uint64_t)3600 * 1000 * 1000 * 1000)

static uint32_t find_or_add_node(struct master *master, const char *host)
{
    for (int i = 0; i < transport_rank_count(master->transport); i++) {
        const struct member *member = &master->members[i];
        if (member->is_known && strcmp(member->topology.host, host) == 0)
            return member->node;
    }
    return master->node_count++;
}

static bool is_master_host(const struct topology *topology)
{
    char host[TOPOLOGY_HOST_BYTES] = {0};
    gethostname(host, sizeof host - 1);
    return strcmp(host, topology->host) == 0;
}

/* The worker's number among those of its host: the master's rank, the first of its host, is none
 * unless it is alone. */
static struct placement_request placement_request_of(const struct master *master,
                                                     const struct topology *topology)
{
    bool is_alone = transport_rank_count(master->transport) == 1;
    bool has_master = !is_alone && is_master_host(topology);
    struct placement_request request = {
        .worker_index = topology->local_rank,
        .worker_count = topology->local_count,
        .slot_count = master->options->slots_per_worker,
        .host_slots = host_slots_find(master->options->host_slots, topology->host),
        .has_master = has_master,
        .needs = master->job.resources,
    };
    if (has_master && request.worker_count > 1) {
        request.worker_index -= request.worker_index > 0;
        request.worker_count--;
    }
    if (request.worker_index >= request.worker_count)
        request.worker_index = request.worker_count - 1;
    return request;
}

/* No rank but this one's master has room for a task, and all have said so. */
static bool is_nobody_of_use(const struct master *master)
{
    int rank_count = transport_rank_count(master->transport);
    for (int i = rank_count > 1; i < rank_count; i++)
        if (!master->members[i].is_known || master->members[i].placement.slot_count > 0)
            return false;
    return true;
}

/* It is not admitted: it hears from the master and of the end, but gets no work. */
static void on_useless_worker(struct master *master, uint32_t rank)
{
    const struct member *member = &master->members[rank];
    bool is_told = false;
    for (int i = 0; i < transport_rank_count(master->transport); i++)
        is_told |= i != (int)rank && master->members[i].is_known &&
                   master->members[i].node == member->node;
    if (member->placement.host_slot_count == 0 && !is_told)
        master_tell_shortage(master, rank);
    if (!is_nobody_of_use(master))
        return;
    struct sheaf_error error;
    sheaf_error_set(&error, SHEAF_ERROR_JOB,
                    "no host of this run can hold a task: lower \"resources\" of the job (--cores, "
                    "--gpus, --reserve), or run on larger hosts");
    master_fail(master, &error);
}

static void on_hello(struct master *master, uint32_t rank, struct message *message)
{
    struct member *member = &master->members[rank];
    if (member->is_known && !member->is_returning)
        return; /* it has answered a sign of this master that came before its WELCOME */
    uint32_t node = find_or_add_node(master, message->as.hello.topology.host);
    topology_close(&member->topology);
    placement_close(&member->placement);
    member->is_returning = false;
    member->topology = message->as.hello.topology;
    message->as.hello.topology = (struct topology){0};
    member->process_id = message->as.hello.process_id;
    member->node = node;
    member->is_known = true;
    if (is_master_host(&member->topology))
        master_presence_watch(master, rank);
    placement_make(&member->topology, placement_request_of(master, &member->topology),
                   &member->placement);
    if (master->options->shows_placement)
        master_tell_placement(master, rank);
    if (member->placement.slot_count == 0) {
        on_useless_worker(master, rank);
        return;
    }
    struct input input = {.kind = INPUT_HELLO, .now_ns = master->now_ns};
    input.as.hello = (struct input_hello){.worker = rank,
                                          .slot_count = member->placement.slot_count,
                                          .node = node,
                                          .host = member->topology.host,
                                          .has_master = is_master_host(&member->topology)};
    master_step(master, &input, NULL, 0);
}

static void on_report(struct master *master, uint32_t rank, const struct message *message)
{
    bool is_split = message->as.report.work == WORK_SPLIT;
    bool ends_split = is_split && message->as.report.assignment == master->splitting.assignment &&
                      (state_phase(scheduler_state(master->scheduler)) == PHASE_NEW ||
                       master->split_again == SPLIT_AGAIN_ASKED);
    struct input input = {.kind = INPUT_REPORT, .now_ns = master->now_ns};
    input.as.report = (struct input_report){
        .worker = rank,
        .incarnation = message->incarnation,
        .assignment = message->as.report.assignment,
        .work = message->as.report.work,
        .tasks_run = message->as.report.tasks_run,
        .busy_ns = message->as.report.busy_ns,
        .idle_ns = message->as.report.idle_ns,
        .held_ns = message->as.report.held_ns,
        .partial_count = message->as.report.partial_count,
        .partials = message->as.report.partials,
    };
    master_step(master, &input, message->as.report.payload, message->as.report.payload_size);
    if (ends_split)
        master_split_end(master);
}

static void on_returned(struct master *master, uint32_t rank, const struct message *message)
{
    struct input input = {.kind = INPUT_RETURNED, .now_ns = master->now_ns};
    input.as.returned = (struct input_returned){
        .worker = rank,
        .incarnation = message->incarnation,
        .assignment = message->as.returned.assignment,
        .range = message->as.returned.range,
        .is_whole = message->as.returned.is_whole,
    };
    master_step(master, &input, NULL, 0);
}

static void on_failed(struct master *master, uint32_t rank, const struct message *message)
{
    struct input input = {.kind = INPUT_ATTEMPT_FAILED, .now_ns = master->now_ns};
    input.as.attempt_failed = (struct input_attempt_failed){
        .worker = rank,
        .incarnation = message->incarnation,
        .assignment = message->as.failed.assignment,
        .work = message->as.failed.work,
        .range = message->as.failed.range,
        .cause = message->as.failed.cause,
        .detail = message->as.failed.detail,
        .is_crash = message->as.failed.is_crash,
        .is_for_good = message->as.failed.is_for_good,
        .is_open = message->as.failed.is_open,
        .text = message->as.failed.text,
        .text_size = (uint32_t)message->as.failed.text_size,
        .log = message->as.failed.log,
        .log_size = (uint32_t)message->as.failed.log_size,
    };
    master_step(master, &input, NULL, 0);
}

static void on_goodbye(struct master *master, uint32_t rank, const struct message *message)
{
    struct member *member = &master->members[rank];
    bool returns = message->as.goodbye.returns;
    master_tell_goodbye(master, rank, message);
    member->is_returning = returns;
    member->has_left = !returns;
    struct input input = {.kind = INPUT_GOODBYE, .now_ns = master->now_ns};
    input.as.goodbye = (struct input_goodbye){
        .worker = rank,
        .incarnation = message->incarnation,
        .prepare_failed = message->as.goodbye.prepare_failed,
        .returns = returns,
        .cause = message->as.goodbye.cause,
        .detail = message->as.goodbye.detail,
    };
    master_step(master, &input, NULL, 0);
}

static void owe_credit(struct master *master, uint32_t rank, size_t size)
{
    struct member *member = &master->members[rank];
    member->owed_credit_bytes += size;
    if (!member->is_owed) {
        member->is_owed = true;
        TAILQ_INSERT_TAIL(&master->owed, member, owed);
    }
}

void master_pay_credit(struct master *master)
{
    while (!TAILQ_EMPTY(&master->owed) && !journal_is_congested(master->journal)) {
        struct member *member = TAILQ_FIRST(&master->owed);
        TAILQ_REMOVE(&master->owed, member, owed);
        member->is_owed = false;
        struct message credit = {.kind = MESSAGE_CREDIT};
        credit.as.credit_bytes = member->owed_credit_bytes;
        member->owed_credit_bytes = 0;
        master_send(master, (uint32_t)(member - master->members), &credit);
    }
}

static void on_message(struct master *master, uint32_t rank, struct message *message, size_t size)
{
    switch (message->kind) {
    case MESSAGE_HELLO:
        on_hello(master, rank, message);
        return;
    case MESSAGE_HEARTBEAT:
        return;
    case MESSAGE_REPORT:
        owe_credit(master, rank, size);
        on_report(master, rank, message);
        return;
    case MESSAGE_RETURNED:
        on_returned(master, rank, message);
        return;
    case MESSAGE_FAILED:
        owe_credit(master, rank, size);
        on_failed(master, rank, message);
        return;
    case MESSAGE_TASKS:
        owe_credit(master, rank, size);
        if (message->as.tasks.assignment == master->splitting.assignment)
            master_split_batch(master, message->as.tasks.body, message->as.tasks.body_size);
        return;
    case MESSAGE_GOODBYE:
        on_goodbye(master, rank, message);
        return;
    case MESSAGE_WELCOME:
    case MESSAGE_PING:
    case MESSAGE_ORDER:
    case MESSAGE_TAKE_BACK:
    case MESSAGE_CANCEL:
    case MESSAGE_CREDIT:
    case MESSAGE_END:
    case MESSAGE_STOP:
        return;
    }
}

static void hear(struct master *master, int rank, uint64_t now_ns)
{
    struct input heard = {.kind = INPUT_HEARD, .now_ns = now_ns};
    heard.as.heard.worker = (uint32_t)rank;
    master_step(master, &heard, NULL, 0);
}

/* What has come of a message says when the rest should be here, if it is a report. */
static struct input_heard hear_part(struct master *master, int rank, uint64_t now_ns)
{
    struct input_heard heard = {.worker = (uint32_t)rank};
    struct arriving *arriving = &master->members[rank].arriving;
    struct transport_part part = transport_incoming(master->transport, rank);
    uint64_t assignment = message_report_of(part.data, part.filled);
    if (assignment == 0 || assignment != arriving->assignment ||
        part.filled < arriving->since_bytes)
        *arriving = (struct arriving){assignment, now_ns, part.filled};
    size_t came = part.filled - arriving->since_bytes;
    uint64_t elapsed_ns = now_ns - arriving->since_ns;
    if (assignment == 0 || came == 0 || elapsed_ns < ARRIVING_NS_MIN ||
        elapsed_ns > ARRIVING_NS_MAX)
        return heard;
    heard.assignment = assignment;
    heard.left_ns = elapsed_ns / 1000 * (part.size - part.filled) / came * 1000;
    return heard;
}

void master_hear(struct master *master, int rank, uint64_t now_ns)
{
    if (master->is_over)
        return;
    master->now_ns = now_ns;
    struct input heard = {.kind = INPUT_HEARD, .now_ns = now_ns};
    heard.as.heard = hear_part(master, rank, now_ns);
    master_step(master, &heard, NULL, 0);
}

void master_handle(struct master *master, int rank, struct message *message, size_t size,
                   uint64_t now_ns)
{
    bool is_first_word = message->session == 0 &&
                         (message->kind == MESSAGE_HELLO || message->kind == MESSAGE_GOODBYE);
    if (master->is_over || (message->session != master->session && !is_first_word))
        return; /* what was said to the master before this one counted then, or never */
    master->now_ns = now_ns;
    if (message->kind != MESSAGE_HELLO && message->kind != MESSAGE_GOODBYE)
        hear(master, rank, now_ns);
    on_message(master, (uint32_t)rank, message, size);
}
