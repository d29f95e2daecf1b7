/* edit_merged.c - which merged results of an old list are results of the new one, too.
 *
 * What was merged once lies in the journal as long as the segment of its fact does, also when it
 * has been merged further since. So a list that has grown keeps the largest subtrees that are
 * subtrees of its own tree, and not only what the old run ended with. */
#include "edit_private.h"

#include "../scheduler/memory.h"
#include "../scheduler/tree.h"
#include "print_foreign.h"

#include <stdlib.h>

static void add(struct edit *edit, const struct partial *partial)
{
    struct edit_merged *merged = &edit->merged;
    void *items = merged->stored;
    if (partial->is_absent)
        return;
    memory_grow(&items, &merged->stored_capacity, merged->stored_count + 1, sizeof *merged->stored);
    merged->stored = items;
    merged->stored[merged->stored_count++] = *partial;
}

/* Results were taken back: what they were merged of says nothing any more. */
static void start_anew(struct edit *edit)
{
    edit->merged.stored_count = 0;
    const struct partial *partial = state_find_partial(edit->state, 0);
    for (; partial != NULL; partial = state_next_partial(partial))
        add(edit, partial);
}

/* Those that the state has taken in. */
static void add_result(struct edit *edit, const struct fact *fact)
{
    const struct fact_result *result = &fact->as.result;
    for (uint32_t i = 0; i < result->partial_count; i++) {
        struct range range = result->partials[i].range;
        uint64_t seq = result->partials[i].payload_seq;
        const struct partial *taken = state_find_partial(edit->state, range.first);
        if (taken != NULL && taken->range.first == range.first &&
            taken->range.count == range.count && taken->payload_seq == (seq != 0 ? seq : fact->seq))
            add(edit, taken);
    }
}

void edit_note_merged(struct edit *edit, const struct fact *fact)
{
    const struct fact_job_accepted *accepted = state_job(edit->state);
    if (accepted == NULL || !accepted->has_merge)
        return;
    if (fact->kind == FACT_RESULT &&
        (fact->as.result.work == WORK_RUN || fact->as.result.work == WORK_MERGE))
        add_result(edit, fact);
    else if (fact->kind == FACT_RESULT_LOST || fact->kind == FACT_FAILED_REOPENED ||
             fact->kind == FACT_JOB_ACCEPTED)
        start_anew(edit);
}

/* The largest first, of those that begin alike. */
static int compare(const void *a, const void *b)
{
    const struct range left = ((const struct partial *)a)->range;
    const struct range right = ((const struct partial *)b)->range;
    if (left.first != right.first)
        return left.first < right.first ? -1 : 1;
    return (left.count < right.count) - (left.count > right.count);
}

static bool is_node_of_new(const struct edit *edit, const struct partial *partial, uint64_t *first)
{
    return range_set_contains(&edit->succeeded, partial->range) &&
           edit_plan_moves(&edit->plan, partial->range, first) &&
           tree_is_node((struct range){*first, partial->range.count}, edit->plan.new_count);
}

/* What has been merged further may be gone by now; the rest is damaged, and that is told. */
static bool can_be_read(struct edit *edit, const struct partial *partial)
{
    struct byte_writer bytes = {0};
    struct sheaf_error error;
    bool is_read = journal_view_read(edit->old, partial, &bytes, &error) == 0;
    const struct partial *last = state_find_partial(edit->state, partial->range.first);
    byte_writer_close(&bytes);
    if (!is_read && last->range.first == partial->range.first &&
        last->range.count == partial->range.count)
        print_harmless(stderr, "sheaf: warning: %s; its tasks run again\n", error.text);
    return is_read;
}

void edit_choose_merged(struct edit *edit)
{
    struct edit_merged *merged = &edit->merged;
    uint64_t end = 0;
    if (merged->stored_count > 0)
        qsort(merged->stored, merged->stored_count, sizeof *merged->stored, compare);
    for (size_t i = 0; i < merged->stored_count; i++) {
        const struct partial partial = merged->stored[i];
        uint64_t first;
        if (partial.range.first < end || !is_node_of_new(edit, &partial, &first) ||
            !can_be_read(edit, &partial))
            continue;
        void *kept = merged->kept;
        memory_grow(&kept, &merged->kept_capacity, merged->kept_count + 1, sizeof *merged->kept);
        merged->kept = kept;
        merged->kept[merged->kept_count++] = (struct kept_partial){partial, first};
        end = range_end(partial.range);
    }
}

void edit_merged_close(struct edit_merged *merged)
{
    free(merged->stored);
    free(merged->kept);
    *merged = (struct edit_merged){0};
}
