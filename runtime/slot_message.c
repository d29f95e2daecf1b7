/* slot_message.c - encodes and checks the messages between a rank and an executor. */
#include "slot_message.h"

#include "../scheduler/check.h"
#include "../scheduler/coding.h"

#include <string.h>

void slot_order_encode(const struct slot_order *order, struct byte_writer *writer)
{
    size_t start = writer->size;
    byte_writer_put_u64(writer, order->seq);
    byte_writer_put_u32(writer, order->work);
    byte_writer_put_u32(writer, order->attempt);
    coding_put_range(writer, order->range);
    byte_writer_put_u64(writer, order->task_count);
    byte_writer_put_u64(writer, order->body_size);
    byte_writer_put_u8(writer, order->has_input);
    byte_writer_put_u8(writer, order->may_merge);
    size_t padding = SLOT_ORDER_HEADER_BYTES - (writer->size - start);
    memset(byte_writer_reserve(writer, padding), 0, padding);
}

bool slot_order_decode(struct byte_reader *reader, struct slot_order *order)
{
    struct byte_reader header =
        byte_reader_of(byte_reader_get(reader, SLOT_ORDER_HEADER_BYTES), SLOT_ORDER_HEADER_BYTES);
    if (reader->failed)
        return false;
    order->seq = byte_reader_get_u64(&header);
    order->work = byte_reader_get_u32(&header);
    order->attempt = byte_reader_get_u32(&header);
    order->range = coding_get_range(&header);
    order->task_count = byte_reader_get_u64(&header);
    order->body_size = byte_reader_get_u64(&header);
    order->has_input = byte_reader_get_bool(&header);
    order->may_merge = byte_reader_get_bool(&header);
    return order->work <= WORK_FINISH && order->body_size == byte_reader_left(reader);
}

void slot_report_encode(const struct slot_report *report, struct byte_writer *writer)
{
    CHECK(report->partial_count <= FACT_PARTIALS_MAX);
    byte_writer_put_u8(writer, (uint8_t)report->kind);
    if (report->kind == SLOT_REPORT_TASKS)
        return;
    coding_put_range(writer, report->range);
    if (report->kind == SLOT_REPORT_FAILED) {
        byte_writer_put_u8(writer, (uint8_t)report->cause);
        byte_writer_put_u32(writer, (uint32_t)report->detail);
        byte_writer_put_u8(writer, report->is_for_good);
        byte_writer_put_u8(writer, report->is_open);
        byte_writer_put_blob(writer, report->text, report->text_size);
        byte_writer_put_u64(writer, report->log_first_bytes);
        byte_writer_put_u64(writer, report->log_end_bytes);
        return;
    }
    byte_writer_put_u64(writer, report->tasks_run);
    byte_writer_put_u64(writer, report->busy_ns);
    byte_writer_put_u32(writer, report->partial_count);
    for (uint32_t i = 0; i < report->partial_count; i++) {
        const struct partial *partial = &report->partials[i];
        coding_put_range(writer, partial->range);
        byte_writer_put_u64(writer, partial->size_bytes);
        byte_writer_put_u8(writer, partial->is_absent);
    }
}

static bool decode_failed(struct byte_reader *reader, struct slot_report *report)
{
    report->cause = coding_get_cause(reader);
    report->detail = (int32_t)byte_reader_get_u32(reader);
    report->is_for_good = byte_reader_get_bool(reader);
    report->is_open = byte_reader_get_bool(reader);
    report->text = (const char *)byte_reader_get_blob(reader, &report->text_size);
    report->log_first_bytes = byte_reader_get_u64(reader);
    report->log_end_bytes = byte_reader_get_u64(reader);
    return report->cause > CAUSE_NONE && report->cause < CAUSE_COUNT &&
           report->text_size < FACT_TEXT_BYTES_MAX && byte_reader_is_complete(reader);
}

static bool decode_done(struct byte_reader *reader, struct partial *partials,
                        struct slot_report *report)
{
    uint64_t offset_bytes = 0;
    uint64_t end = report->range.first;
    report->tasks_run = byte_reader_get_u64(reader);
    report->busy_ns = byte_reader_get_u64(reader);
    report->partial_count = byte_reader_get_u32(reader);
    report->partials = partials;
    if (reader->failed || report->partial_count > FACT_PARTIALS_MAX)
        return false;
    for (uint32_t i = 0; i < report->partial_count; i++) {
        struct partial *partial = &partials[i];
        partial->range = coding_get_range(reader);
        partial->payload_seq = 0;
        partial->offset_bytes = offset_bytes;
        partial->size_bytes = byte_reader_get_u64(reader);
        partial->is_absent = byte_reader_get_bool(reader);
        if (partial->range.first < end || !range_contains(report->range, partial->range) ||
            partial->size_bytes > reader->size)
            return false;
        end = range_end(partial->range);
        offset_bytes += partial->size_bytes;
    }
    report->body_size = byte_reader_left(reader);
    report->body = byte_reader_get(reader, report->body_size);
    return !reader->failed && offset_bytes == report->body_size;
}

bool slot_report_decode(struct byte_reader *reader, struct partial *partials,
                        struct slot_report *report)
{
    *report = (struct slot_report){.kind = (enum slot_report_kind)byte_reader_get_u8(reader)};
    if (report->kind == SLOT_REPORT_TASKS) {
        report->body_size = byte_reader_left(reader);
        report->body = byte_reader_get(reader, report->body_size);
        return !reader->failed;
    }
    report->range = coding_get_range(reader);
    if (report->range.first > SHEAF_TASKS_MAX || report->range.count > SHEAF_TASKS_MAX)
        return false;
    switch (report->kind) {
    case SLOT_REPORT_FAILED:
        return decode_failed(reader, report);
    case SLOT_REPORT_DONE:
        return decode_done(reader, partials, report);
    case SLOT_REPORT_TASKS:
        break;
    }
    return false;
}
