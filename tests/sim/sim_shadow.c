/* sim_shadow.c - an account of every task and assignment from the facts alone, compared with the
 * state. */
#include "sim.h"

#include "../../scheduler/memory.h"
#include "../../scheduler/tree.h"

#include <stdlib.h>

enum { ASSIGNMENTS_OF_TASK_MAX = 2 }; /* an original and a copy */

void shadow_reset(struct shadow *shadow)
{
    free(shadow->live);
    free(shadow->in_flight);
    free(shadow->done_seq);
    free(shadow->ended_seq);
    free(shadow->failed_in);
    free(shadow->results);
    free(shadow->assignments);
    *shadow = (struct shadow){0};
}

static void apply_job_accepted(struct shadow *shadow, const struct fact_job_accepted *job)
{
    if (shadow->task_count > 0 || job->task_count > SHADOW_TASKS_MAX)
        return;
    shadow->is_exact = true;
    shadow->task_count = job->task_count;
    shadow->live = memory_allocate_zeroed(job->task_count, sizeof *shadow->live);
    shadow->in_flight = memory_allocate_zeroed(job->task_count, sizeof *shadow->in_flight);
    shadow->done_seq = memory_allocate_zeroed(job->task_count, sizeof *shadow->done_seq);
    shadow->ended_seq = memory_allocate_zeroed(job->task_count, sizeof *shadow->ended_seq);
    shadow->failed_in = memory_allocate_zeroed(job->task_count, sizeof *shadow->failed_in);
}

static void add_result(struct shadow *shadow, const struct partial *partial, uint64_t seq)
{
    void *results = shadow->results;
    memory_grow(&results, &shadow->result_capacity, shadow->result_count + 1,
                sizeof *shadow->results);
    shadow->results = results;
    shadow->results[shadow->result_count++] = (struct shadow_result){
        .range = partial->range,
        .payload_seq = partial->payload_seq == 0 ? seq : partial->payload_seq,
        .offset_bytes = partial->offset_bytes,
        .is_absent = partial->is_absent,
    };
    for (uint64_t task = partial->range.first; task < range_end(partial->range); task++)
        shadow->live[task] = (uint32_t)shadow->result_count;
}

static void accept_partial(struct world *world, const struct fact *fact,
                           const struct partial *partial)
{
    struct shadow *shadow = &world->shadow;
    bool is_merge = fact->as.result.work == WORK_MERGE;
    if (range_end(partial->range) > shadow->task_count)
        violate(world, "fact %llu has results beyond the last task", (unsigned long long)fact->seq);
    for (uint64_t task = partial->range.first; task < range_end(partial->range); task++) {
        if (!is_merge && shadow->live[task] != 0)
            violate(world, "task %llu is accepted a second time, in fact %llu",
                    (unsigned long long)task, (unsigned long long)fact->seq);
        if (is_merge && shadow->live[task] == 0)
            violate(world, "task %llu counts as done by a merge (fact %llu), but has no result",
                    (unsigned long long)task, (unsigned long long)fact->seq);
        if (is_merge &&
            !range_contains(partial->range, shadow->results[shadow->live[task] - 1].range))
            violate(world, "the merge of fact %llu cuts through the result of task %llu",
                    (unsigned long long)fact->seq, (unsigned long long)task);
    }
    if (world->plan.has_merge && !tree_is_node(partial->range, shadow->task_count))
        violate(world, "fact %llu has a result of no node of the tree: [%llu, %llu)",
                (unsigned long long)fact->seq, (unsigned long long)partial->range.first,
                (unsigned long long)range_end(partial->range));
    add_result(shadow, partial, fact->seq);
    for (uint64_t task = partial->range.first; task < range_end(partial->range); task++)
        if (!is_merge && !partial->is_absent)
            shadow->done_seq[task] = shadow->ended_seq[task] = fact->seq;
}

static void end_assignment(struct shadow *shadow, uint64_t seq)
{
    for (size_t i = 0; i < shadow->assignment_count; i++) {
        if (shadow->assignments[i].seq == seq) {
            shadow->assignments[i] = shadow->assignments[--shadow->assignment_count];
            return;
        }
    }
}

static void apply_result(struct world *world, const struct fact *fact)
{
    const struct fact_result *result = &fact->as.result;
    if (result->work == WORK_RUN || result->work == WORK_MERGE)
        for (uint32_t i = 0; i < result->partial_count; i++)
            accept_partial(world, fact, &result->partials[i]);
    if (result->work == WORK_FINISH)
        world->shadow.has_output = true;
    end_assignment(&world->shadow, result->assignment);
}

static void apply_attempt_failed(struct world *world, const struct fact *fact)
{
    struct shadow *shadow = &world->shadow;
    const struct fact_attempt_failed *failed = &fact->as.attempt_failed;
    if (failed->is_crash || failed->work != WORK_RUN)
        end_assignment(shadow, failed->assignment);
    if (failed->work != WORK_RUN)
        return;
    for (uint64_t task = failed->range.first; task < range_end(failed->range); task++) {
        if (shadow->live[task] != 0)
            violate(world, "task %llu is done and fails afterwards, in fact %llu",
                    (unsigned long long)task, (unsigned long long)fact->seq);
        if (failed->assignment != 0 && shadow->failed_in[task] == 1 + failed->assignment)
            violate(world, "task %llu fails in assignment %llu again, in fact %llu",
                    (unsigned long long)task, (unsigned long long)failed->assignment,
                    (unsigned long long)fact->seq);
        shadow->failed_in[task] = 1 + failed->assignment;
    }
    for (uint64_t task = failed->range.first; task < range_end(failed->range); task++)
        if (failed->is_final) {
            add_result(shadow, &(struct partial){.range = {task, 1}, .is_absent = true}, fact->seq);
            shadow->ended_seq[task] = fact->seq;
        }
}

static bool is_done(const struct shadow *shadow, struct range range)
{
    for (uint64_t task = range.first; task < range_end(range); task++)
        if (shadow->live[task] == 0)
            return false;
    return true;
}

/* A task that failed runs by itself, whatever range it was in. */
static bool is_retry(const struct shadow *shadow, struct range range)
{
    return range.count == 1 && shadow->failed_in[range.first] != 0;
}

static bool is_other(const struct world *world, const struct shadow_assignment *other,
                     const struct fact_assigned *assigned)
{
    const struct state *state = scheduler_state(world->master.scheduler);
    return other->work == WORK_RUN && range_intersects(other->range, assigned->range) &&
           other->seq != assigned->copy_of && !is_retry(&world->shadow, assigned->range) &&
           !is_retry(&world->shadow, other->range) && !is_done(&world->shadow, other->range) &&
           state_find_assignment(state, other->seq) != NULL;
}

static void check_run_assigned(struct world *world, const struct fact *fact)
{
    struct shadow *shadow = &world->shadow;
    const struct fact_assigned *assigned = &fact->as.assigned;
    uint64_t done_count = 0;
    for (uint64_t task = assigned->range.first; task < range_end(assigned->range); task++)
        done_count += shadow->live[task] != 0;
    if (done_count == assigned->range.count || (done_count > 0 && assigned->copy_of == 0))
        violate(world, "fact %llu assigns %llu tasks of [%llu, %llu) that are done",
                (unsigned long long)fact->seq, (unsigned long long)done_count,
                (unsigned long long)assigned->range.first,
                (unsigned long long)range_end(assigned->range));
    for (size_t i = 0; i < shadow->assignment_count; i++)
        if (is_other(world, &shadow->assignments[i], assigned))
            violate(world, "fact %llu assigns tasks that assignment %llu holds already",
                    (unsigned long long)fact->seq, (unsigned long long)shadow->assignments[i].seq);
}

static void apply_assigned(struct world *world, const struct fact *fact)
{
    struct shadow *shadow = &world->shadow;
    const struct fact_assigned *assigned = &fact->as.assigned;
    bool is_live = world->master.is_up;
    if (is_live && assigned->work == WORK_RUN)
        check_run_assigned(world, fact);
    void *assignments = shadow->assignments;
    memory_grow(&assignments, &shadow->assignment_capacity, shadow->assignment_count + 1,
                sizeof *shadow->assignments);
    shadow->assignments = assignments;
    shadow->assignments[shadow->assignment_count++] = (struct shadow_assignment){
        .seq = fact->seq,
        .worker = assigned->worker,
        .work = assigned->work,
        .range = assigned->range,
    };
}

static void apply_returned(struct world *world, const struct fact_returned *returned)
{
    struct shadow *shadow = &world->shadow;
    for (size_t i = 0; i < shadow->assignment_count; i++) {
        struct shadow_assignment *assignment = &shadow->assignments[i];
        if (assignment->seq != returned->assignment)
            continue;
        bool is_end = range_end(returned->range) == range_end(assignment->range) &&
                      returned->range.first >= assignment->range.first;
        if (returned->is_whole)
            end_assignment(shadow, assignment->seq);
        else if (is_end)
            assignment->range.count -= returned->range.count;
        return;
    }
}

static void end_assignments_of(struct shadow *shadow, uint32_t worker)
{
    size_t kept = 0;
    for (size_t i = 0; i < shadow->assignment_count; i++)
        if (shadow->assignments[i].worker != worker)
            shadow->assignments[kept++] = shadow->assignments[i];
    shadow->assignment_count = kept;
}

/* While there is an output, the loss of all tasks is the loss of the output alone. */
static void apply_result_lost(struct shadow *shadow, struct range range)
{
    bool is_output = shadow->has_output && range.count == shadow->task_count;
    shadow->has_output = false;
    shadow->has_lost = true;
    if (is_output)
        return;
    for (uint64_t task = range.first; task < range_end(range); task++) {
        if (shadow->live[task] == 0)
            continue;
        struct range lost = shadow->results[shadow->live[task] - 1].range;
        for (uint64_t i = lost.first; i < range_end(lost); i++) {
            shadow->live[i] = 0;
            shadow->done_seq[i] = shadow->ended_seq[i] = 0;
        }
    }
}

void shadow_apply(struct world *world, const struct fact *fact)
{
    struct shadow *shadow = &world->shadow;
    if (fact->kind == FACT_JOB_ACCEPTED)
        apply_job_accepted(shadow, &fact->as.job_accepted);
    bool has_tasks = shadow->is_exact || fact->kind == FACT_RUN_STARTED;
    if (!has_tasks)
        return;
    switch (fact->kind) {
    case FACT_RUN_STARTED:
        shadow->assignment_count = 0;
        return;
    case FACT_WORKER_JOINED:
        end_assignments_of(shadow, fact->as.worker_joined.worker);
        return;
    case FACT_WORKER_LOST:
        end_assignments_of(shadow, fact->as.worker_lost.worker);
        return;
    case FACT_ASSIGNED:
        apply_assigned(world, fact);
        return;
    case FACT_RESULT:
        apply_result(world, fact);
        return;
    case FACT_RETURNED:
        apply_returned(world, &fact->as.returned);
        return;
    case FACT_ATTEMPT_FAILED:
        apply_attempt_failed(world, fact);
        return;
    case FACT_RESULT_LOST:
        apply_result_lost(shadow, fact->as.result_lost.range);
        return;
    case FACT_JOB_ACCEPTED:
    case FACT_JOB_FAILED:
    case FACT_JOB_FINISHED:
    case FACT_SNAPSHOT_END:
    case FACT_NODE_BENCHED:
    case FACT_NODE_READMITTED:
    case FACT_FAILURES:
    case FACT_FAILED_REOPENED: /* runs of the simulator only publish again */
        return;
    }
}

void shadow_adopt(struct world *world, const struct state *state)
{
    struct shadow *shadow = &world->shadow;
    shadow_reset(shadow);
    if (state_job(state) == NULL)
        return;
    apply_job_accepted(shadow, state_job(state));
    if (!shadow->is_exact)
        return;
    shadow->has_output = state_output(state) != NULL;
    for (uint64_t task = 0; task < shadow->task_count; task++) {
        const struct range one = {task, 1};
        bool has_succeeded = range_set_contains(state_done(state), one) &&
                             !range_set_contains(state_failed(state), one);
        shadow->done_seq[task] = has_succeeded ? 1 : 0;
        shadow->ended_seq[task] = range_set_contains(state_done(state), one) ? 1 : 0;
    }
    const struct partial *partial = state_find_partial(state, 0);
    for (; partial != NULL; partial = state_find_partial(state, range_end(partial->range)))
        add_result(shadow, partial, 0);
    const struct trouble *trouble = state_find_trouble_from(state, WORK_RUN, 0);
    while (trouble != NULL) {
        shadow->failed_in[trouble->range.first] = 1;
        trouble = state_find_trouble_from(state, WORK_RUN, range_end(trouble->range));
    }
}

bool shadow_is_early(const struct world *world, struct range range, uint64_t seq)
{
    const struct shadow *shadow = &world->shadow;
    const struct task_graph *before = world->job.before;
    if (before == NULL || !shadow->is_exact)
        return false;
    for (uint64_t task = range.first; task < range_end(range); task++) {
        uint32_t end = before->successor_starts[task + 1];
        for (uint32_t at = before->successor_starts[task]; at < end; at++) {
            const uint64_t *seqs = before->is_for_end[at] ? shadow->ended_seq : shadow->done_seq;
            uint64_t done_seq = seqs[before->successors[at]];
            if (shadow->live[task] == 0 && (done_seq == 0 || done_seq > seq))
                return true;
        }
    }
    return false;
}

/* Forgets assignments that ended without a fact of their own: nothing was left of them to do. */
static void count_in_flight(struct world *world, const struct state *state)
{
    struct shadow *shadow = &world->shadow;
    size_t kept = 0;
    for (uint64_t task = 0; task < shadow->task_count; task++)
        shadow->in_flight[task] = 0;
    for (size_t i = 0; i < shadow->assignment_count; i++) {
        struct shadow_assignment *held = &shadow->assignments[i];
        const struct assignment *assignment = state_find_assignment(state, held->seq);
        if (assignment == NULL && held->work == WORK_RUN && !shadow->has_lost &&
            !is_done(shadow, held->range))
            violate(world, "assignment %llu was given up, but its tasks are not done",
                    (unsigned long long)held->seq);
        if (assignment == NULL)
            continue;
        if (assignment->worker != held->worker || assignment->work != held->work ||
            assignment->range.first != held->range.first ||
            assignment->range.count != held->range.count)
            violate(world, "assignment %llu is not what its facts say",
                    (unsigned long long)held->seq);
        if (held->work == WORK_RUN)
            for (uint64_t task = held->range.first; task < range_end(held->range); task++)
                shadow->in_flight[task]++;
        shadow->assignments[kept++] = *held;
    }
    shadow->assignment_count = kept;
    shadow->has_lost = false;
}

static void check_task(struct world *world, const struct state *state, uint64_t task)
{
    const struct shadow *shadow = &world->shadow;
    struct range range = {task, 1};
    bool is_live = shadow->live[task] != 0;
    bool is_open = range_set_contains(state_open(state), range);
    bool is_in_trouble = state_find_trouble(state, WORK_RUN, range) != NULL;
    unsigned long long number = task;
    if (is_live != range_set_contains(state_done(state), range))
        violate(world, "task %llu is %sdone by the state, but %s", number, is_live ? "not " : "",
                is_live ? "has a result" : "has none");
    if (is_live) {
        if (is_open || is_in_trouble)
            violate(world, "task %llu is done, and yet to be run", number);
        return;
    }
    bool is_waiting = shadow_is_early(world, range, UINT64_MAX);
    if (is_open && is_waiting)
        violate(world, "task %llu is open before one that it comes after", number);
    if (!is_waiting && !is_open && !is_in_trouble && shadow->in_flight[task] == 0)
        violate(world, "task %llu is forgotten: not done, not open, not in trouble, not in flight",
                number);
    if (is_open && shadow->in_flight[task] > 0)
        violate(world, "task %llu is open and in flight", number);
    if (shadow->in_flight[task] > ASSIGNMENTS_OF_TASK_MAX + (is_in_trouble ? 2 : 0))
        violate(world, "task %llu is in %d assignments", number, shadow->in_flight[task]);
}

/* Absent results of neighbours may count as one. */
static bool is_absent(const struct shadow *shadow, struct range range)
{
    for (uint64_t task = range.first; task < range_end(range); task++)
        if (shadow->live[task] == 0 || !shadow->results[shadow->live[task] - 1].is_absent)
            return false;
    return true;
}

static void check_partials(struct world *world, const struct state *state)
{
    const struct shadow *shadow = &world->shadow;
    uint64_t covered = 0;
    const struct partial *partial = state_find_partial(state, 0);
    for (; partial != NULL; partial = state_find_partial(state, range_end(partial->range))) {
        uint64_t task = partial->range.first;
        uint32_t live = shadow->live[task];
        const struct shadow_result *result = live != 0 ? &shadow->results[live - 1] : NULL;
        bool is_joined = partial->is_absent && is_absent(shadow, partial->range);
        if (!is_joined && (result == NULL || result->range.first != task ||
                           result->range.count != partial->range.count ||
                           result->payload_seq != partial->payload_seq ||
                           result->offset_bytes != partial->offset_bytes ||
                           result->is_absent != partial->is_absent))
            violate(world, "the partial of [%llu, %llu) is not the result accepted for it",
                    (unsigned long long)task, (unsigned long long)range_end(partial->range));
        covered += partial->range.count;
    }
    if (covered != state_done(state)->task_count)
        violate(world, "partials cover %llu tasks, but %llu are done", (unsigned long long)covered,
                (unsigned long long)state_done(state)->task_count);
}

void shadow_check(struct world *world, const struct state *state)
{
    struct shadow *shadow = &world->shadow;
    if (!shadow->is_exact)
        return;
    count_in_flight(world, state);
    check_partials(world, state);
    if (state_phase(state) == PHASE_RUNNING)
        for (uint64_t task = 0; task < shadow->task_count; task++)
            check_task(world, state, task);
}
