/* fuzz_control.c - any bytes on mpirun's standard error are control lines or text, in whatever
 * pieces they come; what is decoded is encoded again alike.
 *
 * The first byte says how long the pieces are, and, with its highest bit, that each line is the
 * body of a control line: head and checksum are put before it, so that mutations reach what is
 * behind them. */
#include "../../runtime/control.h"
#include "../../scheduler/bytes.h"
#include "../../scheduler/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { ARE_BODIES = 0x80 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t line_count;
    size_t text_bytes;
};

static void on_line(void *context, const struct control_line *line)
{
    struct seen *seen = context;
    char first[CONTROL_LINE_BYTES_MAX];
    char second[CONTROL_LINE_BYTES_MAX];
    struct control_line again;
    size_t size = control_encode(line, first);
    CHECK(size > 0 && first[size - 1] == '\n');
    CHECK(control_decode(first, size - 1, &again, NULL) == 0);
    CHECK(control_encode(&again, second) == size && memcmp(first, second, size) == 0);
    seen->line_count++;
}

static void on_text(void *context, const char *text, size_t size)
{
    struct seen *seen = context;
    CHECK(memchr(text, '\n', size) == NULL);
    seen->text_bytes += size;
}

static struct seen read_in_pieces(const char *data, size_t size, size_t piece)
{
    struct seen seen = {0};
    const struct control_events events = {.line = on_line, .text = on_text, .context = &seen};
    struct control_reader *reader = control_reader_create(&events);
    for (size_t at = 0; at < size; at += piece)
        control_reader_feed(reader, data + at, size - at < piece ? size - at : piece);
    control_reader_flush(reader);
    control_reader_destroy(reader);
    return seen;
}

static void put_heads(const char *text, size_t size, struct byte_writer *lines)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t length = end != NULL ? (size_t)(end - text) : size;
        char head[32];
        snprintf(head, sizeof head, "\x1esheaf1 %08" PRIx32 " ",
                 (uint32_t)crc32(0, (const unsigned char *)text, (uInt)length));
        byte_writer_put(lines, head, strlen(head));
        byte_writer_put(lines, text, length);
        byte_writer_put_u8(lines, '\n');
        size -= end != NULL ? length + 1 : length;
        text += length + 1;
    }
}

/* The head above is the one that is read. */
int LLVMFuzzerInitialize(int *argument_count, char ***arguments);

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    struct byte_writer line = {0};
    struct control_line decoded;
    put_heads("message 1 x", strlen("message 1 x"), &line);
    CHECK(control_decode((const char *)line.data, line.size - 1, &decoded, NULL) == 0);
    byte_writer_close(&line);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct byte_writer lines = {0};
    if ((data[0] & ARE_BODIES) != 0)
        put_heads((const char *)data + 1, size - 1, &lines);
    else
        byte_writer_put(&lines, data + 1, size - 1);
    const char *text = (const char *)lines.data;
    struct seen whole = read_in_pieces(text, lines.size, lines.size);
    struct seen pieces = read_in_pieces(text, lines.size, data[0] % 16 + 1u);
    CHECK(whole.line_count == pieces.line_count && whole.text_bytes == pieces.text_bytes);
    byte_writer_close(&lines);
    return 0;
}
