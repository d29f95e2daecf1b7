/* benching.c - hosts on which tasks fail that pass elsewhere: the policy of who is benched.
 *
 * A task that fails on one node and then passes on another is a strike against the first. A node is
 * benched when it has `bench_tasks` strikes, and at least half of the tasks that ended there lately
 * failed: a plug-in that fails everywhere, or now and then, is no node's fault. A benched node gets
 * no work but one task at a time, now and then, to try it: when that passes the node is readmitted.
 * Never more than half of the nodes are benched. */
#include "scheduler_private.h"

/* The delay between probes doubles so often at the most. */
enum { PROBE_DOUBLINGS_MAX = 5 };

static void suspect(struct scheduler *scheduler, struct observed_node *node)
{
    if (node->is_suspect || node->is_benched)
        return;
    node->is_suspect = true;
    TAILQ_INSERT_TAIL(&scheduler->observations.suspects, node, by_suspicion);
}

/* What happened long ago counts half as much, again and again. */
static void age(const struct scheduler *scheduler, struct observed_node *node)
{
    while (node->passed + node->failed >= 2 * (uint64_t)scheduler->config.bench_window) {
        node->passed /= 2;
        node->failed /= 2;
        node->strikes /= 2;
    }
}

void benching_passed(struct scheduler *scheduler, const struct assignment *assignment,
                     uint64_t task_count)
{
    struct observed_node *node = observed_node_of(&scheduler->observations, assignment->worker);
    if (node == NULL || task_count == 0)
        return;
    node->passed += task_count;
    age(scheduler, node);
    node->has_passed_probe |= node->is_benched && node->probe == assignment->seq;
}

void benching_failed(struct scheduler *scheduler, const struct assignment *assignment)
{
    struct observed_node *node = observed_node_of(&scheduler->observations, assignment->worker);
    if (node == NULL)
        return;
    node->failed++;
    age(scheduler, node);
    suspect(scheduler, node);
}

/* Its last failure, if that was on another node than the one where it passes now. */
static void strike(struct scheduler *scheduler, const struct trouble *trouble,
                   const struct observed_node *passed_on)
{
    struct observed_node *node = observed_node_of(&scheduler->observations, trouble->last_worker);
    bool has_failed = trouble->attempts > 0 || trouble->is_unopened;
    if (!has_failed || node == NULL || node == passed_on)
        return;
    node->strikes++;
    suspect(scheduler, node);
}

void benching_settled(struct scheduler *scheduler, uint32_t worker, enum work work,
                      struct range range)
{
    const struct observed_node *passed_on = observed_node_of(&scheduler->observations, worker);
    const struct trouble *trouble = state_find_trouble(scheduler->state, work, range);
    if (work == WORK_RUN)
        trouble = state_find_trouble_from(scheduler->state, work, range.first);
    while (trouble != NULL && range_contains(range, trouble->range)) {
        strike(scheduler, trouble, passed_on);
        trouble = work == WORK_RUN
                      ? state_find_trouble_from(scheduler->state, work, range_end(trouble->range))
                      : NULL;
    }
}

static void update_loads(struct scheduler *scheduler, const struct observed_node *node)
{
    struct observed_worker *worker;
    TAILQ_FOREACH (worker, &node->workers, of_node) {
        workers_update_load(scheduler, worker->rank);
    }
}

/* What is out at a benched node would most likely fail: it runs elsewhere. */
static void withdraw(struct scheduler *scheduler, const struct observed_node *node)
{
    struct observed_worker *observed;
    TAILQ_FOREACH (observed, &node->workers, of_node) {
        const struct worker *worker = state_find_worker(scheduler->state, observed->rank);
        while (worker != NULL && !TAILQ_EMPTY(&worker->assignments))
            reports_give_up(scheduler, TAILQ_FIRST(&worker->assignments));
    }
}

static void bench(struct scheduler *scheduler, struct observed_node *node)
{
    const struct fact_node_benched benched = {.node = node->number,
                                              .task_count = (uint32_t)node->strikes};
    scheduler_emit(scheduler, (struct fact){.kind = FACT_NODE_BENCHED, .as.node_benched = benched});
    uint64_t delay_ns = scheduler->config.probe_delay_ns;
    if (node->probe_delay_ns == 0)
        node->probe_delay_ns = delay_ns;
    else if (node->probe_delay_ns < delay_ns << PROBE_DOUBLINGS_MAX)
        node->probe_delay_ns *= 2;
    node->probe_ns = scheduler->now_ns + node->probe_delay_ns;
    node->has_passed_probe = false;
    node->passed = 0;
    node->failed = 0;
    node->strikes = 0;
    observed_node_bench(&scheduler->observations, node);
    update_loads(scheduler, node);
    withdraw(scheduler, node);
}

static void readmit(struct scheduler *scheduler, struct observed_node *node,
                    enum readmission reason)
{
    const struct fact_node_readmitted readmitted = {.node = node->number, .reason = reason};
    scheduler_emit(scheduler,
                   (struct fact){.kind = FACT_NODE_READMITTED, .as.node_readmitted = readmitted});
    observed_node_readmit(&scheduler->observations, node);
    update_loads(scheduler, node);
}

void benching_ended(struct scheduler *scheduler, const struct assignment *ended)
{
    struct observed_node *node = observed_node_of(&scheduler->observations, ended->worker);
    if (node == NULL || !node->is_benched || node->probe != ended->seq)
        return;
    uint64_t delay_ns = scheduler->config.probe_delay_ns;
    if (!node->has_passed_probe && node->probe_delay_ns < delay_ns << PROBE_DOUBLINGS_MAX)
        node->probe_delay_ns *= 2;
    uint64_t wait_ns = node->has_passed_probe ? 0 : node->probe_delay_ns;
    observed_node_set_probe(&scheduler->observations, node, scheduler->now_ns + wait_ns);
}

static bool deserves_bench(const struct scheduler *scheduler, const struct observed_node *node)
{
    const struct observations *observations = &scheduler->observations;
    return !node->is_benched && node->able_worker_count > 0 &&
           node->strikes >= scheduler->config.bench_tasks && node->failed >= node->passed &&
           2 * (observations->benched_node_count + 1) <= observations->able_node_count;
}

void benching_judge(struct scheduler *scheduler)
{
    struct observations *observations = &scheduler->observations;
    while (2 * observations->benched_node_count > observations->able_node_count)
        readmit(scheduler, TAILQ_FIRST(&observations->benched), READMISSION_TOO_FEW_LEFT);
    struct observed_node *node = observed_node_first_probe(observations);
    while (node != NULL && node->has_passed_probe) {
        readmit(scheduler, node, READMISSION_PROBE_PASSED);
        node = observed_node_first_probe(observations);
    }
    while (!TAILQ_EMPTY(&observations->suspects)) {
        node = TAILQ_FIRST(&observations->suspects);
        TAILQ_REMOVE(&observations->suspects, node, by_suspicion);
        node->is_suspect = false;
        if (!deserves_bench(scheduler, node))
            continue;
        scheduler->reported_assignment = 0; /* what a worker spoke of is to be cancelled as well */
        bench(scheduler, node);
    }
}

/* A probe may cost its task an attempt: where tasks have only one, none is risked. */
static bool has_probe_task(const struct scheduler *scheduler, struct range *task)
{
    if (scheduler->config.attempts_max == 1 || scheduler->config.crashes_max == 1 ||
        !range_set_find_from(state_open(scheduler->state), 0, task))
        return false;
    task->count = 1;
    return true;
}

static const struct observed_worker *find_able_worker(const struct observed_node *node)
{
    const struct observed_worker *worker;
    TAILQ_FOREACH (worker, &node->workers, of_node) {
        if (worker->slot_count > 0)
            return worker;
    }
    return NULL;
}

void benching_probe(struct scheduler *scheduler)
{
    struct observations *observations = &scheduler->observations;
    struct observed_node *node = observed_node_first_probe(observations);
    struct range task;
    while (node != NULL && node->probe_ns <= scheduler->now_ns &&
           has_probe_task(scheduler, &task)) {
        const struct observed_worker *worker = find_able_worker(node);
        if (walltime_fit(scheduler, worker, 1) == 0)
            return;
        const struct fact_assigned assigned = {
            .worker = worker->rank, .work = WORK_RUN, .range = task, .attempt = 1};
        observed_node_probed(observations, node, assigning_assign(scheduler, &assigned));
        node = observed_node_first_probe(observations);
    }
}

/* Whether a task for a probe that is overdue opens, a step shows. */
uint64_t benching_next_ns(const struct scheduler *scheduler)
{
    const struct observed_node *node = observed_node_first_probe(&scheduler->observations);
    return node != NULL && node->probe_ns > scheduler->now_ns ? node->probe_ns : UINT64_MAX;
}
