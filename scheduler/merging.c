/* merging.c - which partial results to merge, and when: the policy of merging.
 *
 * A subtree is merged when all its tasks are done and it holds merge_fan_in partials, or when it is
 * the whole tree. A large one is merged in halves first, so that several workers share the work. */
#include "scheduler_private.h"

#include "tree.h"

/* What a subtree holds. */
struct tally {
    size_t count;
    size_t present_count;
    uint64_t size_bytes;
    struct partial present; /* the last one */
};

/* Counts the partials of a subtree, `limit` of them at most. */
static struct tally tally_subtree(const struct scheduler *scheduler, struct range subtree,
                                  size_t limit)
{
    struct tally tally = {0};
    const struct partial *partial = state_find_partial(scheduler->state, subtree.first);
    while (partial != NULL && partial->range.first < range_end(subtree) && tally.count < limit) {
        tally.count++;
        if (!partial->is_absent) {
            tally.present_count++;
            tally.size_bytes += partial->size_bytes;
            tally.present = *partial;
        }
        partial = state_next_partial(partial);
    }
    return tally;
}

bool merging_is_wanted(const struct scheduler *scheduler, struct range range)
{
    const struct partial *first = state_find_partial(scheduler->state, range.first);
    return range_set_contains(state_done(scheduler->state), range) && first != NULL &&
           first->range.count < range.count;
}

/* Nothing to call merge for: absent results vanish beside another, whose bytes stay as they are. */
static void merge_absent(struct scheduler *scheduler, struct range subtree,
                         const struct tally *tally)
{
    struct partial *merged = scheduler_step_partials(scheduler, 1);
    *merged = tally->present_count > 0 ? tally->present : (struct partial){.is_absent = true};
    merged->range = subtree;
    scheduler_emit(scheduler, (struct fact){.kind = FACT_RESULT,
                                            .as.result = {.worker = WORKER_NONE,
                                                          .work = WORK_MERGE,
                                                          .partial_count = 1,
                                                          .partials = merged}});
}

static bool merge_subtree(struct scheduler *scheduler, struct range subtree);

static bool is_cut_short(struct range subtree)
{
    return (subtree.count & (subtree.count - 1)) != 0;
}

/* Of a subtree that the last task cuts short: the largest ones in it that are whole, and stay
 * subtrees when tasks come behind them. False while one of them is being merged. */
static bool merge_whole_ones(struct scheduler *scheduler, struct range subtree)
{
    struct range rest = subtree;
    while (is_cut_short(rest)) {
        merge_subtree(scheduler, tree_left_child(rest));
        rest = tree_right_child(rest);
    }
    merge_subtree(scheduler, rest);
    return !range_set_intersects(&scheduler->merging, subtree);
}

/* Queues the merge of a subtree that is done and of which nothing is being merged. True when it
 * became one partial at once. */
static bool merge_subtree(struct scheduler *scheduler, struct range subtree)
{
    if (scheduler->config.keeps_subtrees && is_cut_short(subtree) &&
        !merge_whole_ones(scheduler, subtree))
        return false;
    struct tally tally = tally_subtree(scheduler, subtree, SIZE_MAX);
    if (tally.count <= 1)
        return false;
    if (tally.present_count <= 1) {
        merge_absent(scheduler, subtree, &tally);
        return true;
    }
    bool is_large =
        tally.size_bytes > scheduler->config.merge_bytes_max || tally.count > FACT_PARTIALS_MAX;
    if (is_large && tally.count > 2) {
        merge_subtree(scheduler, tree_left_child(subtree));
        merge_subtree(scheduler, tree_right_child(subtree));
        if (range_set_intersects(&scheduler->merging, subtree))
            return false;
    }
    range_set_add(&scheduler->merging, subtree);
    assigning_queue(scheduler, WORK_MERGE, subtree);
    return false;
}

/* The largest subtree around `node` that is done and of which nothing is being merged. */
static struct range climb(const struct scheduler *scheduler, struct range node)
{
    uint64_t task_count = state_job(scheduler->state)->task_count;
    struct range parent = tree_parent(node, task_count);
    while (parent.count > node.count && range_set_contains(state_done(scheduler->state), parent) &&
           !range_set_intersects(&scheduler->merging, parent)) {
        node = parent;
        parent = tree_parent(node, task_count);
    }
    return node;
}

static bool is_worth_while(const struct scheduler *scheduler, struct range subtree)
{
    size_t fan_in = scheduler->config.merge_fan_in;
    return subtree.count == state_job(scheduler->state)->task_count ||
           tally_subtree(scheduler, subtree, fan_in).count >= fan_in;
}

void merging_climb(struct scheduler *scheduler, uint64_t task)
{
    const struct fact_job_accepted *job = state_job(scheduler->state);
    if (job == NULL || !job->has_merge)
        return;
    const struct partial *partial = state_find_partial(scheduler->state, task);
    while (partial != NULL && partial->range.first <= task &&
           !range_set_intersects(&scheduler->merging, partial->range)) {
        struct range subtree = climb(scheduler, partial->range);
        if (!is_worth_while(scheduler, subtree) || !merge_subtree(scheduler, subtree))
            return;
        partial = state_find_partial(scheduler->state, task);
    }
}

void merging_climb_all(struct scheduler *scheduler)
{
    uint64_t task = 0;
    const struct partial *partial = state_find_partial(scheduler->state, task);
    while (partial != NULL) {
        task = partial->range.first;
        merging_climb(scheduler, task);
        partial = state_find_partial(scheduler->state, task);
        task = range_end(partial->range);
        partial = state_find_partial(scheduler->state, task);
    }
}

void merging_ended(struct scheduler *scheduler, struct range range)
{
    if (merging_is_wanted(scheduler, range))
        assigning_queue(scheduler, WORK_MERGE, range);
    else
        range_set_remove(&scheduler->merging, range);
}
