/* echo.c - benchmark: tasks with 64 bytes in, from split, and 64 bytes out.
 *
 * With ECHO_MERGED defined the results are joined by exclusive or; otherwise all are collected, and
 * so each goes through the journal. */
#include "clock.h"

#include <string.h>

enum { RECORD_BYTES = 64, RECORD_WORDS = RECORD_BYTES / 8 };

static int split(struct sheaf_context *context)
{
    uint64_t record[RECORD_WORDS] = {0};
    uint64_t count = (uint64_t)sheaf_parameter_integer(context, "records");
    int status = 0;
    for (uint64_t i = 0; i < count && status == 0; i++) {
        record[0] = i;
        status = sheaf_add_task(context, record, sizeof record);
    }
    return status;
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    uint64_t record[RECORD_WORDS];
    if (task->index == 0 && clock_start(context) != 0)
        return -1;
    if (task->input.size != sizeof record)
        return sheaf_fail(context, "%zu bytes of input", task->input.size);
    memcpy(record, task->input.data, sizeof record);
    for (int i = 0; i < RECORD_WORDS; i++)
        record[i] = ~record[i];
    return sheaf_emit(context, record, sizeof record);
}

#ifdef ECHO_MERGED

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    uint64_t a[RECORD_WORDS];
    uint64_t b[RECORD_WORDS];
    memcpy(a, left.data, sizeof a);
    memcpy(b, right.data, sizeof b);
    for (int i = 0; i < RECORD_WORDS; i++)
        a[i] ^= b[i];
    return sheaf_emit(context, a, sizeof a);
}

#endif

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    return clock_emit(context, result.size);
}

#ifdef ECHO_MERGED
SHEAF_PLUGIN(.split = split, .run = run, .merge = merge, .finish = finish)
#else
SHEAF_PLUGIN(.split = split, .run = run, .finish = finish)
#endif
