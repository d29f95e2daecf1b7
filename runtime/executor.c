/* executor.c - takes orders from the rank, calls the plug-in, reports. */
#include "executor.h"

#include "../scheduler/check.h"
#include "../scheduler/coding.h"
#include "../scheduler/memory.h"
#include "../scheduler/tree.h"
#include "clock.h"
#include "executor_log.h"
#include "process_memory.h"
#include "task_runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct executor {
    struct executor_options options;
    struct sheaf_context context;
    struct report_sender sender;
    struct task_runner *runner;
    struct ring_message message; /* the order being received */
    struct slot_order order;
    struct byte_reader body;
    uint64_t start_ns;
    bool is_open;
};

static void publish_phase(struct executor *executor, enum executor_phase phase)
{
    atomic_store_explicit(&executor->options.slot->phase, phase, memory_order_relaxed);
}

/* ---- calls of the plug-in, for context_call ---- */

static int call_open(void *argument)
{
    struct executor *executor = argument;
    return executor->options.table->open(&executor->context, &executor->context.local);
}

static int call_close(void *argument)
{
    struct executor *executor = argument;
    executor->options.table->close(&executor->context, executor->context.local);
    return 0;
}

static int call_split(void *argument)
{
    struct executor *executor = argument;
    return executor->options.table->split(&executor->context);
}

static int call_finish(void *argument)
{
    struct executor *executor = argument;
    struct sheaf_bytes result = {executor->body.data + executor->body.position,
                                 byte_reader_left(&executor->body)};
    return executor->options.table->finish(&executor->context, result);
}

/* False, with *failure, when it failed. */
static bool call_hook(struct executor *executor, const char *hook, int (*call)(void *),
                      struct merge_item *result, struct attempt_failure *failure)
{
    struct sheaf_context *context = &executor->context;
    if (result != NULL)
        context_begin(context, hook, result);
    else
        context_begin_silent(context, hook);
    int status = context_call(context, call, executor);
    if (context_end(context, result, status))
        return true;
    *failure = context_take_failure(context, status);
    return false;
}

/* ---- reports ---- */

static void send_done(struct executor *executor, const struct partial *partial, const void *data)
{
    const struct slot_report report = {
        .kind = SLOT_REPORT_DONE,
        .range = executor->order.range,
        .busy_ns = clock_monotonic_ns() - executor->start_ns,
        .partials = partial,
        .partial_count = partial != NULL ? 1 : 0,
    };
    size_t size = partial != NULL ? partial->size_bytes : 0;
    fflush(NULL);
    report_sender_begin(&executor->sender, &report, size);
    report_sender_add(&executor->sender, data, size);
    report_sender_end(&executor->sender);
}

static void fail_order(struct executor *executor, const struct attempt_failure *failure)
{
    struct attempt_failure told = *failure;
    if (context_excuses(&executor->context, failure))
        told.cause = CAUSE_STOPPED;
    fflush(NULL);
    report_sender_fail(&executor->sender, executor->order.range, &told);
    report_sender_wake(&executor->sender);
}

/* The same for what is none of the plug-in's doing in a call. */
static void refuse_order(struct executor *executor, enum cause cause, const char *text)
{
    fail_order(executor, &(struct attempt_failure){.cause = cause, .text = text});
}

static void send_tasks(void *owner, const struct byte_writer *batch)
{
    struct executor *executor = owner;
    const struct slot_report report = {.kind = SLOT_REPORT_TASKS};
    report_sender_begin(&executor->sender, &report, batch->size);
    report_sender_add(&executor->sender, batch->data, batch->size);
    report_sender_end(&executor->sender);
}

/* ---- orders ---- */

static void execute_split(struct executor *executor)
{
    struct sheaf_context *context = &executor->context;
    if (executor->options.table->split == NULL) {
        refuse_order(executor, CAUSE_PLUGIN,
                     "the job says `split: plugin`, but the plug-in has no split");
        return;
    }
    context->take_tasks = send_tasks;
    context->tasks_added = 0;
    context->batch_count = 0;
    struct attempt_failure failure;
    bool is_split = call_hook(executor, "split", call_split, NULL, &failure);
    if (is_split)
        context_flush_tasks(context);
    context->take_tasks = NULL;
    if (is_split)
        send_done(executor, NULL, NULL);
    else
        fail_order(executor, &failure);
}

static int merge_items(void *argument, const struct merge_item *left,
                       const struct merge_item *right, struct merge_item *result)
{
    struct executor *executor = argument;
    struct sheaf_context *context = &executor->context;
    context_begin(context, "merge", result);
    int status =
        executor->options.table->merge(context, (struct sheaf_bytes){left->data, left->size},
                                       (struct sheaf_bytes){right->data, right->size});
    return context_end(context, result, status) ? 0 : (status != 0 ? status : -1);
}

struct merge_call {
    struct executor *executor;
    struct merge_fold *fold;
    bool is_malformed;
};

/* Pushes the partial results of the body. */
static int call_merges(void *argument)
{
    struct merge_call *call = argument;
    struct byte_reader *body = &call->executor->body;
    while (byte_reader_left(body) > 0) {
        struct range range = coding_get_range(body);
        bool is_absent = byte_reader_get_bool(body);
        size_t size;
        const unsigned char *data = byte_reader_get_blob(body, &size);
        if (body->failed || !tree_is_node(range, call->executor->order.task_count)) {
            call->is_malformed = true;
            return 0;
        }
        int status = merge_fold_push(call->fold, range, data, size, is_absent);
        if (status != 0)
            return status;
    }
    return 0;
}

static void fail_merge(struct executor *executor, const struct merge_fold *fold, int status)
{
    char text[FACT_TEXT_BYTES_MAX];
    struct range failed = merge_fold_failed_range(fold);
    struct attempt_failure failure = context_take_failure(&executor->context, status);
    int length =
        snprintf(text, sizeof text, "merge into [%" PRIu64 ", %" PRIu64 "): ", failed.first,
                 range_end(failed));
    snprintf(text + length, sizeof text - (size_t)length, "%.*s",
             (int)(sizeof text - (size_t)length - 1), failure.text);
    failure.text = text;
    fail_order(executor, &failure);
}

static void execute_merge(struct executor *executor)
{
    struct slot_order *order = &executor->order;
    if (executor->options.table->merge == NULL) {
        refuse_order(executor, CAUSE_PLUGIN, "a merge was asked for, but the plug-in has no merge");
        return;
    }
    struct merge_fold *fold = merge_fold_create(order->task_count, merge_items, executor);
    struct merge_call call = {.executor = executor, .fold = fold};
    int status = context_call(&executor->context, call_merges, &call);
    const struct merge_item *item = merge_fold_count(fold) > 0 ? merge_fold_item(fold, 0) : NULL;
    if (status != 0) {
        fail_merge(executor, fold, status);
    } else if (call.is_malformed || merge_fold_count(fold) != 1 ||
               item->range.first != order->range.first || item->range.count != order->range.count) {
        refuse_order(executor, CAUSE_INPUT, "the partial results do not make up the subtree");
    } else {
        const struct partial partial = {
            .range = order->range, .size_bytes = item->size, .is_absent = item->is_absent};
        send_done(executor, &partial, item->data);
    }
    merge_fold_destroy(fold);
}

static void execute_finish(struct executor *executor)
{
    struct merge_item result = {0};
    struct attempt_failure failure;
    bool is_finished = true;
    struct partial partial = {.range = executor->order.range,
                              .size_bytes = byte_reader_left(&executor->body)};
    const void *data = executor->body.data + executor->body.position;
    if (executor->options.table->finish != NULL) {
        is_finished = call_hook(executor, "finish", call_finish, &result, &failure);
        partial.size_bytes = result.size;
        data = result.data;
    }
    if (is_finished)
        send_done(executor, &partial, data);
    else
        fail_order(executor, &failure);
    merge_item_close(&result);
}

/* What prepare and open have set is there for all tasks. A command changes nothing here. */
static void begin_work(struct executor *executor)
{
    executor->is_open = true;
    if (!executor->options.job->command.is_there)
        surroundings_note();
}

/* False when open failed: then the order has been answered. */
static bool open_once(struct executor *executor)
{
    if (executor->is_open)
        return true;
    if (executor->options.table->open == NULL) {
        begin_work(executor);
        return true;
    }
    publish_phase(executor, EXECUTOR_OPEN);
    executor->context.local = NULL;
    struct attempt_failure failure;
    if (call_hook(executor, "open", call_open, NULL, &failure)) {
        begin_work(executor);
        return true;
    }
    char text[FACT_TEXT_BYTES_MAX];
    snprintf(text, sizeof text, "open: %.*s", (int)sizeof text - 8, failure.text);
    failure.text = text;
    failure.is_open = true;
    failure.is_for_good = false; /* on another host, or later, it may do */
    bool is_run = executor->order.work == WORK_RUN;
    if (is_run) /* costs the first task; the rest is given back */
        executor->order.range.count = 1;
    fail_order(executor, &failure);
    if (is_run)
        send_done(executor, NULL, NULL);
    return false;
}

/* From here on the rank watches the time, and a crash belongs to the order. */
static void take_up(struct executor *executor)
{
    struct shared_slot *slot = executor->options.slot;
    atomic_store_explicit(&slot->index, executor->order.range.first, memory_order_relaxed);
    uint64_t step = (atomic_load(&slot->step) | STEP_IS_MERGE) + 1;
    atomic_store_explicit(&slot->step, step, memory_order_relaxed);
    atomic_store_explicit(&slot->log_bytes, executor_log_size(), memory_order_relaxed);
    atomic_store_explicit(&slot->order, executor->order.seq, memory_order_release);
    executor->context.task_count = executor->order.task_count;
    executor->start_ns = clock_monotonic_ns();
}

static void execute(struct executor *executor)
{
    take_up(executor);
    if (!open_once(executor))
        return;
    publish_phase(executor, EXECUTOR_WORK);
    switch ((enum work)executor->order.work) {
    case WORK_SPLIT:
        execute_split(executor);
        break;
    case WORK_RUN:
        task_runner_run(executor->runner, &executor->order, executor->body);
        break;
    case WORK_MERGE:
        execute_merge(executor);
        break;
    case WORK_FINISH:
        execute_finish(executor);
        break;
    }
    surroundings_restore_memory();
    surroundings_look(clock_monotonic_ns());
}

static bool has_order(const struct shared_slot *slot)
{
    return !ring_is_empty(&slot->orders);
}

/* Waits for the next order and decodes it. */
static void receive(struct executor *executor)
{
    struct shared_slot *slot = executor->options.slot;
    for (;;) {
        switch (ring_read_message(&slot->orders, &executor->message, RING_FRAGMENTS)) {
        case RING_MESSAGE:
            executor->body =
                byte_reader_of(executor->message.bytes.data, executor->message.bytes.size);
            if (slot_order_decode(&executor->body, &executor->order))
                return;
            report_sender_abort_damaged();
        case RING_DAMAGED:
            report_sender_abort_damaged();
        case RING_NOTHING:
            if (executor->message.left > 0) /* the rank may wait to write the rest */
                wake_rank(&executor->options.waker);
            wake_wait_executor(slot, has_order);
            break;
        }
    }
}

_Noreturn static void quit(struct executor *executor)
{
    publish_phase(executor, EXECUTOR_CLOSE);
    if (executor->is_open && executor->options.table->close != NULL) {
        struct attempt_failure ignored; /* close returns nothing */
        call_hook(executor, "close", call_close, NULL, &ignored);
    }
    fflush(NULL);
    _exit(0);
}

static struct executor *create_executor(const struct executor_options *options)
{
    struct executor *executor = memory_allocate_zeroed(1, sizeof *executor);
    executor->options = *options;
    executor->sender.slot = options->slot;
    executor->sender.waker = options->waker;
    executor->context.parameters = &options->job->parameters;
    executor->context.core_count = options->core_count;
    executor->context.shared = options->prepared;
    executor->context.copy_returned = &options->slot->copy_returned;
    executor->context.is_stopping = &options->slot->is_stopping;
    executor->context.owner = executor;
    const struct task_runner_options runner = {.slot = options->slot,
                                               .context = &executor->context,
                                               .table = options->table,
                                               .sender = &executor->sender,
                                               .split_kind = options->job->split.kind,
                                               .has_merge = options->has_merge,
                                               .keeps_subtrees = options->job->command.is_there};
    executor->runner = task_runner_create(&runner);
    return executor;
}

_Noreturn void executor_main(const struct executor_options *options)
{
    struct executor *executor = create_executor(options);
    surroundings_begin();
    int memory = process_memory_open(0);
    atomic_store(&options->slot->resident_bytes_at_start, process_memory_resident(memory));
    close(memory);
    for (;;) {
        receive(executor);
        if (executor->order.work == SLOT_ORDER_QUIT)
            quit(executor);
        execute(executor);
        publish_phase(executor, EXECUTOR_IDLE);
        if (surroundings_are_spoilt()) /* another one takes its place */
            quit(executor);
    }
}
