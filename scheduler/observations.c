/* observations.c - what is known of workers and of what is out, beside the state. */
#include "observations.h"

#include "check.h"
#include "memory.h"

#include <stdlib.h>

/* Nodes looked at for the one that is nearest. */
enum { NODES_LOOKED_AT = 8 };

void observations_init(struct observations *observations)
{
    *observations = (struct observations){0};
    TAILQ_INIT(&observations->workers);
    LIST_INIT(&observations->outstanding);
    TAILQ_INIT(&observations->heard);
    LIST_INIT(&observations->nodes);
    TAILQ_INIT(&observations->benched);
    TAILQ_INIT(&observations->suspects);
    RB_INIT(&observations->probes);
    for (int i = 0; i < HUNGER_COUNT; i++)
        TAILQ_INIT(&observations->hungry[i]);
}

void observations_close(struct observations *observations)
{
    while (!LIST_EMPTY(&observations->outstanding))
        outstanding_remove(observations, LIST_FIRST(&observations->outstanding));
    while (!TAILQ_EMPTY(&observations->workers))
        observed_worker_forget(observations, TAILQ_FIRST(&observations->workers));
    observed_nodes_close(observations);
    id_map_close(&observations->workers_by_rank);
    id_map_close(&observations->outstanding_by_seq);
}

struct observed_worker *observed_worker_find(struct observations *observations, uint32_t rank)
{
    return id_map_find(&observations->workers_by_rank, rank);
}

struct observed_worker *observed_worker_get(struct observations *observations, uint32_t rank)
{
    struct observed_worker *worker = observed_worker_find(observations, rank);
    CHECK(worker != NULL);
    return worker;
}

struct observed_worker *observed_worker_join(struct observations *observations,
                                             const struct fact_worker_joined *joined,
                                             uint64_t now_ns)
{
    struct observed_worker *worker = observed_worker_find(observations, joined->worker);
    if (worker == NULL) {
        worker = memory_allocate_zeroed(1, sizeof *worker);
        worker->rank = joined->worker;
        TAILQ_INSERT_TAIL(&observations->workers, worker, of_all);
        id_map_add(&observations->workers_by_rank, worker->rank, worker);
    }
    CHECK(!worker->is_joined);
    worker->is_joined = true;
    worker->unopened_count = 0;
    worker->slot_count = joined->slot_count;
    worker->last_heard_ns = now_ns;
    TAILQ_INSERT_TAIL(&observations->heard, worker, by_heard);
    observed_node_join(observations, joined->node, worker);
    return worker;
}

static void set_hunger(struct observations *observations, struct observed_worker *worker,
                       enum hunger hunger)
{
    struct observed_node *node = worker->node;
    enum hunger old = worker->hunger;
    if (old == hunger)
        return;
    if (old != HUNGER_NONE) {
        TAILQ_REMOVE(&node->hungry[old], worker, by_hunger);
        if (TAILQ_EMPTY(&node->hungry[old]))
            TAILQ_REMOVE(&observations->hungry[old], node, by_hunger[old]);
    }
    if (hunger != HUNGER_NONE) {
        if (TAILQ_EMPTY(&node->hungry[hunger]))
            TAILQ_INSERT_TAIL(&observations->hungry[hunger], node, by_hunger[hunger]);
        TAILQ_INSERT_TAIL(&node->hungry[hunger], worker, by_hunger);
    }
    worker->hunger = hunger;
}

void observed_worker_lose(struct observations *observations, struct observed_worker *worker)
{
    CHECK(worker->is_joined);
    worker->is_joined = false;
    TAILQ_REMOVE(&observations->heard, worker, by_heard);
    set_hunger(observations, worker, HUNGER_NONE);
    observations->idle_slot_count -= worker->idle_slots;
    worker->idle_slots = 0;
    observed_node_leave(observations, worker);
}

void observed_worker_forget(struct observations *observations, struct observed_worker *worker)
{
    if (worker->is_joined)
        observed_worker_lose(observations, worker);
    TAILQ_REMOVE(&observations->workers, worker, of_all);
    id_map_remove(&observations->workers_by_rank, worker->rank);
    free(worker);
}

void observed_worker_heard(struct observations *observations, struct observed_worker *worker,
                           uint64_t now_ns)
{
    CHECK(worker->is_joined);
    worker->last_heard_ns = now_ns;
    TAILQ_REMOVE(&observations->heard, worker, by_heard);
    TAILQ_INSERT_TAIL(&observations->heard, worker, by_heard);
}

void observed_worker_load(struct observations *observations, struct observed_worker *worker,
                          uint64_t assignment_count, uint64_t capacity)
{
    CHECK(worker->is_joined);
    bool is_benched = worker->node->is_benched;
    uint64_t idle_slots = worker->slot_count > assignment_count && !is_benched
                              ? worker->slot_count - assignment_count
                              : 0;
    observations->idle_slot_count += idle_slots - worker->idle_slots;
    worker->idle_slots = idle_slots;
    if (idle_slots > 0)
        set_hunger(observations, worker, HUNGER_IDLE);
    else
        set_hunger(observations, worker,
                   assignment_count < capacity && !is_benched ? HUNGER_PREFETCH : HUNGER_NONE);
}

void observed_worker_served(struct observations *observations, struct observed_worker *worker)
{
    struct observed_node *node = worker->node;
    enum hunger hunger = worker->hunger;
    set_hunger(observations, worker, HUNGER_NONE);
    set_hunger(observations, worker, hunger);
    for (int i = HUNGER_PREFETCH; i < HUNGER_COUNT; i++) {
        if (TAILQ_EMPTY(&node->hungry[i]))
            continue;
        TAILQ_REMOVE(&observations->hungry[i], node, by_hunger[i]);
        TAILQ_INSERT_TAIL(&observations->hungry[i], node, by_hunger[i]);
    }
}

bool observations_has_hungry(const struct observations *observations)
{
    return !TAILQ_EMPTY(&observations->hungry[HUNGER_IDLE]) ||
           !TAILQ_EMPTY(&observations->hungry[HUNGER_PREFETCH]);
}

static bool is_available(const struct observed_worker *worker)
{
    return worker != NULL && worker->is_joined && worker->slot_count > 0 &&
           !worker->node->is_benched;
}

/* Whom `avoid` means, as far as anybody else could ever be given work. */
struct avoided {
    const struct observed_worker *worker;
    const struct observed_node *node;
};

static struct avoided find_avoided(const struct observations *observations, struct avoidance avoid)
{
    struct avoided avoided = {id_map_find(&observations->workers_by_rank, avoid.worker),
                              id_map_find(&observations->nodes_by_number, avoid.node)};
    size_t left = observations->able_worker_count;
    if (avoided.node != NULL &&
        (avoided.node->is_benched || avoided.node->able_worker_count == left))
        avoided.node = NULL;
    if (avoided.node != NULL)
        left -= avoided.node->able_worker_count;
    if (!is_available(avoided.worker) || avoided.worker->node == avoided.node || left <= 1)
        avoided.worker = NULL;
    return avoided;
}

/* The first in turn of the node's, or NULL. */
static struct observed_worker *find_on_node(struct observed_node *node, enum hunger hunger,
                                            struct avoided avoided)
{
    struct observed_worker *worker = TAILQ_FIRST(&node->hungry[hunger]);
    if (node == avoided.node)
        return NULL;
    return worker == avoided.worker ? TAILQ_NEXT(worker, by_hunger) : worker;
}

struct observed_worker *observations_find_hungry(struct observations *observations,
                                                 enum hunger hunger_min, struct avoidance avoid)
{
    const struct avoided avoided = find_avoided(observations, avoid);
    for (enum hunger hunger = HUNGER_IDLE; hunger >= hunger_min; hunger--) {
        struct observed_node *node;
        TAILQ_FOREACH (node, &observations->hungry[hunger], by_hunger[hunger]) {
            struct observed_worker *worker = find_on_node(node, hunger, avoided);
            if (worker != NULL)
                return worker;
        }
    }
    return NULL;
}

struct observed_worker *observations_find_nearest(struct observations *observations,
                                                  uint64_t task_count, struct avoidance avoid)
{
    const struct avoided avoided = find_avoided(observations, avoid);
    struct observed_worker *nearest = NULL;
    struct observed_node *node;
    int looked_at = 0;
    TAILQ_FOREACH (node, &observations->hungry[HUNGER_IDLE], by_hunger[HUNGER_IDLE]) {
        struct observed_worker *worker = find_on_node(node, HUNGER_IDLE, avoided);
        if (worker != NULL &&
            (nearest == NULL || observed_worker_answer_ns(observations, worker, task_count) <
                                    observed_worker_answer_ns(observations, nearest, task_count)))
            nearest = worker;
        if (++looked_at == NODES_LOOKED_AT)
            break;
    }
    return nearest;
}

uint64_t observed_worker_answer_ns(const struct observations *observations,
                                   const struct observed_worker *worker, uint64_t task_count)
{
    return pace_expect_ns(observed_worker_pace(observations, worker), task_count) +
           worker->travel_ns;
}

void observed_worker_travelled(struct observed_worker *worker, uint64_t elapsed_ns,
                               uint64_t held_ns)
{
    uint64_t travel_ns = elapsed_ns > held_ns ? elapsed_ns - held_ns : 0;
    worker->travel_ns = worker->travel_ns > 0 ? worker->travel_ns / 2 + travel_ns / 2 : travel_ns;
}

const struct pace *observed_worker_pace(const struct observations *observations,
                                        const struct observed_worker *worker)
{
    return pace_is_known(&worker->pace) ? &worker->pace : &observations->pace;
}

void outstanding_expect(struct observations *observations, struct outstanding *outstanding,
                        uint64_t task_count, uint64_t now_ns)
{
    struct observed_worker *worker = observed_worker_get(observations, outstanding->worker);
    CHECK(outstanding->expected_ns == 0);
    outstanding->expected_ns =
        pace_expect_ns(observed_worker_pace(observations, worker), task_count);
    if (outstanding->expected_ns == 0)
        return;
    uint64_t start_ns = outstanding->assigned_ns;
    if (!outstanding->is_running)
        start_ns = now_ns + worker->queued_ns / worker->slot_count;
    outstanding->end_ns = start_ns + outstanding->expected_ns + worker->travel_ns;
    worker->queued_ns += outstanding->expected_ns;
}

struct outstanding *outstanding_add(struct observations *observations,
                                    const struct assignment *assignment, uint64_t assignment_count,
                                    uint64_t now_ns)
{
    struct observed_worker *worker = observed_worker_get(observations, assignment->worker);
    struct outstanding *outstanding = memory_allocate_zeroed(1, sizeof *outstanding);
    outstanding->seq = assignment->seq;
    outstanding->worker = assignment->worker;
    outstanding->work = assignment->work;
    outstanding->assigned_ns = now_ns;
    outstanding->failed_node = NODE_NONE;
    outstanding->is_running = assignment_count < worker->slot_count;
    outstanding->end_ns = UINT64_MAX;
    if (assignment->work == WORK_RUN)
        outstanding_expect(observations, outstanding, assignment->range.count, now_ns);
    LIST_INSERT_HEAD(&observations->outstanding, outstanding, of_all);
    id_map_add(&observations->outstanding_by_seq, outstanding->seq, outstanding);
    observations->outstanding_count++;
    observations->outstanding_of[outstanding->work]++;
    return outstanding;
}

struct outstanding *outstanding_find(struct observations *observations, uint64_t seq)
{
    return id_map_find(&observations->outstanding_by_seq, seq);
}

void outstanding_cut(struct observations *observations, struct outstanding *outstanding,
                     uint64_t task_count, uint64_t now_ns)
{
    struct observed_worker *worker = observed_worker_get(observations, outstanding->worker);
    uint64_t expected_ns = pace_expect_ns(observed_worker_pace(observations, worker), task_count);
    if (expected_ns >= outstanding->expected_ns)
        return;
    uint64_t saved_ns = outstanding->expected_ns - expected_ns;
    worker->queued_ns -= saved_ns;
    outstanding->expected_ns = expected_ns;
    outstanding->end_ns =
        outstanding->end_ns > now_ns + saved_ns ? outstanding->end_ns - saved_ns : now_ns;
}

void outstanding_remove(struct observations *observations, struct outstanding *outstanding)
{
    struct observed_worker *worker = observed_worker_find(observations, outstanding->worker);
    if (worker != NULL)
        worker->queued_ns -= outstanding->expected_ns;
    LIST_REMOVE(outstanding, of_all);
    id_map_remove(&observations->outstanding_by_seq, outstanding->seq);
    observations->outstanding_count--;
    observations->outstanding_of[outstanding->work]--;
    free(outstanding);
}
