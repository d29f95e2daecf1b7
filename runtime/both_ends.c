/* both_ends.c - takes the first and the last lines of a text. */
#include "both_ends.h"

#include <string.h>

size_t both_ends_trim(const char *text, size_t size)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\0'))
        size--;
    return size;
}

size_t both_ends_first(const char *text, size_t size, int lines)
{
    size_t end = 0;
    while (end < size && lines > 0)
        lines -= text[end++] == '\n';
    return end;
}

size_t both_ends_last(const char *text, size_t size, int lines)
{
    size_t first = size;
    while (first > 0 && (text[first - 1] != '\n' || --lines > 0))
        first--;
    return first;
}

/* Where the last lines behind `from` begin; one that does not fit into `room` is left out, unless
 * there is no other. */
static size_t find_tail(const char *bytes, size_t size, size_t from, size_t room)
{
    size_t start = size - from > room ? size - room : from;
    size_t tail = start + both_ends_last(bytes + start, size - start, BOTH_ENDS_LINES_MAX / 2);
    const char *cut =
        tail == start && start > from ? memchr(bytes + tail, '\n', size - tail) : NULL;
    return cut != NULL ? (size_t)(cut - bytes) + 1 : tail;
}

size_t both_ends(const char *bytes, size_t size, char *text, size_t text_size)
{
    size = both_ends_trim(bytes, size);
    if (size <= text_size && both_ends_first(bytes, size, BOTH_ENDS_LINES_MAX) == size) {
        if (size > 0)
            memcpy(text, bytes, size);
        return size;
    }
    size_t half = (text_size - strlen(BOTH_ENDS_GAP)) / 2;
    size_t head = both_ends_first(bytes, size < half ? size : half, BOTH_ENDS_LINES_MAX / 2);
    head = both_ends_trim(bytes, head);
    size_t tail = find_tail(bytes, size, head, half);
    memcpy(text, bytes, head);
    memcpy(text + head, BOTH_ENDS_GAP, strlen(BOTH_ENDS_GAP));
    memcpy(text + head + strlen(BOTH_ENDS_GAP), bytes + tail, size - tail);
    return head + strlen(BOTH_ENDS_GAP) + size - tail;
}
