/* endgame.c - keeps idle slots busy when nothing is open: the policy of the end of a job.
 *
 * First the unstarted ends of ranges are taken back, those that should end last before others. When
 * nothing can be taken back, copies of late assignments run elsewhere; the first result wins. So no
 * slow or silent worker holds the job. */
#include "scheduler_private.h"

#include "rb.h"

/* An assignment is late after so many times its expected time ... */
enum { LATE_FACTOR = 2 };
/* ... but not before so many range targets, which is also how long an answer is waited for. */
enum { PATIENCE_TARGETS = 4 };
/* What is known only from the first tasks that ended, somewhere, allows at least so much. */
#define GUESS_NS (5 * SHEAF_NS_PER_S)
/* Retries looked at whose turn it is to be taken back or copied, when nobody is idle who may have
 * them. */
enum { RETRIES_LOOKED_AT = 8 };

static int compare_order(const struct outstanding *a, const struct outstanding *b)
{
    int order = RB_COMPARE(a->order_ns, b->order_ns);
    return order != 0 ? order : RB_COMPARE(a->seq, b->seq);
}

RB_GENERATE_PRIVATE(take_back_tree, outstanding, by_order, compare_order)
RB_GENERATE_PRIVATE(copy_tree, outstanding, by_order, compare_order)

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t patience_ns(const struct scheduler *scheduler)
{
    return PATIENCE_TARGETS * scheduler->config.range_target_ns;
}

/* The time from which a copy makes sense. */
static uint64_t late_ns(const struct scheduler *scheduler, const struct outstanding *outstanding)
{
    uint64_t allowed_ns = patience_ns(scheduler);
    if (outstanding->expected_ns == 0)
        allowed_ns = later(allowed_ns, scheduler->config.lost_after_ns);
    else if (outstanding->is_guess)
        allowed_ns = later(allowed_ns, earlier(GUESS_NS, scheduler->config.lost_after_ns));
    if (outstanding->expected_ns != 0)
        allowed_ns =
            later(allowed_ns, LATE_FACTOR * (outstanding->end_ns - outstanding->assigned_ns));
    return outstanding->assigned_ns + allowed_ns;
}

void endgame_remove(struct scheduler *scheduler, struct outstanding *outstanding)
{
    struct endgame *endgame = &scheduler->endgame;
    switch (outstanding->hurry) {
    case HURRY_TAKE_BACK:
        RB_REMOVE(take_back_tree, &endgame->take_backs, outstanding);
        break;
    case HURRY_ASKED:
        TAILQ_REMOVE(&endgame->asked, outstanding, by_asked);
        endgame->asked_count--;
        break;
    case HURRY_COPY:
        RB_REMOVE(copy_tree, &endgame->copies, outstanding);
        break;
    case HURRY_NONE:
        break;
    }
    outstanding->hurry = HURRY_NONE;
}

static void set_hurry(struct scheduler *scheduler, struct outstanding *outstanding,
                      enum hurry hurry)
{
    struct endgame *endgame = &scheduler->endgame;
    endgame_remove(scheduler, outstanding);
    outstanding->hurry = hurry;
    switch (hurry) {
    case HURRY_TAKE_BACK:
        outstanding->order_ns = outstanding->end_ns;
        RB_INSERT(take_back_tree, &endgame->take_backs, outstanding);
        break;
    case HURRY_ASKED:
        outstanding->order_ns = scheduler->now_ns;
        TAILQ_INSERT_TAIL(&endgame->asked, outstanding, by_asked);
        endgame->asked_count++;
        break;
    case HURRY_COPY:
        outstanding->order_ns = later(late_ns(scheduler, outstanding), scheduler->now_ns);
        RB_INSERT(copy_tree, &endgame->copies, outstanding);
        break;
    case HURRY_NONE:
        break;
    }
}

/* What can be done for an assignment without a twin. A split streams its tasks out, and a finish is
 * promised to one executor: neither has copies. */
static enum hurry usual_hurry(const struct outstanding *outstanding,
                              const struct assignment *assignment)
{
    switch (assignment->work) {
    case WORK_RUN:
        return outstanding->is_running && assignment->range.count == 1 ? HURRY_COPY
                                                                       : HURRY_TAKE_BACK;
    case WORK_MERGE:
        return HURRY_COPY;
    case WORK_SPLIT:
    case WORK_FINISH:
        return HURRY_NONE;
    }
    return HURRY_NONE;
}

void endgame_add(struct scheduler *scheduler, struct outstanding *outstanding)
{
    const struct assignment *assignment = state_find_assignment(scheduler->state, outstanding->seq);
    outstanding->hurry = HURRY_NONE;
    if (assignment->twin == 0)
        set_hurry(scheduler, outstanding, usual_hurry(outstanding, assignment));
    else
        set_hurry(scheduler, outstanding_find(&scheduler->observations, assignment->twin),
                  HURRY_NONE);
}

void endgame_answered(struct scheduler *scheduler, struct outstanding *outstanding, bool gave)
{
    const struct assignment *assignment = state_find_assignment(scheduler->state, outstanding->seq);
    if (assignment->twin == 0)
        set_hurry(scheduler, outstanding, gave ? usual_hurry(outstanding, assignment) : HURRY_COPY);
}

void endgame_note_arriving(struct scheduler *scheduler, const struct input_heard *heard)
{
    struct outstanding *outstanding = outstanding_find(&scheduler->observations, heard->assignment);
    if (outstanding != NULL && outstanding->worker == heard->worker)
        outstanding->arrives_ns = scheduler->now_ns + heard->left_ns;
}

void endgame_pace_known(struct scheduler *scheduler)
{
    struct outstanding *outstanding;
    LIST_FOREACH(outstanding, &scheduler->observations.outstanding, of_all)
    {
        if (outstanding->work != WORK_RUN || outstanding->expected_ns > 0)
            continue;
        const struct assignment *assignment =
            state_find_assignment(scheduler->state, outstanding->seq);
        outstanding_expect(&scheduler->observations, outstanding, assignment->range.count,
                           scheduler->now_ns);
        outstanding->is_guess = true;
        if (outstanding->hurry == HURRY_TAKE_BACK || outstanding->hurry == HURRY_COPY)
            set_hurry(scheduler, outstanding, outstanding->hurry);
    }
}

void endgame_twin_ended(struct scheduler *scheduler, const struct assignment *ended)
{
    struct outstanding *left = outstanding_find(&scheduler->observations, ended->twin);
    if (left == NULL)
        return;
    const struct observed_node *node = observed_node_of(&scheduler->observations, ended->worker);
    left->failed_node = node != NULL ? node->number : NODE_NONE;
    left->failed_ns = scheduler->now_ns;
    set_hurry(scheduler, left, HURRY_COPY);
}

/* Where work that is out is not to be done next: not where it failed before, or where its last copy
 * came to nothing, as long as it may be done on any other node. Who waited very long takes whoever
 * there is. */
static struct avoidance avoidance_of(struct scheduler *scheduler,
                                     const struct outstanding *outstanding)
{
    const struct assignment *assignment = state_find_assignment(scheduler->state, outstanding->seq);
    struct avoidance avoid = {outstanding->worker, NODE_NONE};
    uint64_t since_ns = later(outstanding->assigned_ns, outstanding->failed_ns);
    if (scheduler->now_ns < since_ns + scheduler->config.no_workers_ns) {
        avoid.node = assigning_failed_node(scheduler, assignment->work, assignment->range);
        if (avoid.node == NODE_NONE)
            avoid.node = outstanding->failed_node;
    }
    return avoid;
}

/* The next to be asked: a retry only when somebody may have it, or else it would go round. */
static struct outstanding *find_take_back(struct scheduler *scheduler)
{
    struct outstanding *found = RB_MAX(take_back_tree, &scheduler->endgame.take_backs);
    for (int looked_at = 0; found != NULL && looked_at < RETRIES_LOOKED_AT; looked_at++) {
        const struct observed_worker *idle = observations_find_hungry(
            &scheduler->observations, HUNGER_IDLE, avoidance_of(scheduler, found));
        bool is_retry = state_find_assignment(scheduler->state, found->seq)->is_retry;
        if (!is_retry || (idle != NULL && idle->rank != found->worker))
            return found;
        found = RB_PREV(take_back_tree, , found);
    }
    return NULL;
}

static void ask(struct scheduler *scheduler, struct outstanding *outstanding)
{
    set_hurry(scheduler, outstanding, HURRY_ASKED);
    scheduler_add_effect(scheduler, (struct effect){.kind = EFFECT_TAKE_BACK,
                                                    .worker = outstanding->worker,
                                                    .assignment = outstanding->seq});
}

static void take_back(struct scheduler *scheduler)
{
    struct endgame *endgame = &scheduler->endgame;
    while (endgame->asked_count < scheduler->observations.idle_slot_count) {
        struct outstanding *found = find_take_back(scheduler);
        if (found == NULL)
            return;
        ask(scheduler, found);
    }
}

/* Nothing new is started: whatever has not begun is given back. */
static void take_back_all(struct scheduler *scheduler)
{
    struct endgame *endgame = &scheduler->endgame;
    while (!RB_EMPTY(&endgame->take_backs))
        ask(scheduler, RB_MAX(take_back_tree, &endgame->take_backs));
}

/* Who does not answer in time is not waited for. */
static void give_up_asking(struct scheduler *scheduler)
{
    struct outstanding *asked = TAILQ_FIRST(&scheduler->endgame.asked);
    while (asked != NULL && asked->order_ns + patience_ns(scheduler) <= scheduler->now_ns) {
        set_hurry(scheduler, asked, HURRY_COPY);
        asked = TAILQ_FIRST(&scheduler->endgame.asked);
    }
}

/* The idle worker on which a copy should end first; NULL when there is none but its own, or when
 * the original's report is on its way and should be here before. */
static const struct observed_worker *find_copyist(struct scheduler *scheduler,
                                                  const struct outstanding *late)
{
    const struct assignment *original = state_find_assignment(scheduler->state, late->seq);
    uint64_t task_count = original->work == WORK_RUN ? original->range.count : 0;
    const struct observed_worker *worker = observations_find_nearest(
        &scheduler->observations, task_count, avoidance_of(scheduler, late));
    if (worker == NULL)
        return NULL;
    uint64_t answer_ns = observed_worker_answer_ns(&scheduler->observations, worker, task_count);
    bool is_beaten =
        late->arrives_ns > scheduler->now_ns && late->arrives_ns - scheduler->now_ns <= answer_ns;
    return worker->rank != late->worker && !is_beaten ? worker : NULL;
}

/* Copies the first late assignment that somebody idle may have, other than its own worker. */
static bool copy_one(struct scheduler *scheduler)
{
    struct outstanding *late = RB_MIN(copy_tree, &scheduler->endgame.copies);
    int looked_at = 0;
    while (late != NULL && late->order_ns <= scheduler->now_ns &&
           scheduler->observations.idle_slot_count > 0) {
        const struct observed_worker *worker = find_copyist(scheduler, late);
        if (worker == NULL && ++looked_at == RETRIES_LOOKED_AT)
            return false;
        const struct assignment *original = state_find_assignment(scheduler->state, late->seq);
        if (worker != NULL && !state_has_waiting(scheduler->state, original->range) &&
            walltime_fit(scheduler, worker, original->range.count) == original->range.count) {
            const struct fact_assigned copy = {.worker = worker->rank,
                                               .work = original->work,
                                               .range = original->range,
                                               .attempt = original->attempt,
                                               .copy_of = original->seq};
            assigning_assign(scheduler, &copy);
            return true;
        }
        late = RB_NEXT(copy_tree, , late);
    }
    return false;
}

void endgame_hurry(struct scheduler *scheduler)
{
    if (surrender_holds(scheduler)) {
        take_back_all(scheduler);
        return;
    }
    if (scheduler->observations.idle_slot_count == 0)
        return;
    give_up_asking(scheduler);
    if (!walltime_helps_to_hurry(scheduler))
        return;
    take_back(scheduler);
    while (copy_one(scheduler))
        continue;
}

uint64_t endgame_next_ns(const struct scheduler *scheduler)
{
    const struct endgame *endgame = &scheduler->endgame;
    if (scheduler->observations.idle_slot_count == 0)
        return UINT64_MAX;
    uint64_t next_ns = UINT64_MAX;
    struct copy_tree *copies = (struct copy_tree *)&endgame->copies;
    const struct outstanding *copy = RB_MIN(copy_tree, copies);
    for (int looked_at = 0;
         copy != NULL && copy->order_ns <= scheduler->now_ns && looked_at < RETRIES_LOOKED_AT;
         looked_at++) {
        if (copy->arrives_ns > scheduler->now_ns)
            next_ns = earlier(next_ns, copy->arrives_ns);
        copy = RB_NEXT(copy_tree, , (struct outstanding *)(uintptr_t)copy);
    }
    struct outstanding key = {.order_ns = scheduler->now_ns, .seq = UINT64_MAX};
    copy = RB_NFIND(copy_tree, copies, &key);
    if (copy != NULL)
        next_ns = earlier(next_ns, copy->order_ns);
    const struct outstanding *asked = TAILQ_FIRST(&endgame->asked);
    if (asked != NULL)
        next_ns = earlier(next_ns, asked->order_ns + patience_ns(scheduler));
    return next_ns;
}
