/* control_reader.c - separates control lines from the text of all ranks. */
#include "control.h"

#include "../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

/* Two lines grow at the same time: a control line may arrive in the middle of a line of text. */
struct control_reader {
    struct control_events events;
    bool is_in_control_line;
    size_t control_size;
    size_t text_size;
    char control[CONTROL_LINE_BYTES_MAX];
    char text[CONTROL_LINE_BYTES_MAX];
};

struct control_reader *control_reader_create(const struct control_events *events)
{
    struct control_reader *reader = memory_allocate_zeroed(1, sizeof *reader);
    reader->events = *events;
    return reader;
}

void control_reader_destroy(struct control_reader *reader)
{
    free(reader);
}

static void give_text(struct control_reader *reader)
{
    reader->events.text(reader->events.context, reader->text, reader->text_size);
    reader->text_size = 0;
}

/* A torn line has lost its meaning; its bytes are of no use to people either. */
static void give_control_line(struct control_reader *reader)
{
    struct control_line line;
    if (control_decode(reader->control, reader->control_size, &line, NULL) == 0)
        reader->events.line(reader->events.context, &line);
    reader->control_size = 0;
    reader->is_in_control_line = false;
}

static void take_control_byte(struct control_reader *reader, char byte)
{
    if (byte == '\n') {
        give_control_line(reader);
    } else if (reader->control_size == sizeof reader->control) {
        reader->control_size = 0;
        reader->is_in_control_line = false;
    } else {
        reader->control[reader->control_size++] = byte;
    }
}

static void take_text_byte(struct control_reader *reader, char byte)
{
    if (byte == '\n') {
        give_text(reader);
        return;
    }
    if (reader->text_size == sizeof reader->text)
        give_text(reader);
    reader->text[reader->text_size++] = byte;
}

void control_reader_feed(struct control_reader *reader, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == CONTROL_LINE_BEGIN) {
            reader->is_in_control_line = true;
            reader->control_size = 0;
        }
        if (reader->is_in_control_line)
            take_control_byte(reader, data[i]);
        else
            take_text_byte(reader, data[i]);
    }
}

void control_reader_flush(struct control_reader *reader)
{
    reader->is_in_control_line = false;
    reader->control_size = 0;
    if (reader->text_size > 0)
        give_text(reader);
}
