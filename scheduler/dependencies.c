/* dependencies.c - what comes after a task that failed for good is not run. */
#include "scheduler_private.h"

#include "check.h"

#include <string.h>

/* So many tasks may be doomed at once that one step cannot tell of all. */
enum { FACTS_PER_STEP = 1024 };

/* The first doomed tasks side by side, for the failure of one task. */
static bool find_doomed(const struct state *state, struct range *doomed)
{
    struct range found;
    if (!range_set_find_from(state_doomed(state), 0, &found))
        return false;
    uint32_t culprit = state_culprit(state, found.first);
    *doomed = (struct range){found.first, 1};
    while (doomed->count < found.count && state_culprit(state, range_end(*doomed)) == culprit)
        doomed->count++;
    return true;
}

static void fail(struct scheduler *scheduler, struct range doomed)
{
    const char *const *names = state_graph(scheduler->state)->names;
    uint32_t culprit = state_culprit(scheduler->state, doomed.first);
    const char *name = names != NULL && culprit != TASK_NONE ? names[culprit] : "";
    size_t size = strlen(name);
    scheduler_emit(scheduler,
                   (struct fact){.kind = FACT_ATTEMPT_FAILED,
                                 .as.attempt_failed = {.worker = WORKER_NONE,
                                                       .work = WORK_RUN,
                                                       .range = doomed,
                                                       .cause = CAUSE_NOT_RUN,
                                                       .is_final = true,
                                                       .text_size = size < FACT_TEXT_BYTES_MAX
                                                                        ? (uint32_t)size
                                                                        : FACT_TEXT_BYTES_MAX,
                                                       .text = name}});
    for (uint64_t task = doomed.first; task < range_end(doomed);) {
        merging_climb(scheduler, task);
        task = range_end(state_find_partial(scheduler->state, task)->range);
    }
}

void dependencies_fail_doomed(struct scheduler *scheduler)
{
    struct range doomed;
    for (int i = 0; i < FACTS_PER_STEP && find_doomed(scheduler->state, &doomed); i++)
        fail(scheduler, doomed);
}

void dependencies_check(const struct scheduler *scheduler)
{
    const struct state *state = scheduler->state;
    if (state_graph(state) == NULL || state_phase(state) != PHASE_RUNNING ||
        state_done(state)->task_count == state_job(state)->task_count)
        return;
    CHECK(state_open(state)->task_count > 0 || state_trouble_count(state) > 0 ||
          state_doomed(state)->task_count > 0 || scheduler->observations.outstanding_count > 0);
}
