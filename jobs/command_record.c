/* command_record.c - encodes what is kept of a command. */
#include "command_record.h"

enum { RECORD_VERSION = 1 };

void command_record_put_head(const struct command_record *record, struct byte_writer *writer)
{
    byte_writer_put_u8(writer, RECORD_VERSION);
    byte_writer_put_u64(writer, record->task);
    byte_writer_put_u32(writer, record->attempt);
    byte_writer_put_u32(writer, (uint32_t)record->exit_status);
    byte_writer_put_u32(writer, (uint32_t)record->signal);
    byte_writer_put_u64(writer, record->start_unix_us);
    byte_writer_put_u64(writer, record->duration_us);
    byte_writer_put_u64(writer, record->memory_bytes);
    byte_writer_put_blob(writer, record->host, record->host_bytes);
    byte_writer_put_blob(writer, record->command, record->command_bytes);
    byte_writer_put_u32(writer, (uint32_t)record->out_bytes);
    byte_writer_put_u32(writer, (uint32_t)record->err_bytes);
}

bool command_record_get(struct byte_reader *reader, struct command_record *record)
{
    uint8_t version = byte_reader_get_u8(reader);
    *record = (struct command_record){.task = byte_reader_get_u64(reader)};
    record->attempt = byte_reader_get_u32(reader);
    record->exit_status = (int32_t)byte_reader_get_u32(reader);
    record->signal = (int32_t)byte_reader_get_u32(reader);
    record->start_unix_us = byte_reader_get_u64(reader);
    record->duration_us = byte_reader_get_u64(reader);
    record->memory_bytes = byte_reader_get_u64(reader);
    record->host = (const char *)byte_reader_get_blob(reader, &record->host_bytes);
    record->command = (const char *)byte_reader_get_blob(reader, &record->command_bytes);
    record->out_bytes = byte_reader_get_u32(reader);
    record->err_bytes = byte_reader_get_u32(reader);
    record->out = byte_reader_get(reader, record->out_bytes);
    record->err = byte_reader_get(reader, record->err_bytes);
    return !reader->failed && version == RECORD_VERSION;
}
