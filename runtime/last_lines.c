/* last_lines.c - the last lines with words in them of what a program wrote. */
#include "last_lines.h"

#include "../scheduler/check.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { ESCAPE = 0x1b };

static const char separator[] = " | ";
static const char cut_mark[] = "...";

struct line {
    const unsigned char *bytes;
    size_t size;
};

static bool ends_line(unsigned char byte)
{
    return byte == '\n' || byte == '\r'; /* the latter is what shows progress */
}

/* The line that ends before `end`; moves it to where the line before ends. False at the front. */
static bool take_line(const unsigned char *bytes, size_t *end, struct line *line)
{
    size_t last = *end;
    while (last > 0 && ends_line(bytes[last - 1]))
        last--;
    if (last == 0)
        return false;
    size_t first = last;
    while (first > 0 && !ends_line(bytes[first - 1]))
        first--;
    *line = (struct line){bytes + first, last - first};
    *end = first;
    return true;
}

/* "ESC [ 0 1 m" and its like colour a line; its letter is none of the line's. */
static size_t skip_escape(const struct line *line, size_t at)
{
    if (line->bytes[at] != ESCAPE || at + 1 >= line->size)
        return at;
    if (line->bytes[at + 1] != '[')
        return at + 2;
    for (at += 2; at < line->size && (line->bytes[at] < 0x40 || line->bytes[at] > 0x7e);)
        at++;
    return at < line->size ? at + 1 : at;
}

/* Copies what is visible, blanks at its ends left out; more than fits is counted only. */
static size_t copy_line(const struct line *line, char *text, size_t room)
{
    size_t length = 0;
    size_t visible = 0;
    for (size_t at = 0; at < line->size;) {
        size_t next = skip_escape(line, at);
        if (next > at) {
            at = next;
            continue;
        }
        unsigned char byte = line->bytes[at++];
        bool is_blank = byte <= ' ' || byte == 0x7f;
        if (is_blank && length == 0)
            continue;
        if (length < room)
            text[length] = is_blank ? ' ' : (char)byte;
        length++;
        visible = is_blank ? visible : length;
    }
    return visible;
}

static bool has_letter(const struct line *line)
{
    for (size_t at = 0; at < line->size; at++) {
        size_t next = skip_escape(line, at);
        if (next > at)
            at = next - 1;
        else if (isalpha(line->bytes[at]) || line->bytes[at] >= 0x80)
            return true;
    }
    return false;
}

/* Not within a character of UTF-8. */
static size_t cut(char *text, size_t room)
{
    size_t length = room - strlen(cut_mark);
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    memcpy(text + length, cut_mark, sizeof cut_mark);
    return length + strlen(cut_mark);
}

static size_t last_line_of_all(const unsigned char *bytes, size_t size, char *text, size_t room)
{
    struct line line;
    size_t length = 0;
    while (length == 0 && take_line(bytes, &size, &line))
        length = copy_line(&line, text, room);
    return length > room ? cut(text, room) : length;
}

size_t last_lines(const void *bytes, size_t size, char *text, size_t text_size)
{
    CHECK(text_size > sizeof cut_mark);
    size_t room = text_size - 1;
    size_t length = 0;
    size_t end = size;
    struct line line;
    for (int count = 0; count < LAST_LINES_MAX && take_line(bytes, &end, &line);) {
        if (!has_letter(&line))
            continue;
        size_t wanted = copy_line(&line, NULL, 0);
        size_t gap = count > 0 ? strlen(separator) : 0;
        if (count > 0 && length + gap + wanted > room)
            break;
        if (count == 0 && wanted > room) {
            copy_line(&line, text, room);
            length = cut(text, room);
            break;
        }
        memmove(text + wanted + gap, text, length);
        copy_line(&line, text, wanted);
        memcpy(text + wanted, separator, gap);
        length += wanted + gap;
        count++;
    }
    if (length == 0)
        length = last_line_of_all(bytes, size, text, room);
    text[length] = '\0';
    return length;
}
