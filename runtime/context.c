/* context.c - the functions of sheaf.h, as a plug-in calls them. */
#include "context.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_HEADER_BYTES = 9 }; /* u64 count, u8 has_input */

void context_close(struct sheaf_context *context)
{
    byte_writer_close(&context->batch);
}

int context_call(struct sheaf_context *context, int (*call)(void *argument), void *argument)
{
    if (_setjmp(context->escape) == 0)
        return call(argument);
    if (surroundings_may_have_changed())
        context_set_back(context);
    return CONTEXT_ESCAPED;
}

/* Without a word to the rank: that is its parent's to say. */
_Noreturn static void end_copy(const struct sheaf_context *context)
{
    if (context->copy_returned != NULL)
        atomic_store(context->copy_returned, context->task != NULL ? context->task->index + 1 : 1);
    dprintf(STDERR_FILENO,
            "sheaf: %s forked and returned in the copy, too, which ends here: a forked copy must "
            "end by _exit\n",
            context->hook);
    _exit(EXIT_FAILURE);
}

void context_set_back(struct sheaf_context *context)
{
    if (surroundings_are_of_a_copy())
        end_copy(context);
    surroundings_restore();
}

void context_begin_silent(struct sheaf_context *context, const char *hook)
{
    context->hook = hook;
    context->result = NULL;
    /* No room anywhere: sheaf_emit looks closer. */
    context->cursor = context->limit = (unsigned char *)context->text;
}

bool context_settle(struct sheaf_context *context, int status)
{
    if (status != 0 || context->is_spoiled)
        return false;
    context->has_text = context->is_for_good = false; /* it said why it failed, and then did not */
    return true;
}

__attribute__((format(printf, 2, 0))) static void set_text(struct sheaf_context *context,
                                                           const char *format, va_list arguments)
{
    vsnprintf(context->text, sizeof context->text, format, arguments);
    context->has_text = true;
}

/* Fails the attempt whatever the plug-in returns afterwards. */
__attribute__((format(printf, 2, 3))) static int spoil(struct sheaf_context *context,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set_text(context, format, arguments);
    va_end(arguments);
    context->is_spoiled = true;
    return -1;
}

const char *context_take_text(struct sheaf_context *context, int status)
{
    if (!context->has_text || context->text[0] == '\0')
        snprintf(context->text, sizeof context->text, "%s returned %d (say why with sheaf_fail)",
                 context->hook, status);
    context->has_text = context->is_spoiled = context->is_for_good = false;
    return context->text;
}

struct attempt_failure context_take_failure(struct sheaf_context *context, int status)
{
    struct attempt_failure failure = {
        .cause = context->cause != CAUSE_NONE ? context->cause : CAUSE_PLUGIN,
        .detail = context->detail,
        .is_for_good = context->is_for_good,
    };
    failure.text = context_take_text(context, status);
    context->cause = CAUSE_NONE;
    context->detail = 0;
    return failure;
}

int context_fail(struct sheaf_context *context, const struct attempt_failure *failure)
{
    context->cause = failure->cause;
    context->detail = failure->detail;
    return spoil(context, "%s", failure->text);
}

int sheaf_fail(struct sheaf_context *context, const char *format, ...)
{
    if (context->is_spoiled)
        return -1; /* the first text says what went wrong first */
    va_list arguments;
    va_start(arguments, format);
    set_text(context, format, arguments);
    va_end(arguments);
    return -1;
}

int sheaf_fail_for_good(struct sheaf_context *context, const char *format, ...)
{
    if (context->is_spoiled)
        return -1;
    va_list arguments;
    va_start(arguments, format);
    set_text(context, format, arguments);
    va_end(arguments);
    context->is_for_good = true;
    return -1;
}

/* Makes room for `size` more bytes of the result. */
static int reserve(struct sheaf_context *context, size_t size)
{
    struct merge_item *result = context->result;
    if (result == NULL)
        return spoil(context, "sheaf_emit was called in %s: only run, merge and finish emit",
                     context->hook);
    size_t used = (size_t)(context->cursor - result->data);
    size_t own = used - result->size;
    if (context->is_spoiled || size > CONTEXT_RESULT_BYTES_MAX - own)
        return spoil(context,
                     "the result of %s is larger than the limit of %d MiB: write it to a file and "
                     "emit the file's name",
                     context->hook, CONTEXT_RESULT_BYTES_MAX >> 20);
    merge_item_reserve(result, used + size);
    context->cursor = result->data + used;
    context->limit = result->data + result->capacity;
    return 0;
}

__attribute__((noinline)) static int emit(struct sheaf_context *context, const void *data,
                                          size_t size)
{
    if (size > (size_t)(context->limit - context->cursor) && reserve(context, size) != 0)
        return -1;
    if (size > 0)
        memcpy(context->cursor, data, size);
    context->cursor += size;
    return 0;
}

int sheaf_emit(struct sheaf_context *context, const void *data, size_t size)
{
    /* One number, the commonest result of a task worth nanoseconds, is worth a path of its own. */
    if (size == sizeof(uint64_t) &&
        (size_t)(context->limit - context->cursor) >= sizeof(uint64_t)) {
        memcpy(context->cursor, data, sizeof(uint64_t));
        context->cursor += sizeof(uint64_t);
        return 0;
    }
    return emit(context, data, size);
}

int sheaf_emit_text(struct sheaf_context *context, const char *format, ...)
{
    for (;;) {
        size_t room = (size_t)(context->limit - context->cursor);
        va_list arguments;
        va_start(arguments, format);
        int length = vsnprintf((char *)context->cursor, room, format, arguments);
        va_end(arguments);
        if (length < 0)
            return spoil(context, "sheaf_emit_text: the format \"%.100s\" cannot be written",
                         format);
        if ((size_t)length < room) {
            context->cursor += length;
            return 0;
        }
        if (reserve(context, (size_t)length + 1) != 0)
            return -1;
    }
}

static void clear_batch(struct sheaf_context *context)
{
    byte_writer_clear(&context->batch);
    context->batch_count = 0;
}

/* The header is written last: only then the count is known. */
void context_flush_tasks(struct sheaf_context *context)
{
    if (context->batch_count == 0)
        return;
    for (size_t i = 0; i < sizeof(uint64_t); i++)
        context->batch.data[i] = (unsigned char)(context->batch_count >> (8 * i));
    context->batch.data[sizeof(uint64_t)] = context->batch_has_input;
    context->take_tasks(context->owner, &context->batch);
    clear_batch(context);
}

static int add_to_batch(struct sheaf_context *context, uint64_t count, bool has_input)
{
    if (context->take_tasks == NULL)
        return spoil(context, "tasks were added in %s: only split names tasks", context->hook);
    if (count > SHEAF_TASKS_MAX - context->tasks_added)
        return spoil(context, "split named more than the limit of 2^62 tasks");
    if (context->batch_count > 0 && context->batch_has_input != has_input)
        context_flush_tasks(context);
    if (context->batch_count == 0) {
        byte_writer_clear(&context->batch);
        byte_writer_reserve(&context->batch, BATCH_HEADER_BYTES);
        context->batch_has_input = has_input;
    }
    context->batch_count += count;
    context->tasks_added += count;
    return 0;
}

int sheaf_add_task(struct sheaf_context *context, const void *data, size_t size)
{
    if (size > CONTEXT_INPUT_BYTES_MAX)
        return spoil(context,
                     "the input of task %" PRIu64 " has %zu bytes, the limit is %d MiB: give it "
                     "the name of a file",
                     context->tasks_added, size, CONTEXT_INPUT_BYTES_MAX >> 20);
    size_t blob_bytes = sizeof(uint32_t) + size;
    if (context->batch.size + blob_bytes > CONTEXT_BATCH_BYTES)
        context_flush_tasks(context);
    if (add_to_batch(context, 1, true) != 0)
        return -1;
    byte_writer_put_blob(&context->batch, data, size);
    return 0;
}

int sheaf_add_tasks(struct sheaf_context *context, uint64_t count)
{
    return count > 0 ? add_to_batch(context, count, false) : 0;
}

void *sheaf_shared(const struct sheaf_context *context)
{
    return context->shared;
}

void *sheaf_local(const struct sheaf_context *context)
{
    return context->local;
}

static const char *type_text(enum parameter_type type)
{
    switch (type) {
    case PARAMETER_INTEGER:
        return "an integer";
    case PARAMETER_REAL:
        return "a real";
    case PARAMETER_BOOLEAN:
        return "true or false";
    case PARAMETER_STRING:
        return "a string";
    }
    return "of an unknown type";
}

/* Does not return when there is no parameter of that name and type. */
static const struct parameter *get_parameter(struct sheaf_context *context, const char *name,
                                             enum parameter_type type)
{
    const struct parameter *parameter = parameter_list_find(context->parameters, name);
    if (parameter != NULL && parameter->type == type)
        return parameter;
    if (parameter == NULL)
        spoil(context,
              "the plug-in asks for parameter `%s`, which the job does not have: add it under "
              "`parameters:` or with --param %s=...",
              name, name);
    else
        spoil(context, "parameter `%s` is %s, but the plug-in asks for %s", name,
              type_text(parameter->type), type_text(type));
    longjmp(context->escape, 1);
}

int64_t sheaf_parameter_integer(struct sheaf_context *context, const char *name)
{
    return get_parameter(context, name, PARAMETER_INTEGER)->integer;
}

/* A whole number is a real one, too: --param seconds=2. */
double sheaf_parameter_real(struct sheaf_context *context, const char *name)
{
    const struct parameter *parameter = parameter_list_find(context->parameters, name);
    if (parameter != NULL && parameter->type == PARAMETER_INTEGER)
        return (double)parameter->integer;
    return get_parameter(context, name, PARAMETER_REAL)->real;
}

const char *sheaf_parameter_string(struct sheaf_context *context, const char *name)
{
    return get_parameter(context, name, PARAMETER_STRING)->string;
}

int sheaf_parameter_boolean(struct sheaf_context *context, const char *name)
{
    return get_parameter(context, name, PARAMETER_BOOLEAN)->integer != 0;
}

int sheaf_parameter_exists(struct sheaf_context *context, const char *name)
{
    return parameter_list_find(context->parameters, name) != NULL;
}

int sheaf_is_stopping(const struct sheaf_context *context)
{
    return context->is_stopping != NULL &&
           atomic_load_explicit(context->is_stopping, memory_order_relaxed) != 0;
}

uint64_t sheaf_task_count(const struct sheaf_context *context)
{
    return context->task_count;
}

uint32_t sheaf_core_count(const struct sheaf_context *context)
{
    return context->core_count;
}
