/* context.h - what stands behind the functions of sheaf.h: one plug-in call at a time. */
#ifndef SHEAF_CONTEXT_H
#define SHEAF_CONTEXT_H

#include "../jobs/merge_tree.h"
#include "../jobs/parameter.h"
#include "../jobs/sheaf.h"
#include "../scheduler/fact.h"
#include "surroundings.h"

#include <setjmp.h>
#include <stdatomic.h>

enum {
    CONTEXT_RESULT_BYTES_FIRST = 256,
    CONTEXT_RESULT_BYTES_MAX = 512 << 20, /* of one run, merge or finish */
    CONTEXT_INPUT_BYTES_MAX = 512 << 20,  /* of one task, named by split */
    CONTEXT_BATCH_BYTES = 256 << 10,      /* tasks are handed on when they fill this */
    CONTEXT_ESCAPED = INT32_MIN,          /* context_call: the plug-in was left by longjmp */
};

/* A batch of tasks, encoded as the body of SLOT_EVENT_TASKS: u64 count, u8 has_input, and for each
 * u32 size and bytes if has_input. Borrowed for the call. */
typedef void context_take_tasks(void *owner, const struct byte_writer *batch);

/* Behind the opaque type of sheaf.h. */
struct sheaf_context {
    /* Where sheaf_emit writes: the hot part. The result's own size counts what was there before,
     * and is set at the end of the call. */
    unsigned char *cursor;
    struct merge_item *result; /* NULL: this hook emits nothing */
    unsigned char *limit;
    const char *hook; /* its name, for texts */
    bool has_text;    /* sheaf_fail was called */
    bool is_spoiled;  /* the attempt fails whatever the plug-in returns */
    bool is_for_good; /* sheaf_fail_for_good was called */

    /* Why the attempt failed, when it was not the plug-in that said so. */
    enum cause cause; /* NONE: the plug-in */
    int32_t detail;

    /* Set by the owner. All borrowed. */
    const struct parameter_list *parameters;
    uint64_t task_count;
    uint32_t core_count;
    const _Atomic uint32_t *is_stopping; /* NULL: not known */
    const struct sheaf_task *task;       /* that run has or had last; NULL: it is not called */
    _Atomic uint64_t *copy_returned;     /* where a forked copy tells its task + 1; may be NULL */
    void *shared;
    void *local;
    context_take_tasks *take_tasks; /* NULL: this hook names no tasks */
    void *owner;

    struct byte_writer batch;
    uint64_t batch_count;
    bool batch_has_input;
    uint64_t tasks_added;
    jmp_buf escape;
    char text[FACT_TEXT_BYTES_MAX];
};

/* All zero but for what the owner sets is a valid context. */
void context_close(struct sheaf_context *context);

/* Calls `call(argument)`, which calls the plug-in; returns what it returned, or CONTEXT_ESCAPED
 * when the plug-in asked for something that ends the attempt. */
int context_call(struct sheaf_context *context, int (*call)(void *argument), void *argument);

/* After a call of the plug-in that may have changed something: sets it back. In a copy of the
 * executor that the plug-in has forked it does not return: that must not go on in the name of its
 * parent. */
void context_set_back(struct sheaf_context *context);

/* For context_end: whether a call that returned `status`, or said something, succeeded. */
bool context_settle(struct sheaf_context *context, int status);

/* Begins a call of `hook`, whose result is appended to `result`. */
static inline void context_begin(struct sheaf_context *context, const char *hook,
                                 struct merge_item *result)
{
    if (result->data == NULL)
        merge_item_reserve(result, CONTEXT_RESULT_BYTES_FIRST);
    context->hook = hook;
    context->result = result;
    context->cursor = result->data + result->size;
    context->limit = result->data + result->capacity;
}

/* The same for a hook that emits nothing. */
void context_begin_silent(struct sheaf_context *context, const char *hook);

/* Ends it: true when the call, which returned `status`, succeeded; result->size counts what was
 * emitted. `result` is the one of context_begin, NULL after context_begin_silent. */
static inline bool context_end(struct sheaf_context *context, struct merge_item *result, int status)
{
    if (surroundings_may_have_changed())
        context_set_back(context);
    if (result != NULL)
        result->size = (size_t)(context->cursor - result->data);
    if (status == 0 && !context->has_text)
        return true;
    return context_settle(context, status);
}

/* After a failure: the text for `status`, never empty; borrowed until the next call. Readies the
 * context for the next call. */
const char *context_take_text(struct sheaf_context *context, int status);

/* How an attempt failed. Borrows text. */
struct attempt_failure {
    enum cause cause;
    int32_t detail;   /* exit status or signal number */
    bool is_for_good; /* another attempt would fail, too */
    bool is_open;     /* the executor cannot work at all */
    const char *text;
};

/* Likewise, with cause and detail. */
struct attempt_failure context_take_failure(struct sheaf_context *context, int status);

/* The run is to stop, and a call that failed may have done so for that: it is no failed attempt. */
static inline bool context_excuses(const struct sheaf_context *context,
                                   const struct attempt_failure *failure)
{
    return !failure->is_for_good && sheaf_is_stopping(context);
}

/* For code of Sheaf's own that stands in a plug-in's place: fails the attempt with this. Returns a
 * value to return. */
int context_fail(struct sheaf_context *context, const struct attempt_failure *failure);

/* Hands on the tasks that split has named and that are still here. */
void context_flush_tasks(struct sheaf_context *context);

#endif
