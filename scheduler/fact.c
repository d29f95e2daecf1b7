/* fact.c - encodes facts as journal records and decodes them strictly. */
#include "fact.h"

#include "check.h"
#include "coding.h"

/* range 16, payload_seq 8, offset 8, size 8, is_absent 1 */
enum { PARTIAL_BYTES = 41 };

static void encode_job_accepted(const struct fact_job_accepted *job, struct byte_writer *writer)
{
    byte_writer_put_u64(writer, job->task_count);
    byte_writer_put_u64(writer, job->input_bytes);
    byte_writer_put_u32(writer, job->input_crc);
    byte_writer_put_u8(writer, job->has_merge);
    byte_writer_put_u8(writer, job->has_finish);
    if (job->graph_fingerprint != 0)
        byte_writer_put_u64(writer, job->graph_fingerprint);
}

static void encode_assigned(const struct fact_assigned *assigned, struct byte_writer *writer)
{
    byte_writer_put_u32(writer, assigned->worker);
    byte_writer_put_u8(writer, (uint8_t)assigned->work);
    coding_put_range(writer, assigned->range);
    byte_writer_put_u32(writer, assigned->attempt);
    byte_writer_put_u64(writer, assigned->copy_of);
}

static void encode_result(const struct fact_result *result, struct byte_writer *writer)
{
    CHECK(result->partial_count <= FACT_PARTIALS_MAX);
    byte_writer_put_u32(writer, result->worker);
    byte_writer_put_u64(writer, result->assignment);
    byte_writer_put_u8(writer, (uint8_t)result->work);
    byte_writer_put_u64(writer, result->tasks_run);
    byte_writer_put_u64(writer, result->busy_ns);
    byte_writer_put_u32(writer, result->partial_count);
    for (uint32_t i = 0; i < result->partial_count; i++) {
        const struct partial *partial = &result->partials[i];
        coding_put_range(writer, partial->range);
        byte_writer_put_u64(writer, partial->payload_seq);
        byte_writer_put_u64(writer, partial->offset_bytes);
        byte_writer_put_u64(writer, partial->size_bytes);
        byte_writer_put_u8(writer, partial->is_absent);
    }
}

static void encode_returned(const struct fact_returned *returned, struct byte_writer *writer)
{
    byte_writer_put_u32(writer, returned->worker);
    byte_writer_put_u64(writer, returned->assignment);
    coding_put_range(writer, returned->range);
    byte_writer_put_u8(writer, returned->is_whole);
}

static void encode_attempt_failed(const struct fact_attempt_failed *failed,
                                  struct byte_writer *writer)
{
    CHECK(failed->text_size <= FACT_TEXT_BYTES_MAX && failed->host_size <= FACT_HOST_BYTES_MAX &&
          failed->log_size <= FACT_LOG_BYTES_MAX);
    byte_writer_put_u32(writer, failed->worker);
    byte_writer_put_u64(writer, failed->assignment);
    byte_writer_put_u8(writer, (uint8_t)failed->work);
    coding_put_range(writer, failed->range);
    byte_writer_put_u8(writer, (uint8_t)failed->cause);
    byte_writer_put_u32(writer, (uint32_t)failed->detail);
    byte_writer_put_u8(writer, failed->is_crash);
    byte_writer_put_u8(writer, failed->is_final);
    byte_writer_put_u64(writer, failed->not_before_ns);
    byte_writer_put_blob(writer, failed->text, failed->text_size);
    byte_writer_put_blob(writer, failed->host, failed->host_size);
    byte_writer_put_blob(writer, failed->log, failed->log_size);
}

static void encode_worker_lost(const struct fact_worker_lost *lost, struct byte_writer *writer)
{
    CHECK(lost->host_size <= FACT_HOST_BYTES_MAX);
    byte_writer_put_u32(writer, lost->worker);
    byte_writer_put_u8(writer, (uint8_t)lost->cause);
    byte_writer_put_u32(writer, lost->order_count);
    byte_writer_put_blob(writer, lost->host, lost->host_size);
}

static void encode_failures(const struct fact_failures *failures, struct byte_writer *writer)
{
    const struct failure_example *example = &failures->example;
    CHECK(failures->host_size <= FACT_HOST_BYTES_MAX && failures->log_size <= FACT_LOG_BYTES_MAX &&
          example->text_size <= FACT_TEXT_BYTES_MAX);
    byte_writer_put_u8(writer, (uint8_t)failures->work);
    byte_writer_put_u8(writer, (uint8_t)failures->cause);
    byte_writer_put_u32(writer, (uint32_t)failures->detail);
    byte_writer_put_u64(writer, failures->count);
    byte_writer_put_u64(writer, failures->final_count);
    byte_writer_put_u64(writer, failures->order_count);
    byte_writer_put_u8(writer, failures->has_example);
    byte_writer_put_u32(writer, example->worker);
    byte_writer_put_u32(writer, example->attempt);
    coding_put_range(writer, example->range);
    byte_writer_put_blob(writer, example->text, example->text_size);
    byte_writer_put_blob(writer, failures->host, failures->host_size);
    byte_writer_put_blob(writer, failures->log, failures->log_size);
}

static void encode_job_failed(const struct fact_job_failed *failed, struct byte_writer *writer)
{
    byte_writer_put_u8(writer, (uint8_t)failed->work);
    coding_put_range(writer, failed->range);
    byte_writer_put_u8(writer, (uint8_t)failed->cause);
    byte_writer_put_u32(writer, (uint32_t)failed->detail);
}

void fact_encode(const struct fact *fact, struct byte_writer *writer)
{
    switch (fact->kind) {
    case FACT_RUN_STARTED:
        byte_writer_put_u64(writer, fact->as.run_started.incarnation);
        break;
    case FACT_JOB_ACCEPTED:
        encode_job_accepted(&fact->as.job_accepted, writer);
        break;
    case FACT_WORKER_JOINED:
        byte_writer_put_u32(writer, fact->as.worker_joined.worker);
        byte_writer_put_u32(writer, fact->as.worker_joined.slot_count);
        byte_writer_put_u32(writer, fact->as.worker_joined.node);
        break;
    case FACT_WORKER_LOST:
        encode_worker_lost(&fact->as.worker_lost, writer);
        break;
    case FACT_ASSIGNED:
        encode_assigned(&fact->as.assigned, writer);
        break;
    case FACT_RESULT:
        encode_result(&fact->as.result, writer);
        break;
    case FACT_RETURNED:
        encode_returned(&fact->as.returned, writer);
        break;
    case FACT_ATTEMPT_FAILED:
        encode_attempt_failed(&fact->as.attempt_failed, writer);
        break;
    case FACT_RESULT_LOST:
        coding_put_range(writer, fact->as.result_lost.range);
        break;
    case FACT_JOB_FAILED:
        encode_job_failed(&fact->as.job_failed, writer);
        break;
    case FACT_JOB_FINISHED:
        byte_writer_put_u64(writer, fact->as.job_finished.failed_task_count);
        break;
    case FACT_SNAPSHOT_END:
        break;
    case FACT_NODE_BENCHED:
        byte_writer_put_u32(writer, fact->as.node_benched.node);
        byte_writer_put_u32(writer, fact->as.node_benched.task_count);
        break;
    case FACT_NODE_READMITTED:
        byte_writer_put_u32(writer, fact->as.node_readmitted.node);
        byte_writer_put_u8(writer, (uint8_t)fact->as.node_readmitted.reason);
        break;
    case FACT_FAILURES:
        encode_failures(&fact->as.failures, writer);
        break;
    case FACT_FAILED_REOPENED:
        coding_put_range(writer, fact->as.failed_reopened.range);
        break;
    }
}

/* The getters below mark the reader as failed when a value is outside its range, so that one look
 * at the end tells whether all was well. */

/* Borrows a text of a limited size. */
static const char *get_text(struct byte_reader *reader, size_t size_max, uint32_t *size)
{
    size_t text_size;
    const char *text = (const char *)byte_reader_get_blob(reader, &text_size);
    if (text_size > size_max)
        reader->failed = true;
    *size = (uint32_t)text_size;
    return text;
}

/* RUN and MERGE are about tasks; SPLIT and FINISH may be about none. */
static bool range_fits_work(struct range range, enum work work)
{
    return !range_is_empty(range) || work == WORK_SPLIT || work == WORK_FINISH;
}

static bool decode_job_accepted(struct byte_reader *reader, struct fact_job_accepted *job)
{
    job->task_count = byte_reader_get_u64(reader);
    job->input_bytes = byte_reader_get_u64(reader);
    job->input_crc = byte_reader_get_u32(reader);
    job->has_merge = byte_reader_get_bool(reader);
    job->has_finish = byte_reader_get_bool(reader);
    job->graph_fingerprint = byte_reader_left(reader) > 0 ? byte_reader_get_u64(reader) : 0;
    return job->task_count <= SHEAF_TASKS_MAX;
}

static bool decode_assigned(struct byte_reader *reader, struct fact_assigned *assigned)
{
    assigned->worker = byte_reader_get_u32(reader);
    assigned->work = coding_get_work(reader);
    assigned->range = coding_get_range(reader);
    assigned->attempt = byte_reader_get_u32(reader);
    assigned->copy_of = byte_reader_get_u64(reader);
    return range_fits_work(assigned->range, assigned->work);
}

static struct partial get_partial(struct byte_reader *reader)
{
    struct partial partial = {.range = coding_get_range(reader)};
    partial.payload_seq = byte_reader_get_u64(reader);
    partial.offset_bytes = byte_reader_get_u64(reader);
    partial.size_bytes = byte_reader_get_u64(reader);
    partial.is_absent = byte_reader_get_bool(reader);
    if (partial.size_bytes > UINT64_MAX - partial.offset_bytes ||
        (partial.is_absent && partial.size_bytes > 0))
        reader->failed = true;
    return partial;
}

static uint32_t partial_count_limit(enum work work)
{
    switch (work) {
    case WORK_SPLIT:
        return 0;
    case WORK_RUN:
        return FACT_PARTIALS_MAX;
    case WORK_MERGE:
    case WORK_FINISH:
        return 1;
    }
    return 0;
}

static bool decode_result(struct byte_reader *reader, struct partial *partials,
                          struct fact_result *result)
{
    result->worker = byte_reader_get_u32(reader);
    result->assignment = byte_reader_get_u64(reader);
    result->work = coding_get_work(reader);
    result->tasks_run = byte_reader_get_u64(reader);
    result->busy_ns = byte_reader_get_u64(reader);
    result->partial_count = byte_reader_get_u32(reader);
    result->partials = partials;
    if (reader->failed || result->partial_count > partial_count_limit(result->work) ||
        byte_reader_left(reader) != (size_t)result->partial_count * PARTIAL_BYTES)
        return false;
    uint64_t end = 0;
    for (uint32_t i = 0; i < result->partial_count; i++) {
        partials[i] = get_partial(reader);
        if (reader->failed || partials[i].range.first < end ||
            !range_fits_work(partials[i].range, result->work))
            return false;
        end = range_end(partials[i].range);
    }
    return true;
}

static bool decode_returned(struct byte_reader *reader, struct fact_returned *returned)
{
    returned->worker = byte_reader_get_u32(reader);
    returned->assignment = byte_reader_get_u64(reader);
    returned->range = coding_get_range(reader);
    returned->is_whole = byte_reader_get_bool(reader);
    return true;
}

static bool decode_attempt_failed(struct byte_reader *reader, struct fact_attempt_failed *failed)
{
    failed->worker = byte_reader_get_u32(reader);
    failed->assignment = byte_reader_get_u64(reader);
    failed->work = coding_get_work(reader);
    failed->range = coding_get_range(reader);
    failed->cause = coding_get_cause(reader);
    failed->detail = (int32_t)byte_reader_get_u32(reader);
    failed->is_crash = byte_reader_get_bool(reader);
    failed->is_final = byte_reader_get_bool(reader);
    failed->not_before_ns = byte_reader_get_u64(reader);
    failed->text = get_text(reader, FACT_TEXT_BYTES_MAX, &failed->text_size);
    failed->host = get_text(reader, FACT_HOST_BYTES_MAX, &failed->host_size);
    failed->log = get_text(reader, FACT_LOG_BYTES_MAX, &failed->log_size);
    return range_fits_work(failed->range, failed->work) &&
           (failed->work != WORK_RUN || failed->range.count <= 1 || failed->is_final);
}

static bool decode_worker_lost(struct byte_reader *reader, struct fact_worker_lost *lost)
{
    lost->worker = byte_reader_get_u32(reader);
    lost->cause = coding_get_cause(reader);
    lost->order_count = byte_reader_get_u32(reader);
    lost->host = get_text(reader, FACT_HOST_BYTES_MAX, &lost->host_size);
    return true;
}

static bool decode_failures(struct byte_reader *reader, struct fact_failures *failures)
{
    struct failure_example *example = &failures->example;
    uint8_t work = byte_reader_get_u8(reader);
    failures->work = (enum work)work;
    failures->cause = coding_get_cause(reader);
    failures->detail = (int32_t)byte_reader_get_u32(reader);
    failures->count = byte_reader_get_u64(reader);
    failures->final_count = byte_reader_get_u64(reader);
    failures->order_count = byte_reader_get_u64(reader);
    failures->has_example = byte_reader_get_bool(reader);
    example->worker = byte_reader_get_u32(reader);
    example->attempt = byte_reader_get_u32(reader);
    example->range = coding_get_range(reader);
    example->text = get_text(reader, FACT_TEXT_BYTES_MAX, &example->text_size);
    failures->host = get_text(reader, FACT_HOST_BYTES_MAX, &failures->host_size);
    failures->log = get_text(reader, FACT_LOG_BYTES_MAX, &failures->log_size);
    return work <= WORK_FINISH;
}

static bool decode_job_failed(struct byte_reader *reader, struct fact_job_failed *failed)
{
    uint8_t work = byte_reader_get_u8(reader);
    failed->work = (enum work)work;
    failed->range = coding_get_range(reader);
    failed->cause = coding_get_cause(reader);
    failed->detail = (int32_t)byte_reader_get_u32(reader);
    return work <= WORK_FINISH;
}

static bool decode_node_readmitted(struct byte_reader *reader,
                                   struct fact_node_readmitted *readmitted)
{
    readmitted->node = byte_reader_get_u32(reader);
    uint8_t reason = byte_reader_get_u8(reader);
    readmitted->reason = (enum readmission)reason;
    return reason > READMISSION_NONE && reason < READMISSION_COUNT;
}

static bool decode_fields(struct byte_reader *reader, struct partial *partials, struct fact *fact)
{
    switch (fact->kind) {
    case FACT_RUN_STARTED:
        fact->as.run_started.incarnation = byte_reader_get_u64(reader);
        return true;
    case FACT_JOB_ACCEPTED:
        return decode_job_accepted(reader, &fact->as.job_accepted);
    case FACT_WORKER_JOINED:
        fact->as.worker_joined.worker = byte_reader_get_u32(reader);
        fact->as.worker_joined.slot_count = byte_reader_get_u32(reader);
        fact->as.worker_joined.node = byte_reader_get_u32(reader);
        return true;
    case FACT_WORKER_LOST:
        return decode_worker_lost(reader, &fact->as.worker_lost);
    case FACT_ASSIGNED:
        return decode_assigned(reader, &fact->as.assigned);
    case FACT_RESULT:
        return decode_result(reader, partials, &fact->as.result);
    case FACT_RETURNED:
        return decode_returned(reader, &fact->as.returned);
    case FACT_ATTEMPT_FAILED:
        return decode_attempt_failed(reader, &fact->as.attempt_failed);
    case FACT_RESULT_LOST:
        fact->as.result_lost.range = coding_get_range(reader);
        return true;
    case FACT_JOB_FAILED:
        return decode_job_failed(reader, &fact->as.job_failed);
    case FACT_JOB_FINISHED:
        fact->as.job_finished.failed_task_count = byte_reader_get_u64(reader);
        return true;
    case FACT_SNAPSHOT_END:
        return true;
    case FACT_NODE_BENCHED:
        fact->as.node_benched.node = byte_reader_get_u32(reader);
        fact->as.node_benched.task_count = byte_reader_get_u32(reader);
        return true;
    case FACT_NODE_READMITTED:
        return decode_node_readmitted(reader, &fact->as.node_readmitted);
    case FACT_FAILURES:
        return decode_failures(reader, &fact->as.failures);
    case FACT_FAILED_REOPENED:
        fact->as.failed_reopened.range = coding_get_range(reader);
        return true;
    }
    return false;
}

int fact_decode(uint8_t kind, const void *data, size_t size, struct partial *partials,
                struct fact *fact, struct sheaf_error *error)
{
    struct byte_reader reader = byte_reader_of(data, size);
    struct fact decoded = {.kind = (enum fact_kind)kind};
    if (!decode_fields(&reader, partials, &decoded) || !byte_reader_is_complete(&reader))
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED,
                               "a record of kind %u with %zu bytes is not a fact", kind, size);
    fact->kind = decoded.kind;
    fact->as = decoded.as;
    return 0;
}

struct range fact_range(const struct fact *fact)
{
    const struct range none = {0, 0};
    switch (fact->kind) {
    case FACT_JOB_ACCEPTED:
        return (struct range){0, fact->as.job_accepted.task_count};
    case FACT_ASSIGNED:
        return fact->as.assigned.range;
    case FACT_RESULT: {
        const struct fact_result *result = &fact->as.result;
        if (result->partial_count == 0)
            return none;
        return range_between(result->partials[0].range.first,
                             range_end(result->partials[result->partial_count - 1].range));
    }
    case FACT_RETURNED:
        return fact->as.returned.range;
    case FACT_ATTEMPT_FAILED:
        return fact->as.attempt_failed.range;
    case FACT_RESULT_LOST:
        return fact->as.result_lost.range;
    case FACT_JOB_FAILED:
        return fact->as.job_failed.range;
    case FACT_FAILED_REOPENED:
        return fact->as.failed_reopened.range;
    case FACT_RUN_STARTED:
    case FACT_WORKER_JOINED:
    case FACT_WORKER_LOST:
    case FACT_JOB_FINISHED:
    case FACT_SNAPSHOT_END:
    case FACT_NODE_BENCHED:
    case FACT_NODE_READMITTED:
    case FACT_FAILURES:
        return none;
    }
    return none;
}
