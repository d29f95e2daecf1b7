/* observed_nodes.c - what is known of the hosts: who works there, and who is benched. */
#include "observations.h"

#include "check.h"
#include "memory.h"
#include "rb.h"

#include <stdlib.h>
#include <string.h>

static int compare_probes(const struct observed_node *a, const struct observed_node *b)
{
    int order = RB_COMPARE(a->probe_ns, b->probe_ns);
    return order != 0 ? order : RB_COMPARE(a->number, b->number);
}

RB_GENERATE_PRIVATE(probe_tree, observed_node, by_probe, compare_probes)

static struct observed_node *add_node(struct observations *observations, uint32_t number)
{
    struct observed_node *node = memory_allocate_zeroed(1, sizeof *node);
    node->number = number;
    TAILQ_INIT(&node->workers);
    for (int i = 0; i < HUNGER_COUNT; i++)
        TAILQ_INIT(&node->hungry[i]);
    LIST_INSERT_HEAD(&observations->nodes, node, of_all);
    id_map_add(&observations->nodes_by_number, number, node);
    return node;
}

struct observed_node *observed_node_get(struct observations *observations, uint32_t number)
{
    struct observed_node *node = id_map_find(&observations->nodes_by_number, number);
    return node != NULL ? node : add_node(observations, number);
}

void observed_node_name(struct observed_node *node, const char *host)
{
    node->host_size = host != NULL ? (uint32_t)strnlen(host, sizeof node->host) : 0;
    if (node->host_size > 0)
        memcpy(node->host, host, node->host_size);
}

void observed_nodes_close(struct observations *observations)
{
    while (!LIST_EMPTY(&observations->nodes)) {
        struct observed_node *node = LIST_FIRST(&observations->nodes);
        LIST_REMOVE(node, of_all);
        free(node);
    }
    id_map_close(&observations->nodes_by_number);
}

/* A benched node counts as such as long as somebody could work there. */
static void enter_bench(struct observations *observations, struct observed_node *node)
{
    TAILQ_INSERT_TAIL(&observations->benched, node, by_bench);
    observations->benched_node_count++;
    if (node->probe == 0)
        RB_INSERT(probe_tree, &observations->probes, node);
}

static void leave_bench(struct observations *observations, struct observed_node *node)
{
    TAILQ_REMOVE(&observations->benched, node, by_bench);
    observations->benched_node_count--;
    if (node->probe == 0)
        RB_REMOVE(probe_tree, &observations->probes, node);
}

void observed_node_join(struct observations *observations, uint32_t number,
                        struct observed_worker *worker)
{
    struct observed_node *node = observed_node_get(observations, number);
    worker->node = node;
    TAILQ_INSERT_TAIL(&node->workers, worker, of_node);
    if (worker->slot_count == 0)
        return;
    if (!node->is_benched)
        observations->able_worker_count++;
    if (node->able_worker_count++ > 0)
        return;
    observations->able_node_count++;
    if (node->is_benched)
        enter_bench(observations, node);
}

void observed_node_leave(struct observations *observations, struct observed_worker *worker)
{
    struct observed_node *node = worker->node;
    TAILQ_REMOVE(&node->workers, worker, of_node);
    if (worker->slot_count == 0)
        return;
    if (!node->is_benched)
        observations->able_worker_count--;
    if (--node->able_worker_count > 0)
        return;
    observations->able_node_count--;
    if (node->is_benched)
        leave_bench(observations, node);
}

struct observed_node *observed_node_of(struct observations *observations, uint32_t rank)
{
    struct observed_worker *worker = observed_worker_find(observations, rank);
    return worker != NULL ? worker->node : NULL;
}

void observed_node_bench(struct observations *observations, struct observed_node *node)
{
    CHECK(!node->is_benched);
    node->is_benched = true;
    observations->able_worker_count -= node->able_worker_count;
    if (node->able_worker_count > 0)
        enter_bench(observations, node);
}

void observed_node_readmit(struct observations *observations, struct observed_node *node)
{
    CHECK(node->is_benched);
    if (node->able_worker_count > 0)
        leave_bench(observations, node);
    node->is_benched = false;
    node->probe = 0;
    observations->able_worker_count += node->able_worker_count;
}

void observed_node_set_probe(struct observations *observations, struct observed_node *node,
                             uint64_t probe_ns)
{
    CHECK(node->is_benched);
    bool is_entered = node->able_worker_count > 0;
    if (is_entered && node->probe == 0)
        RB_REMOVE(probe_tree, &observations->probes, node);
    node->probe = 0;
    node->probe_ns = probe_ns;
    if (is_entered)
        RB_INSERT(probe_tree, &observations->probes, node);
}

void observed_node_probed(struct observations *observations, struct observed_node *node,
                          uint64_t assignment)
{
    CHECK(node->is_benched && node->able_worker_count > 0 && node->probe == 0);
    RB_REMOVE(probe_tree, &observations->probes, node);
    node->probe = assignment;
}

struct observed_node *observed_node_first_probe(const struct observations *observations)
{
    return RB_MIN(probe_tree, (struct probe_tree *)&observations->probes);
}
