/* master_effects.c - performs the scheduler's effects once the facts they rest on are durable. */
#include "master_private.h"

#include "../scheduler/check.h"
#include "../scheduler/coding.h"
#include "../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EFFECTS_PER_POLL = 256 };

#define INCOMPLETE_SUFFIX ".incomplete"

/* Input bytes in one order, and in all that may be under way: two for each slot. A range with more
 * is cut, and its end goes back at once. */
#define ORDER_INPUT_BYTES_MAX    ((uint64_t)4 << 20)
#define ORDER_INPUT_BYTES_MIN    ((uint64_t)64 << 10)
#define ORDERS_INPUT_BYTES_TOTAL ((uint64_t)512 << 20)
/* Result bytes that one worker may have under way, and all of them together. */
#define WINDOW_BYTES_MAX         ((uint64_t)8 << 20)
#define WINDOW_BYTES_MIN         ((uint64_t)64 << 10)
#define WINDOWS_BYTES_TOTAL      ((uint64_t)512 << 20)

void effect_queue_push(struct effect_queue *queue, const struct effect *effect)
{
    if (queue->first > 0 && queue->first + queue->count == queue->capacity) {
        memmove(queue->items, queue->items + queue->first, queue->count * sizeof *queue->items);
        queue->first = 0;
    }
    void *items = queue->items;
    memory_grow(&items, &queue->capacity, queue->first + queue->count + 1, sizeof *queue->items);
    queue->items = items;
    queue->items[queue->first + queue->count++] = *effect;
}

void effect_queue_close(struct effect_queue *queue)
{
    free(queue->items);
    *queue = (struct effect_queue){0};
}

static uint64_t window_bytes(const struct master *master)
{
    uint64_t share = WINDOWS_BYTES_TOTAL / (uint64_t)transport_rank_count(master->transport);
    if (share > WINDOW_BYTES_MAX)
        return WINDOW_BYTES_MAX;
    return share < WINDOW_BYTES_MIN ? WINDOW_BYTES_MIN : share;
}

static void welcome(struct master *master, const struct effect *effect)
{
    const struct member *member = &master->members[effect->worker];
    const char *run_dir = run_directory_path(master->directory);
    struct message message = {.kind = MESSAGE_WELCOME};
    message.as.welcome.placement = member->placement;
    message.as.welcome.job = master->job;
    message.as.welcome.lost_after_ns = master->options->lost_after_ns;
    message.as.welcome.window_bytes = window_bytes(master);
    message.as.welcome.has_merge = master->hooks.has_merge;
    message.as.welcome.world = master->world;
    message.as.welcome.has_past = master->has_past;
    message.as.welcome.run_dir = run_dir;
    message.as.welcome.run_dir_size = strlen(run_dir);
    master_send(master, effect->worker, &message);
}

/* Feeds the scheduler as if the worker had given back the part of an assignment that was never
 * sent. */
static void give_back(struct master *master, const struct effect *effect, struct range range,
                      bool is_whole)
{
    struct input input = {.kind = INPUT_RETURNED, .now_ns = master->now_ns};
    input.as.returned = (struct input_returned){
        .worker = effect->worker,
        .incarnation = master_incarnation(master),
        .assignment = effect->assignment,
        .range = range,
        .is_whole = is_whole,
    };
    master_step(master, &input, NULL, 0);
}

static void fail_attempt(struct master *master, const struct effect *effect, struct range range,
                         const char *text)
{
    struct input input = {.kind = INPUT_ATTEMPT_FAILED, .now_ns = master->now_ns};
    input.as.attempt_failed = (struct input_attempt_failed){
        .worker = effect->worker,
        .incarnation = master_incarnation(master),
        .assignment = effect->assignment,
        .work = effect->work,
        .range = range,
        .cause = CAUSE_INPUT,
        .is_crash = true, /* ends the assignment */
        .text = text,
        .text_size = (uint32_t)strlen(text),
    };
    master_step(master, &input, NULL, 0);
}

/* A stored result does not match its checksum: its tasks run again. */
static void lose_result(struct master *master, struct range range, const struct sheaf_error *error)
{
    master_tell(master, CONTROL_WARNING, "%s; tasks %llu to %llu run again", error->text,
                (unsigned long long)range.first,
                (unsigned long long)(range_end(range) - (range.count > 0)));
    struct input input = {.kind = INPUT_RESULT_LOST, .now_ns = master->now_ns};
    input.as.result_lost.range = range;
    master_step(master, &input, NULL, 0);
}

static uint64_t order_input_bytes(const struct master *master)
{
    uint64_t slot_count = state_slot_count(scheduler_state(master->scheduler));
    uint64_t share = ORDERS_INPUT_BYTES_TOTAL / (2 * slot_count + 1);
    if (share > ORDER_INPUT_BYTES_MAX)
        return ORDER_INPUT_BYTES_MAX;
    return share < ORDER_INPUT_BYTES_MIN ? ORDER_INPUT_BYTES_MIN : share;
}

/* The input bytes of a RUN order. False when the order is not to be sent. */
static bool gather_inputs(struct master *master, const struct effect *effect, struct range *range,
                          struct byte_writer *body)
{
    if (master_split_ask_again(master)) {
        give_back(master, effect, *range, true);
        return false;
    }
    if (master->inputs == NULL)
        return true;
    uint64_t count = input_store_fit(master->inputs, *range, order_input_bytes(master));
    if (count < range->count) {
        struct range rest = range_between(range->first + count, range_end(*range));
        range->count = count;
        give_back(master, effect, rest, false);
    }
    struct sheaf_error error;
    int code = input_store_read(master->inputs, *range, body, &error);
    if (code == SHEAF_ERROR_DAMAGED && !master->has_lost_inputs) {
        code = master_inputs_make_again(master, &error);
        master->has_lost_inputs = code != 0;
        if (code == 0 && master_split_ask_again(master)) {
            give_back(master, effect, *range, true);
            return false;
        }
        if (code == 0)
            code = input_store_read(master->inputs, *range, body, &error);
    }
    if (code == 0)
        return true;
    if (master->inputs == NULL) { /* they could not be opened after that */
        master_fail(master, &error);
        return false;
    }
    if (range->count > 1) {
        /* One of many: those before and after it go back, and come again one by one. */
        range->count = 1;
        give_back(master, effect, range_between(effect->range.first + 1, range_end(effect->range)),
                  false);
        byte_writer_clear(body);
        if (input_store_read(master->inputs, *range, body, &error) == 0)
            return true;
    }
    fail_attempt(master, effect, *range, error.text);
    return false;
}

/* The partial results inside a MERGE's subtree. False when one was damaged: it is lost, and the
 * merge will be decided again. */
static bool gather_partials(struct master *master, const struct effect *effect,
                            struct byte_writer *body)
{
    const struct state *state = scheduler_state(master->scheduler);
    uint64_t end = range_end(effect->range);
    for (uint64_t task = effect->range.first; task < end;) {
        const struct partial *partial = state_find_partial(state, task);
        if (partial == NULL || partial->range.first >= end)
            break;
        coding_put_range(body, partial->range);
        byte_writer_put_u8(body, partial->is_absent);
        byte_writer_put_u32(body, (uint32_t)partial->size_bytes);
        task = range_end(partial->range);
        struct sheaf_error error;
        if (!partial->is_absent &&
            journal_read_payload(master->journal, partial, body, &error) < 0) {
            struct range lost = partial->range;
            give_back(master, effect, effect->range, true);
            lose_result(master, lost, &error);
            return false;
        }
    }
    return true;
}

/* The whole result for FINISH: what is merged, or what was collected, in order. */
static bool gather_result(struct master *master, const struct effect *effect,
                          struct byte_writer *body)
{
    const struct state *state = scheduler_state(master->scheduler);
    const struct partial *partial = state_find_partial(state, 0);
    for (; partial != NULL; partial = state_find_partial(state, range_end(partial->range))) {
        struct sheaf_error error;
        if (body->size + partial->size_bytes > TRANSPORT_MESSAGE_BYTES_MAX / 2) {
            sheaf_error_set(&error, SHEAF_ERROR_LIMIT,
                            "the collected result is larger than 512 MiB, more than `finish` can "
                            "take; give the plug-in a `merge`, or leave `finish` out");
            master_fail(master, &error);
            return false;
        }
        if (!partial->is_absent &&
            journal_read_payload(master->journal, partial, body, &error) < 0) {
            struct range lost = partial->range;
            give_back(master, effect, effect->range, true);
            lose_result(master, lost, &error);
            return false;
        }
    }
    return true;
}

static void assign(struct master *master, const struct effect *effect)
{
    const struct state *state = scheduler_state(master->scheduler);
    if (state_find_assignment(state, effect->assignment) == NULL)
        return; /* its worker was lost before the effect was due */
    struct byte_writer body = {0};
    struct range range = effect->range;
    bool is_sendable = true;
    switch (effect->work) {
    case WORK_SPLIT:
        master_split_restart(master, effect->assignment);
        break;
    case WORK_RUN:
        is_sendable = gather_inputs(master, effect, &range, &body);
        break;
    case WORK_MERGE:
        is_sendable = gather_partials(master, effect, &body);
        break;
    case WORK_FINISH:
        is_sendable = gather_result(master, effect, &body);
        break;
    }
    if (is_sendable) {
        const struct fact_job_accepted *job = state_job(state);
        struct message message = {.kind = MESSAGE_ORDER};
        message.as.order = (struct work_order){
            .assignment = effect->assignment,
            .work = effect->work,
            .range = range,
            .attempt = effect->attempt,
            .has_input = effect->work == WORK_RUN && master->inputs != NULL,
            .task_count = job != NULL ? job->task_count : 0,
            .body = body.data,
            .body_size = body.size,
        };
        master_send(master, effect->worker, &message);
    }
    byte_writer_close(&body);
}

static void send_about_assignment(struct master *master, enum message_kind kind,
                                  const struct effect *effect)
{
    struct message message = {.kind = kind};
    message.as.assignment = effect->assignment;
    master_send(master, effect->worker, &message);
}

/* Results without some tasks must not be taken for the whole: they get another name. */
static void choose_output_path(struct master *master)
{
    const char *dir = run_directory_path(master->directory);
    bool is_to_stdout = strcmp(master->job.output_path, "-") == 0;
    char *path = is_to_stdout ? run_directory_join(dir, "output")
                              : memory_copy_string(master->job.output_path);
    if (state_failed_task_count(scheduler_state(master->scheduler)) > 0) {
        size_t size = strlen(path) + sizeof INCOMPLETE_SUFFIX;
        path = memory_resize(path, size);
        strcat(path, INCOMPLETE_SUFFIX);
    }
    free(master->output_path);
    master->output_path = path;
}

/* The whole result is there: one without the tasks that failed before they were tried again would
 * only be taken for it. */
static void remove_incomplete_output(const struct master *master)
{
    if (state_failed_task_count(scheduler_state(master->scheduler)) > 0)
        return;
    size_t size = strlen(master->output_path) + sizeof INCOMPLETE_SUFFIX;
    char *path = memory_allocate(size);
    snprintf(path, size, "%s" INCOMPLETE_SUFFIX, master->output_path);
    unlink(path); /* most often there is none */
    free(path);
}

static int begin_to_publish(struct master *master, struct sheaf_error *error)
{
    choose_output_path(master);
    const struct publish_options options = {
        .path = master->output_path,
        .has_records = master->job.command.is_there,
        .is_repeated = master->was_finished,
        .keeps_other = strcmp(master->job.output_path, "-") != 0,
    };
    return publisher_create(&options, &master->publisher, error);
}

/* What the user may not expect: the job had finished before. */
static void tell_published(struct master *master, enum publish_outcome outcome)
{
    const char *path = master->output_path;
    if (!master->was_finished || outcome == PUBLISH_SAME)
        return;
    if (outcome == PUBLISH_WRITTEN)
        master_tell(master, CONTROL_INFO, "published again from the journal: %s", path);
    else if (strcmp(master->job.output_path, "-") == 0)
        master_tell(master, CONTROL_WARNING,
                    "%s was damaged or changed: it is made again from the journal", path);
    else
        master_tell(master, CONTROL_WARNING,
                    "%s holds something else than this run's output: it is published again from "
                    "the journal, and what was there is now %s" PUBLISH_OTHER_SUFFIX,
                    path, path);
}

/* True when the effect is done with; PUBLISH takes several steps. */
static bool publish(struct master *master)
{
    struct sheaf_error error;
    const struct state *state = scheduler_state(master->scheduler);
    if (state_phase(state) != PHASE_PUBLISHING)
        return true; /* a result was lost meanwhile: it will be asked for again */
    if (master->publisher == NULL) {
        if (begin_to_publish(master, &error) < 0) {
            master_fail(master, &error);
            return true;
        }
    }
    struct range lost;
    int code = publisher_step(master->publisher, state, master->journal, &lost, &error);
    if (code == 1)
        return false;
    enum publish_outcome outcome = publisher_outcome(master->publisher);
    publisher_destroy(master->publisher);
    master->publisher = NULL;
    if (code == SHEAF_ERROR_DAMAGED) {
        lose_result(master, lost, &error);
    } else if (code < 0) {
        master_fail(master, &error);
    } else {
        tell_published(master, outcome);
        remove_incomplete_output(master);
        struct input input = {.kind = INPUT_PUBLISHED, .now_ns = master->now_ns};
        master_step(master, &input, NULL, 0);
    }
    return true;
}

/* The same command goes on from the results that are there. */
static bool can_be_continued(const struct master *master)
{
    const struct state *state = scheduler_state(master->scheduler);
    const struct fact_job_failed *failure = state_job_failure(state);
    return failure != NULL && failure->work == 0 && state_done(state)->task_count > 0;
}

static int status_of_end(const struct master *master, enum run_end end)
{
    switch (end) {
    case RUN_END_DONE:
        return 0;
    case RUN_END_JOB_FAILED:
        return can_be_continued(master) ? 4 : 1;
    case RUN_END_MANY_FAILED:
    case RUN_END_UNOPENED:
    case RUN_END_TASKS_FAILED:
        return 1;
    case RUN_END_STOPPED:
    case RUN_END_WALLTIME:
    case RUN_END_SELECTED:
        return 3;
    case RUN_END_NO_WORKERS:
        return 4;
    }
    return 4;
}

static bool perform(struct master *master, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_WELCOME:
        welcome(master, effect);
        return true;
    case EFFECT_ASSIGN:
        assign(master, effect);
        return true;
    case EFFECT_TAKE_BACK:
        send_about_assignment(master, MESSAGE_TAKE_BACK, effect);
        return true;
    case EFFECT_CANCEL:
        send_about_assignment(master, MESSAGE_CANCEL, effect);
        return true;
    case EFFECT_PUBLISH:
        return publish(master);
    case EFFECT_END:
        /* What is stopped is written by the run that continues. */
        if (effect->end != RUN_END_STOPPED && master_export(master))
            return false;
        if (master->is_over) /* it cannot be written */
            return true;
        master_tell_run_end(master, effect->end);
        master->is_over = true;
        master->is_worth_restarting = effect->end == RUN_END_NO_WORKERS;
        master->status = effect->end == RUN_END_SELECTED ? master_end_selection(master)
                                                         : status_of_end(master, effect->end);
        return true;
    }
    return true;
}

bool master_perform_effects(struct master *master)
{
    struct effect_queue *queue = &master->effects;
    bool did_something = false;
    for (int i = 0; i < EFFECTS_PER_POLL && queue->count > 0 && !master->is_over; i++) {
        struct effect effect = queue->items[queue->first];
        if (effect.after_seq > journal_durable_seq(master->journal)) {
            journal_want_durable(master->journal, effect.after_seq);
            break;
        }
        did_something = true;
        if (!perform(master, &effect))
            break;
        queue->first++;
        queue->count--;
    }
    return did_something;
}
