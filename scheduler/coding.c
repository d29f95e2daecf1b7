/* coding.c - how what facts and messages have in common is written as bytes and read strictly. */
#include "coding.h"

void coding_put_range(struct byte_writer *writer, struct range range)
{
    byte_writer_put_u64(writer, range.first);
    byte_writer_put_u64(writer, range.count);
}

struct range coding_get_range(struct byte_reader *reader)
{
    struct range range;
    range.first = byte_reader_get_u64(reader);
    range.count = byte_reader_get_u64(reader);
    if (range.count > SHEAF_TASKS_MAX || range.first > SHEAF_TASKS_MAX - range.count)
        reader->failed = true;
    return range;
}

enum work coding_get_work(struct byte_reader *reader)
{
    uint8_t value = byte_reader_get_u8(reader);
    if (value < WORK_SPLIT || value > WORK_FINISH)
        reader->failed = true;
    return (enum work)value;
}

enum cause coding_get_cause(struct byte_reader *reader)
{
    uint8_t value = byte_reader_get_u8(reader);
    if (value >= CAUSE_COUNT)
        reader->failed = true;
    return (enum cause)value;
}
