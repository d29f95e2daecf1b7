/* task_runner.c - claims tasks in chunks, runs them, and joins their results on the spot.
 *
 * A task may be worth a few nanoseconds, so nothing here but a chunk's start reads a clock, and
 * nothing but a large result or a failure allocates or copies. */
#include "task_runner.h"

#include "../jobs/split.h"
#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "clock.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CHUNK_TARGET_NS = 30000, /* work claimed at once: long against a claim, short against a range */
    CHUNK_SHARE = 8,         /* a chunk takes at most this part of what is left: the rest can be
                                taken back should tasks turn slow */
    RESULT_BYTES_LARGE = 1 << 12, /* a result that may fill the report */
    FAILURES_TOLD_MIN = 64,       /* wake the rank at once ... */
    TELL_NS = 1000000,            /* ... or when it was woken last so long ago */
    INPUT_ALIGNMENT = 16,         /* promised by sheaf.h */
};

struct task_runner {
    struct task_runner_options options;
    struct merge_fold *fold; /* NULL: the job has no merge */

    /* The order. Kept here, not in locals: a plug-in call may be left by longjmp. */
    struct slot_order order;
    struct byte_reader inputs;
    struct sheaf_task task;
    bool folds; /* results go into the fold; otherwise into `collected` */
    bool is_full;
    uint32_t failure_count; /* in this order */
    uint32_t told_count;    /* of these: the rank was woken since */
    uint64_t told_ns;
    uint32_t next; /* relative to the order's first task */
    uint32_t chunk_end;
    uint32_t chunk_size;
    uint64_t step;

    struct merge_item collected;
    struct partial *partials;
    size_t partial_count;
    size_t partial_capacity;
    struct byte_writer scratch; /* for split_materialize */
    struct byte_writer aligned; /* the input as the plug-in sees it */
};

/* Steps of tasks are even, those of merges after them odd (shared_slot.h). */
static inline void publish_step(struct task_runner *runner, uint64_t is_merge)
{
    runner->step = ((runner->step | 1) + 1) | is_merge;
    atomic_store_explicit(&runner->options.slot->step, runner->step, memory_order_relaxed);
}

static inline int merge_in_run(void *argument, const struct merge_item *left,
                               const struct merge_item *right, struct merge_item *result)
{
    struct task_runner *runner = argument;
    struct sheaf_context *context = runner->options.context;
    publish_step(runner, STEP_IS_MERGE);
    context_begin(context, "merge", result);
    int status = runner->options.table->merge(context, (struct sheaf_bytes){left->data, left->size},
                                              (struct sheaf_bytes){right->data, right->size});
    return context_end(context, result, status) ? 0 : (status != 0 ? status : -1);
}

struct task_runner *task_runner_create(const struct task_runner_options *options)
{
    struct task_runner *runner = memory_allocate_zeroed(1, sizeof *runner);
    runner->options = *options;
    runner->chunk_size = 1;
    options->context->task = &runner->task;
    if (options->has_merge)
        runner->fold = merge_fold_create(0, merge_in_run, runner);
    return runner;
}

void task_runner_destroy(struct task_runner *runner)
{
    if (runner == NULL)
        return;
    merge_fold_destroy(runner->fold);
    merge_item_close(&runner->collected);
    free(runner->partials);
    byte_writer_close(&runner->scratch);
    byte_writer_close(&runner->aligned);
    free(runner);
}

static uint64_t current_index(const struct task_runner *runner)
{
    return runner->order.range.first + runner->next;
}

/* Ends the task `next` as a failure. */
static void fail_task(struct task_runner *runner, const struct attempt_failure *failure)
{
    struct range task = {current_index(runner), 1};
    runner->next++;
    if (++runner->failure_count >= SLOT_REPORT_FAILURES_MAX)
        runner->is_full = true;
    report_sender_fail(runner->options.sender, task, failure);
}

static void fail_input(struct task_runner *runner, const char *text)
{
    const struct attempt_failure failure = {.cause = CAUSE_INPUT, .text = text};
    fail_task(runner, &failure);
}

static void append_partial(struct task_runner *runner, struct range range, uint64_t size_bytes)
{
    void *partials = runner->partials;
    memory_grow(&partials, &runner->partial_capacity, runner->partial_count + 1,
                sizeof *runner->partials);
    runner->partials = partials;
    runner->partials[runner->partial_count++] =
        (struct partial){.range = range, .size_bytes = size_bytes};
}

/* The result of task `index` was appended to `collected`. Without a merge in the job neighbours
 * make one partial; with one they stay apart. */
static void collect(struct task_runner *runner, uint64_t index, size_t size_bytes)
{
    if (runner->fold == NULL && runner->partial_count > 0) {
        struct partial *last = &runner->partials[runner->partial_count - 1];
        if (range_end(last->range) == index) {
            last->range.count++;
            last->size_bytes += size_bytes;
            return;
        }
    }
    append_partial(runner, (struct range){index, 1}, size_bytes);
}

static bool report_is_full(const struct task_runner *runner)
{
    if (runner->folds)
        return merge_fold_count(runner->fold) >= SLOT_REPORT_PARTIALS_MAX ||
               merge_fold_bytes(runner->fold) >= SLOT_REPORT_MERGED_BYTES_MAX;
    return runner->partial_count >= SLOT_REPORT_PARTIALS_MAX ||
           runner->collected.size >= SLOT_REPORT_COLLECTED_BYTES_MAX;
}

/* The next task's input, aligned; false when it cannot be had, and then the task has failed. */
static bool read_input(struct task_runner *runner, struct sheaf_bytes *input)
{
    size_t size;
    const unsigned char *stored = byte_reader_get_blob(&runner->inputs, &size);
    struct byte_reader bytes;
    struct sheaf_error error = {0};
    if (runner->inputs.failed) {
        fail_input(runner, "its input did not arrive with the order");
        return false;
    }
    byte_writer_clear(&runner->scratch);
    if (split_materialize(runner->options.split_kind, byte_reader_of(stored, size),
                          &runner->scratch, &bytes, &error) != 0) {
        fail_input(runner, error.text);
        return false;
    }
    const unsigned char *data = bytes.data + bytes.position;
    size_t left = byte_reader_left(&bytes);
    if ((uintptr_t)data % INPUT_ALIGNMENT != 0) {
        byte_writer_clear(&runner->aligned);
        byte_writer_put(&runner->aligned, data, left);
        data = runner->aligned.data;
    }
    *input = (struct sheaf_bytes){data, left};
    return true;
}

static inline void finish_task(struct task_runner *runner, size_t size_bytes)
{
    struct range task = {runner->task.index, 1};
    runner->next++;
    if (!runner->folds)
        collect(runner, task.first, size_bytes);
    else if (merge_fold_push_next(runner->fold, task, merge_in_run) != 0)
        /* The two results stay apart; a MERGE order will fail with this text again. */
        context_take_text(runner->options.context, 0);
    if (size_bytes > RESULT_BYTES_LARGE && report_is_full(runner))
        runner->is_full = true;
}

static inline void run_task(struct task_runner *runner)
{
    struct sheaf_context *context = runner->options.context;
    struct sheaf_task *task = &runner->task;
    task->index = current_index(runner);
    atomic_store_explicit(&runner->options.slot->index, task->index, memory_order_relaxed);
    publish_step(runner, 0);
    if (runner->order.has_input && !read_input(runner, &task->input))
        return;
    struct merge_item *item = runner->folds ? merge_fold_next(runner->fold) : &runner->collected;
    size_t size_before = item->size;
    context_begin(context, "run", item);
    int status = runner->options.table->run(context, task);
    if (context_end(context, item, status)) {
        finish_task(runner, item->size - size_before);
    } else {
        item->size = size_before;
        struct attempt_failure failure = context_take_failure(context, status);
        if (context_excuses(context, &failure))
            runner->is_full = true; /* it goes back with what has not begun */
        else
            fail_task(runner, &failure);
    }
}

static int run_chunk(void *argument)
{
    struct task_runner *runner = argument;
    while (runner->next < runner->chunk_end && !runner->is_full)
        run_task(runner);
    return 0;
}

/* The plug-in was left by longjmp: in a task, which has failed, or in a merge after it, which then
 * has not happened. */
static void recover(struct task_runner *runner)
{
    struct attempt_failure failure = context_take_failure(runner->options.context, 0);
    if ((runner->step & STEP_IS_MERGE) == 0)
        fail_task(runner, &failure);
}

static bool claim_chunk(struct task_runner *runner)
{
    _Atomic uint64_t *shared = &runner->options.slot->claim;
    uint64_t claim = atomic_load(shared);
    uint32_t taken;
    do {
        uint32_t left = claim_end(claim) - claim_next(claim);
        if (claim_next(claim) >= claim_end(claim))
            return false;
        if (claim_next(claim) != runner->next || claim_end(claim) > runner->order.range.count)
            report_sender_abort_damaged();
        taken = left / CHUNK_SHARE + 1;
        if (taken > runner->chunk_size)
            taken = runner->chunk_size;
    } while (!atomic_compare_exchange_weak(
        shared, &claim, claim_make(claim_next(claim) + taken, claim_end(claim))));
    runner->chunk_end = runner->next + taken;
    return true;
}

/* The order ends at `next`: the rank finds nothing to take back any more. */
static void give_up_rest(struct task_runner *runner)
{
    atomic_store(&runner->options.slot->claim, claim_make(runner->next, runner->next));
}

/* `done` tasks took elapsed_ns: choose the next chunk, at most twice as large. */
static void adapt_chunk(struct task_runner *runner, uint32_t done, uint64_t elapsed_ns)
{
    uint64_t wanted = (uint64_t)done * CHUNK_TARGET_NS / (elapsed_ns + 1);
    uint64_t limit = 2 * (uint64_t)runner->chunk_size;
    if (limit > SLOT_RUN_CHUNK_MAX)
        limit = SLOT_RUN_CHUNK_MAX;
    runner->chunk_size = wanted < 1 ? 1 : (uint32_t)(wanted < limit ? wanted : limit);
}

static void begin_order(struct task_runner *runner, const struct slot_order *order,
                        struct byte_reader inputs)
{
    CHECK(order->range.count <= CLAIM_COUNT_MAX);
    runner->order = *order;
    runner->inputs = inputs;
    runner->folds = runner->fold != NULL && order->may_merge;
    runner->is_full = false;
    runner->failure_count = 0;
    runner->told_count = 0;
    runner->next = 0;
    runner->step = atomic_load(&runner->options.slot->step);
    runner->task = (struct sheaf_task){.attempt = order->attempt};
    runner->partial_count = 0;
    runner->collected.size = 0;
    if (runner->collected.capacity > RING_BUFFER_BYTES_KEPT)
        merge_item_close(&runner->collected);
    if (runner->fold != NULL)
        merge_fold_reset(runner->fold,
                         runner->options.keeps_subtrees ? UINT64_MAX : order->task_count);
}

static void send_results(struct task_runner *runner, uint64_t busy_ns)
{
    uint64_t body_size = runner->folds ? merge_fold_bytes(runner->fold) : runner->collected.size;
    size_t count = runner->folds ? merge_fold_count(runner->fold) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct merge_item *item = merge_fold_item(runner->fold, i);
        append_partial(runner, item->range, item->size);
    }
    const struct slot_report report = {.kind = SLOT_REPORT_DONE,
                                       .range = {runner->order.range.first, runner->next},
                                       .tasks_run = runner->next,
                                       .busy_ns = busy_ns,
                                       .partials = runner->partials,
                                       .partial_count = (uint32_t)runner->partial_count};
    report_sender_begin(runner->options.sender, &report, body_size);
    for (size_t i = 0; i < count; i++) {
        const struct merge_item *item = merge_fold_item(runner->fold, i);
        report_sender_add(runner->options.sender, item->data, item->size);
    }
    if (!runner->folds)
        report_sender_add(runner->options.sender, runner->collected.data, body_size);
    report_sender_end(runner->options.sender);
}

/* To wake the rank for each failure would cost more than all the rest. */
static void tell_of_failures(struct task_runner *runner, uint64_t now_ns)
{
    uint32_t untold = runner->failure_count - runner->told_count;
    if (untold == 0 || (untold < FAILURES_TOLD_MIN && now_ns - runner->told_ns < TELL_NS))
        return;
    report_sender_wake(runner->options.sender);
    runner->told_count = runner->failure_count;
    runner->told_ns = now_ns;
}

void task_runner_run(struct task_runner *runner, const struct slot_order *order,
                     struct byte_reader inputs)
{
    begin_order(runner, order, inputs);
    uint64_t start_ns = clock_monotonic_ns();
    uint64_t chunk_start_ns = start_ns;
    while (!runner->is_full && claim_chunk(runner)) {
        uint32_t chunk_first = runner->next;
        while (context_call(runner->options.context, run_chunk, runner) == CONTEXT_ESCAPED)
            recover(runner);
        uint64_t now_ns = clock_monotonic_ns();
        adapt_chunk(runner, runner->next - chunk_first, now_ns - chunk_start_ns);
        tell_of_failures(runner, now_ns);
        chunk_start_ns = now_ns;
        surroundings_look(now_ns);
        runner->is_full = runner->is_full || report_is_full(runner) || surroundings_are_spoilt();
    }
    if (runner->is_full)
        give_up_rest(runner);
    publish_step(runner, 0);
    fflush(NULL);
    send_results(runner, chunk_start_ns - start_ns);
}
