/* message.c - encodes and decodes what ranks say to each other. */
#include "message.h"

#include "../scheduler/check.h"
#include "../scheduler/coding.h"
#include "../scheduler/memory.h"

#include <stdlib.h>

static void encode_report(const struct message *message, struct byte_writer *writer)
{
    byte_writer_put_u64(writer, message->as.report.assignment);
    byte_writer_put_u8(writer, (uint8_t)message->as.report.work);
    byte_writer_put_u64(writer, message->as.report.tasks_run);
    byte_writer_put_u64(writer, message->as.report.busy_ns);
    byte_writer_put_u64(writer, message->as.report.idle_ns);
    byte_writer_put_u64(writer, message->as.report.held_ns);
    byte_writer_put_u32(writer, message->as.report.partial_count);
    for (uint32_t i = 0; i < message->as.report.partial_count; i++) {
        const struct partial *partial = &message->as.report.partials[i];
        coding_put_range(writer, partial->range);
        byte_writer_put_u64(writer, partial->offset_bytes);
        byte_writer_put_u64(writer, partial->size_bytes);
        byte_writer_put_u8(writer, partial->is_absent);
    }
    byte_writer_put_u32(writer, (uint32_t)message->as.report.payload_size);
    if (message->as.report.payload != NULL) /* or else it is sent as a part of its own */
        byte_writer_put(writer, message->as.report.payload, message->as.report.payload_size);
}

static void decode_report(struct byte_reader *reader, struct message *message)
{
    message->as.report.assignment = byte_reader_get_u64(reader);
    message->as.report.work = coding_get_work(reader);
    message->as.report.tasks_run = byte_reader_get_u64(reader);
    message->as.report.busy_ns = byte_reader_get_u64(reader);
    message->as.report.idle_ns = byte_reader_get_u64(reader);
    message->as.report.held_ns = byte_reader_get_u64(reader);
    uint32_t count = byte_reader_get_u32(reader);
    if (count > FACT_PARTIALS_MAX)
        reader->failed = true;
    if (reader->failed)
        return;
    message->as.report.partial_count = count;
    message->as.report.partials = memory_allocate_zeroed(count, sizeof(struct partial));
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        struct partial *partial = &message->as.report.partials[i];
        partial->range = coding_get_range(reader);
        partial->offset_bytes = byte_reader_get_u64(reader);
        partial->size_bytes = byte_reader_get_u64(reader);
        partial->is_absent = byte_reader_get_bool(reader);
    }
    message->as.report.payload = byte_reader_get_blob(reader, &message->as.report.payload_size);
    for (uint32_t i = 0; i < count; i++) {
        const struct partial *partial = &message->as.report.partials[i];
        if (partial->offset_bytes > message->as.report.payload_size ||
            partial->size_bytes > message->as.report.payload_size - partial->offset_bytes)
            reader->failed = true;
    }
}

static void encode_failed(const struct message *message, struct byte_writer *writer)
{
    byte_writer_put_u64(writer, message->as.failed.assignment);
    byte_writer_put_u8(writer, (uint8_t)message->as.failed.work);
    coding_put_range(writer, message->as.failed.range);
    byte_writer_put_u8(writer, (uint8_t)message->as.failed.cause);
    byte_writer_put_u32(writer, (uint32_t)message->as.failed.detail);
    byte_writer_put_u8(writer, message->as.failed.is_crash);
    byte_writer_put_u8(writer, message->as.failed.is_for_good);
    byte_writer_put_u8(writer, message->as.failed.is_open);
    byte_writer_put_blob(writer, message->as.failed.text, message->as.failed.text_size);
    byte_writer_put_blob(writer, message->as.failed.log, message->as.failed.log_size);
}

static void decode_failed(struct byte_reader *reader, struct message *message)
{
    message->as.failed.assignment = byte_reader_get_u64(reader);
    message->as.failed.work = coding_get_work(reader);
    message->as.failed.range = coding_get_range(reader);
    message->as.failed.cause = coding_get_cause(reader);
    message->as.failed.detail = (int32_t)byte_reader_get_u32(reader);
    message->as.failed.is_crash = byte_reader_get_bool(reader);
    message->as.failed.is_for_good = byte_reader_get_bool(reader);
    message->as.failed.is_open = byte_reader_get_bool(reader);
    message->as.failed.text =
        (const char *)byte_reader_get_blob(reader, &message->as.failed.text_size);
    message->as.failed.log =
        (const char *)byte_reader_get_blob(reader, &message->as.failed.log_size);
    if (message->as.failed.text_size > FACT_TEXT_BYTES_MAX ||
        message->as.failed.log_size > FACT_LOG_BYTES_MAX)
        reader->failed = true;
}

static void encode_goodbye(const struct message *message, struct byte_writer *writer)
{
    byte_writer_put_u8(writer, message->as.goodbye.prepare_failed);
    byte_writer_put_u8(writer, message->as.goodbye.returns);
    byte_writer_put_u8(writer, (uint8_t)message->as.goodbye.cause);
    byte_writer_put_u32(writer, (uint32_t)message->as.goodbye.detail);
    byte_writer_put_blob(writer, message->as.goodbye.text, message->as.goodbye.text_size);
}

static void decode_goodbye(struct byte_reader *reader, struct message *message)
{
    message->as.goodbye.prepare_failed = byte_reader_get_bool(reader);
    message->as.goodbye.returns = byte_reader_get_bool(reader);
    message->as.goodbye.cause = coding_get_cause(reader);
    message->as.goodbye.detail = (int32_t)byte_reader_get_u32(reader);
    message->as.goodbye.text =
        (const char *)byte_reader_get_blob(reader, &message->as.goodbye.text_size);
}

static void encode_welcome(const struct message *message, struct byte_writer *writer)
{
    const struct placement *placement = &message->as.welcome.placement;
    byte_writer_put_u32(writer, placement->slot_count);
    for (uint32_t i = 0; i < placement->slot_count; i++)
        slot_place_encode(&placement->slots[i], writer);
    byte_writer_put_u64(writer, message->as.welcome.lost_after_ns);
    byte_writer_put_u64(writer, message->as.welcome.window_bytes);
    byte_writer_put_u8(writer, message->as.welcome.has_merge);
    byte_writer_put_u64(writer, message->as.welcome.world);
    byte_writer_put_u8(writer, message->as.welcome.has_past);
    byte_writer_put_blob(writer, message->as.welcome.run_dir, message->as.welcome.run_dir_size);
    job_encode(&message->as.welcome.job, writer);
}

static void decode_welcome(struct byte_reader *reader, struct message *message)
{
    struct placement *placement = &message->as.welcome.placement;
    uint32_t slot_count = byte_reader_get_u32(reader);
    if (slot_count == 0 || slot_count > PLACEMENT_SLOTS_MAX)
        reader->failed = true;
    if (reader->failed)
        return;
    placement->slot_count = slot_count;
    placement->slots = memory_allocate_zeroed(slot_count, sizeof *placement->slots);
    for (uint32_t i = 0; i < slot_count; i++)
        slot_place_decode(reader, &placement->slots[i]);
    message->as.welcome.lost_after_ns = byte_reader_get_u64(reader);
    message->as.welcome.window_bytes = byte_reader_get_u64(reader);
    message->as.welcome.has_merge = byte_reader_get_bool(reader);
    message->as.welcome.world = byte_reader_get_u64(reader);
    message->as.welcome.has_past = byte_reader_get_bool(reader);
    message->as.welcome.run_dir =
        (const char *)byte_reader_get_blob(reader, &message->as.welcome.run_dir_size);
    if (!reader->failed && job_decode(reader, &message->as.welcome.job, NULL) < 0)
        reader->failed = true;
}

static void encode_order(const struct message *message, struct byte_writer *writer)
{
    const struct work_order *order = &message->as.order;
    byte_writer_put_u64(writer, order->assignment);
    byte_writer_put_u8(writer, (uint8_t)order->work);
    coding_put_range(writer, order->range);
    byte_writer_put_u32(writer, order->attempt);
    byte_writer_put_u8(writer, order->has_input);
    byte_writer_put_u64(writer, order->task_count);
    byte_writer_put_blob(writer, order->body, order->body_size);
}

static void decode_order(struct byte_reader *reader, struct message *message)
{
    struct work_order *order = &message->as.order;
    order->assignment = byte_reader_get_u64(reader);
    order->work = coding_get_work(reader);
    order->range = coding_get_range(reader);
    order->attempt = byte_reader_get_u32(reader);
    order->has_input = byte_reader_get_bool(reader);
    order->task_count = byte_reader_get_u64(reader);
    order->body = byte_reader_get_blob(reader, &order->body_size);
}

void message_encode(const struct message *message, struct byte_writer *writer)
{
    byte_writer_put_u8(writer, (uint8_t)message->kind);
    byte_writer_put_u32(writer, message->session);
    byte_writer_put_u64(writer, message->incarnation);
    switch (message->kind) {
    case MESSAGE_HELLO:
        byte_writer_put_u32(writer, message->as.hello.process_id);
        topology_encode(&message->as.hello.topology, writer);
        return;
    case MESSAGE_REPORT:
        encode_report(message, writer);
        return;
    case MESSAGE_RETURNED:
        byte_writer_put_u64(writer, message->as.returned.assignment);
        coding_put_range(writer, message->as.returned.range);
        byte_writer_put_u8(writer, message->as.returned.is_whole);
        return;
    case MESSAGE_FAILED:
        encode_failed(message, writer);
        return;
    case MESSAGE_TASKS:
        byte_writer_put_u64(writer, message->as.tasks.assignment);
        byte_writer_put_blob(writer, message->as.tasks.body, message->as.tasks.body_size);
        return;
    case MESSAGE_GOODBYE:
        encode_goodbye(message, writer);
        return;
    case MESSAGE_WELCOME:
        encode_welcome(message, writer);
        return;
    case MESSAGE_ORDER:
        encode_order(message, writer);
        return;
    case MESSAGE_TAKE_BACK:
    case MESSAGE_CANCEL:
        byte_writer_put_u64(writer, message->as.assignment);
        return;
    case MESSAGE_CREDIT:
        byte_writer_put_u64(writer, message->as.credit_bytes);
        return;
    case MESSAGE_END:
        byte_writer_put_u8(writer, message->as.end.is_clean);
        byte_writer_put_u8(writer, message->as.end.status);
        return;
    case MESSAGE_HEARTBEAT:
    case MESSAGE_PING:
    case MESSAGE_STOP:
        return;
    }
}

static void decode_body(struct byte_reader *reader, struct message *message)
{
    switch (message->kind) {
    case MESSAGE_HELLO:
        message->as.hello.process_id = byte_reader_get_u32(reader);
        if (topology_decode(reader, &message->as.hello.topology, NULL) < 0)
            reader->failed = true;
        return;
    case MESSAGE_REPORT:
        decode_report(reader, message);
        return;
    case MESSAGE_RETURNED:
        message->as.returned.assignment = byte_reader_get_u64(reader);
        message->as.returned.range = coding_get_range(reader);
        message->as.returned.is_whole = byte_reader_get_bool(reader);
        return;
    case MESSAGE_FAILED:
        decode_failed(reader, message);
        return;
    case MESSAGE_TASKS:
        message->as.tasks.assignment = byte_reader_get_u64(reader);
        message->as.tasks.body = byte_reader_get_blob(reader, &message->as.tasks.body_size);
        return;
    case MESSAGE_GOODBYE:
        decode_goodbye(reader, message);
        return;
    case MESSAGE_WELCOME:
        decode_welcome(reader, message);
        return;
    case MESSAGE_ORDER:
        decode_order(reader, message);
        return;
    case MESSAGE_TAKE_BACK:
    case MESSAGE_CANCEL:
        message->as.assignment = byte_reader_get_u64(reader);
        return;
    case MESSAGE_CREDIT:
        message->as.credit_bytes = byte_reader_get_u64(reader);
        return;
    case MESSAGE_END:
        message->as.end.is_clean = byte_reader_get_bool(reader);
        message->as.end.status = byte_reader_get_u8(reader);
        return;
    case MESSAGE_HEARTBEAT:
    case MESSAGE_PING:
    case MESSAGE_STOP:
        return;
    }
    reader->failed = true;
}

int message_decode(const void *data, size_t size, struct message *message,
                   struct sheaf_error *error)
{
    struct byte_reader reader = byte_reader_of(data, size);
    struct message decoded = {0};
    decoded.kind = (enum message_kind)byte_reader_get_u8(&reader);
    decoded.session = byte_reader_get_u32(&reader);
    decoded.incarnation = byte_reader_get_u64(&reader);
    decode_body(&reader, &decoded);
    if (!byte_reader_is_complete(&reader)) {
        message_close(&decoded);
        return sheaf_error_set(
            error, SHEAF_ERROR_MALFORMED,
            "a message of kind %d and %zu bytes cannot be decoded: are all ranks "
            "of the same version?",
            (int)decoded.kind, size);
    }
    *message = decoded;
    return 0;
}

uint64_t message_report_of(const void *data, size_t size)
{
    struct byte_reader reader = byte_reader_of(data, size);
    bool is_report = byte_reader_get_u8(&reader) == MESSAGE_REPORT;
    byte_reader_get_u32(&reader); /* the session */
    byte_reader_get_u64(&reader); /* the incarnation */
    uint64_t assignment = byte_reader_get_u64(&reader);
    return is_report && !reader.failed ? assignment : 0;
}

void message_close(struct message *message)
{
    if (message->kind == MESSAGE_HELLO)
        topology_close(&message->as.hello.topology);
    if (message->kind == MESSAGE_REPORT)
        free(message->as.report.partials);
    if (message->kind == MESSAGE_WELCOME) {
        placement_close(&message->as.welcome.placement);
        job_close(&message->as.welcome.job);
    }
    *message = (struct message){0};
}
