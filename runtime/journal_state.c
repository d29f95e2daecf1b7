/* journal_state.c - collects the facts of a snapshot. */
#include "journal_state.h"

#include "../scheduler/memory.h"

#include <stdlib.h>

/* Owns the partials of its facts; the rest borrows from the state. */
struct snapshot {
    struct fact *facts;
    size_t count;
    size_t capacity;
};

static void add_to_snapshot(void *context, const struct fact *fact)
{
    struct snapshot *snapshot = context;
    void *facts = snapshot->facts;
    memory_grow(&facts, &snapshot->capacity, snapshot->count + 1, sizeof *snapshot->facts);
    snapshot->facts = facts;
    struct fact *added = &snapshot->facts[snapshot->count++];
    *added = *fact;
    if (fact->kind == FACT_RESULT)
        added->as.result.partials =
            memory_copy(fact->as.result.partials,
                        fact->as.result.partial_count * sizeof *fact->as.result.partials);
}

void journal_snapshot_state(struct journal *journal, const struct state *state)
{
    struct snapshot snapshot = {0};
    state_snapshot(state, add_to_snapshot, &snapshot);
    journal_snapshot(journal, snapshot.facts, snapshot.count);
    for (size_t i = 0; i < snapshot.count; i++) {
        if (snapshot.facts[i].kind == FACT_RESULT)
            free((void *)(uintptr_t)snapshot.facts[i].as.result.partials);
    }
    free(snapshot.facts);
}
