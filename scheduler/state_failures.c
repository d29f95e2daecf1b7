/* state_failures.c - what failed so far, and absent results of neighbours as one. */
#include "state_private.h"

#include "tree.h"

#include <stdlib.h>

const struct failure_table *state_failures(const struct state *state)
{
    return &state->failures;
}

void state_count_failure(struct state *state, const struct fact_attempt_failed *failed)
{
    bool is_not_run = failed->cause == CAUSE_NOT_RUN && state->is_snapshot_over;
    if (failed->assignment == 0 && !is_not_run) /* of a snapshot: counted before */
        return;
    const struct trouble *trouble = state_find_trouble(state, failed->work, failed->range);
    const struct fact_failures failures = {
        .work = failed->work,
        .cause = failed->cause,
        .detail = failed->detail,
        .count = is_not_run ? failed->range.count : 1,
        .final_count = is_not_run ? failed->range.count : failed->is_final,
        .has_example = true,
        .example = {.worker = failed->worker,
                    .attempt = trouble != NULL ? trouble->attempts + 1 : 1,
                    .range = failed->range,
                    .text_size = failed->text_size,
                    .text = failed->text},
        .host_size = failed->host_size,
        .host = failed->host,
        .log_size = failed->log_size,
        .log = failed->log,
    };
    failure_table_add(&state->failures, &failures);
}

void state_count_loss(struct state *state, const struct fact_worker_lost *lost)
{
    const struct fact_failures failures = {
        .cause = lost->cause,
        .count = 1,
        .order_count = lost->order_count,
        .has_example = true,
        .example = {.worker = lost->worker, .attempt = (uint32_t)state->incarnation},
        .host_size = lost->host_size,
        .host = lost->host,
    };
    failure_table_add(&state->failures, &failures);
}

static void join_absent(struct state *state, struct partial_node *left, struct partial_node *right)
{
    left->partial.range.count += right->partial.range.count;
    state_remove_partial(state, right);
}

static bool is_absent_neighbour(const struct partial_node *left, const struct partial_node *right)
{
    return left != NULL && right != NULL && left->partial.is_absent && right->partial.is_absent &&
           range_end(left->partial.range) == right->partial.range.first;
}

/* Absent siblings are an absent parent: no merge could make more of them. */
static void join_siblings(struct state *state, struct partial_node *node)
{
    for (;;) {
        struct range sibling = tree_sibling(node->partial.range, state->job.task_count);
        if (range_is_empty(sibling))
            return;
        bool is_left = sibling.first < node->partial.range.first;
        struct partial_node *left = is_left ? RB_PREV(partial_tree, , node) : node;
        struct partial_node *right = is_left ? node : RB_NEXT(partial_tree, , node);
        const struct partial_node *other = is_left ? left : right;
        if (!is_absent_neighbour(left, right) || other->partial.range.first != sibling.first ||
            other->partial.range.count != sibling.count)
            return;
        join_absent(state, left, right);
        node = left;
    }
}

void state_join_absent(struct state *state, uint64_t task)
{
    struct partial_node *node = state_find_partial_node(state, task);
    if (state->job.has_merge) {
        join_siblings(state, node);
        return;
    }
    struct partial_node *before = RB_PREV(partial_tree, , node);
    if (is_absent_neighbour(before, node)) {
        join_absent(state, before, node);
        node = before;
    }
    struct partial_node *after = RB_NEXT(partial_tree, , node);
    if (is_absent_neighbour(node, after))
        join_absent(state, node, after);
}
