/* printable.c - what others wrote, made harmless to a terminal and still readable. */
#include "printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character of UTF-8 that `bytes` starts with, and its number; 0 when it is none. */
static size_t decode(const unsigned char *bytes, size_t size, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = bytes[0];
    size_t count = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (count == 0 || first > 0xF4 || count > size)
        return 0;
    uint32_t number = count == 1 ? first : first & (0x7Fu >> count);
    for (size_t i = 1; i < count; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        number = number << 6 | (bytes[i] & 0x3Fu);
    }
    *character = number;
    bool is_surrogate = number >= 0xD800 && number <= 0xDFFF;
    return number >= least[count] && number <= 0x10FFFF && !is_surrogate ? count : 0;
}

/* Bytes that stay as they are; 0 when the first one must not. */
static size_t harmless(const unsigned char *bytes, size_t size)
{
    uint32_t character = 0;
    size_t count = decode(bytes, size, &character);
    bool is_control = character < 0x20 || (character >= 0x7F && character < 0xA0);
    return is_control ? 0 : count;
}

size_t printable_character(const char *bytes, size_t size, char text[PRINTABLE_BYTES],
                           size_t *taken)
{
    *taken = 1;
    if (bytes[0] == '\t') {
        text[0] = ' ';
        return 1;
    }
    size_t count = harmless((const unsigned char *)bytes, size);
    if (count == 0)
        return (size_t)snprintf(text, PRINTABLE_BYTES, "\\x%02X", (unsigned char)bytes[0]);
    memcpy(text, bytes, count);
    *taken = count;
    return count;
}

size_t printable(const char *bytes, size_t size, char *text, size_t text_size)
{
    size_t length = 0;
    char character[PRINTABLE_BYTES];
    for (size_t at = 0, taken; at < size; at += taken) {
        size_t count = printable_character(bytes + at, size - at, character, &taken);
        if (length + count + 1 > text_size)
            break;
        memcpy(text + length, character, count);
        length += count;
    }
    if (text_size > 0)
        text[length] = '\0';
    return length;
}
