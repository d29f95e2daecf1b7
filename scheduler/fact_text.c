/* fact_text.c - says facts in words. */
#include "fact.h"

#include "printable.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *cause_text(enum cause cause)
{
    static const char *const texts[CAUSE_COUNT] = {[CAUSE_NONE] = "for no given reason",
#define X(name, text) [CAUSE_##name] = text,
                                                   SHEAF_CAUSES(X)
#undef X
    };
    return (unsigned)cause < CAUSE_COUNT ? texts[cause] : "for an unknown reason";
}

/* A command that ends with 0 has not failed, so 0 is of a process that should not have ended. */
void cause_describe(enum cause cause, int32_t detail, char *text, size_t text_size)
{
    if (cause == CAUSE_SIGNAL && detail > 0)
        snprintf(text, text_size, "was killed by signal %" PRId32, detail);
    else if (cause == CAUSE_EXIT && detail > 0)
        snprintf(text, text_size, "exited with status %" PRId32, detail);
    else if (cause == CAUSE_EXIT && detail == 0)
        snprintf(text, text_size, "ended its process, as if it were done, instead of returning");
    else if (cause == CAUSE_EXIT)
        snprintf(text, text_size, "ended its process in a way that is not known");
    else
        snprintf(text, text_size, "%s", cause_text(cause));
}

const char *loss_text(enum cause cause)
{
    if (cause == CAUSE_WORKER_LOST)
        return "nothing was heard of it any more";
    if (cause == CAUSE_NODE_LOST)
        return "nothing was heard of its host any more";
    return cause_text(cause);
}

const char *readmission_text(enum readmission reason)
{
    static const char *const texts[READMISSION_COUNT] = {[READMISSION_NONE] = "for no given reason",
#define X(name, text) [READMISSION_##name] = text,
                                                         SHEAF_READMISSIONS(X)
#undef X
    };
    return (unsigned)reason < READMISSION_COUNT ? texts[reason] : "for an unknown reason";
}

const char *work_text(enum work work)
{
    switch (work) {
    case WORK_SPLIT:
        return "split";
    case WORK_RUN:
        return "run";
    case WORK_MERGE:
        return "merge";
    case WORK_FINISH:
        return "finish";
    }
    return "prepare";
}

enum { CAUSE_TEXT_BYTES = 160 };

/* Text that grows like snprintf's: `length` counts what was wanted, not what fitted. */
struct text {
    char *start;
    size_t size;
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    size_t used = text->length < text->size ? text->length : text->size;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(used < text->size ? text->start + used : NULL, text->size - used, format,
                           arguments);
    va_end(arguments);
    text->length += length > 0 ? (size_t)length : 0;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void add_range(struct text *text, struct range range)
{
    if (range.count == 1)
        add(text, "task %" PRIu64, range.first);
    else
        add(text, "[%" PRIu64 ", %" PRIu64 ")", range.first, range_end(range));
}

/* What a plug-in said may hold anything. */
static void add_foreign(struct text *text, const char *bytes, size_t size)
{
    char shown[PRINTABLE_GROWTH * FACT_TEXT_BYTES_MAX + 1];
    printable(bytes, size, shown, sizeof shown);
    add(text, "%s", shown);
}

/* Those of a snapshot are of another run, so it names none. */
static void add_worker(struct text *text, const char *before, uint32_t worker)
{
    if (worker == WORKER_NONE)
        add(text, " %s worker none", before);
    else
        add(text, " %s worker %" PRIu32, before, worker);
}

static void add_cause(struct text *text, enum cause cause, int32_t detail)
{
    char how[CAUSE_TEXT_BYTES];
    cause_describe(cause, detail, how, sizeof how);
    add(text, "%s", how);
}

static void add_job_accepted(struct text *text, const struct fact_job_accepted *job)
{
    add(text, "job accepted: %" PRIu64 " task%s, %" PRIu64 " input byte%s, %s%s", job->task_count,
        plural(job->task_count), job->input_bytes, plural(job->input_bytes),
        job->has_merge ? "merged" : "collected", job->has_finish ? ", finished" : "");
    if (job->graph_fingerprint != 0)
        add(text, ", some after others");
}

static void add_assigned(struct text *text, const struct fact_assigned *assigned)
{
    add(text, "assigned %s of ", work_text(assigned->work));
    add_range(text, assigned->range);
    add_worker(text, "to", assigned->worker);
    if (assigned->attempt > 1)
        add(text, ", attempt %" PRIu32, assigned->attempt);
    if (assigned->copy_of != 0)
        add(text, ", copy of %" PRIu64, assigned->copy_of);
}

static void add_result(struct text *text, const struct fact *fact)
{
    const struct fact_result *result = &fact->as.result;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < result->partial_count; i++)
        bytes += result->partials[i].size_bytes;
    add(text, "result of ");
    if (result->work != WORK_RUN)
        add(text, "%s of ", work_text(result->work));
    add_range(text, fact_range(fact));
    add_worker(text, "from", result->worker);
    add(text, ": %" PRIu32 " partial%s, %" PRIu64 " byte%s", result->partial_count,
        plural(result->partial_count), bytes, plural(bytes));
    if (result->assignment != 0)
        add(text, ", ends assignment %" PRIu64, result->assignment);
}

static void add_returned(struct text *text, const struct fact_returned *returned)
{
    add(text, "returned ");
    add_range(text, returned->range);
    add(text, " of assignment %" PRIu64, returned->assignment);
    add_worker(text, "by", returned->worker);
    add(text, "%s", returned->is_whole ? ", nothing left of it" : "");
}

static void add_attempt_failed(struct text *text, const struct fact_attempt_failed *failed)
{
    if (failed->work == WORK_RUN) {
        add_range(text, failed->range);
        add(text, " failed");
    } else {
        add(text, "%s of ", work_text(failed->work));
        add_range(text, failed->range);
        add(text, " failed");
    }
    add(text, "%s", failed->is_final ? " for good" : "");
    if (failed->cause != CAUSE_NOT_RUN)
        add_worker(text, "on", failed->worker);
    add(text, ": ");
    add_cause(text, failed->cause, failed->detail);
    if (failed->text_size > 0) {
        add(text, ": ");
        add_foreign(text, failed->text, failed->text_size);
    }
}

static void add_host(struct text *text, const char *host, uint32_t size)
{
    if (size == 0)
        return;
    add(text, " on ");
    add_foreign(text, host, size);
}

static void add_worker_lost(struct text *text, const struct fact_worker_lost *lost)
{
    add(text, "worker %" PRIu32, lost->worker);
    add_host(text, lost->host, lost->host_size);
    add(text, " lost: %s", loss_text(lost->cause));
    if (lost->order_count > 0)
        add(text, ", %" PRIu32 " assignment%s with it", lost->order_count,
            lost->order_count == 1 ? " ends" : "s end");
}

static void add_failures(struct text *text, const struct fact_failures *failures)
{
    if (failures->work == 0)
        add(text, "so far: %" PRIu64 " worker%s lost", failures->count, plural(failures->count));
    else
        add(text, "so far: %" PRIu64 " failed attempt%s at %s, %" PRIu64 " of them for good",
            failures->count, plural(failures->count), work_text(failures->work),
            failures->final_count);
    add_host(text, failures->host, failures->host_size);
    add(text, ": ");
    if (failures->work == 0)
        add(text, "%s", loss_text(failures->cause));
    else
        add_cause(text, failures->cause, failures->detail);
}

static void add_job_failed(struct text *text, const struct fact_job_failed *failed)
{
    add(text, "job failed: %s", work_text(failed->work));
    if (!range_is_empty(failed->range)) {
        add(text, " of ");
        add_range(text, failed->range);
    }
    add(text, ": ");
    add_cause(text, failed->cause, failed->detail);
}

int fact_describe(const struct fact *fact, char *text_start, size_t text_size)
{
    struct text text = {.start = text_start, .size = text_size};
    if (text_size > 0)
        text_start[0] = '\0';
    switch (fact->kind) {
    case FACT_RUN_STARTED:
        add(&text, "run started: incarnation %" PRIu64, fact->as.run_started.incarnation);
        break;
    case FACT_JOB_ACCEPTED:
        add_job_accepted(&text, &fact->as.job_accepted);
        break;
    case FACT_WORKER_JOINED:
        add(&text, "worker %" PRIu32 " joined: %" PRIu32 " slot%s on node %" PRIu32,
            fact->as.worker_joined.worker, fact->as.worker_joined.slot_count,
            plural(fact->as.worker_joined.slot_count), fact->as.worker_joined.node);
        break;
    case FACT_WORKER_LOST:
        add_worker_lost(&text, &fact->as.worker_lost);
        break;
    case FACT_ASSIGNED:
        add_assigned(&text, &fact->as.assigned);
        break;
    case FACT_RESULT:
        add_result(&text, fact);
        break;
    case FACT_RETURNED:
        add_returned(&text, &fact->as.returned);
        break;
    case FACT_ATTEMPT_FAILED:
        add_attempt_failed(&text, &fact->as.attempt_failed);
        break;
    case FACT_RESULT_LOST:
        add(&text, "result lost: ");
        add_range(&text, fact->as.result_lost.range);
        break;
    case FACT_JOB_FAILED:
        add_job_failed(&text, &fact->as.job_failed);
        break;
    case FACT_JOB_FINISHED:
        add(&text, "job finished: %" PRIu64 " task%s failed",
            fact->as.job_finished.failed_task_count,
            plural(fact->as.job_finished.failed_task_count));
        break;
    case FACT_SNAPSHOT_END:
        add(&text, "end of snapshot");
        break;
    case FACT_NODE_BENCHED:
        add(&text, "node %" PRIu32 " benched: %" PRIu32 " task%s failed there and passed elsewhere",
            fact->as.node_benched.node, fact->as.node_benched.task_count,
            plural(fact->as.node_benched.task_count));
        break;
    case FACT_NODE_READMITTED:
        add(&text, "node %" PRIu32 " readmitted: %s", fact->as.node_readmitted.node,
            readmission_text(fact->as.node_readmitted.reason));
        break;
    case FACT_FAILURES:
        add_failures(&text, &fact->as.failures);
        break;
    case FACT_FAILED_REOPENED:
        if (range_is_empty(fact->as.failed_reopened.range)) {
            add(&text, "the finished job goes on with what it lacks, and is published again");
            break;
        }
        add(&text, "what failed is open again within ");
        add_range(&text, fact->as.failed_reopened.range);
        break;
    }
    return (int)text.length;
}
