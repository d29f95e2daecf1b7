/* command_replacement.c - finds replacement strings, and cuts paths as GNU parallel does. */
#include "command_replacement.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    enum replacement kind;
} fixed_strings[] = {
    {"{}", REPLACEMENT_INPUT},        {"{.}", REPLACEMENT_STEM_PATH},
    {"{/}", REPLACEMENT_BASE},        {"{//}", REPLACEMENT_DIRECTORY},
    {"{/.}", REPLACEMENT_STEM},       {"{#}", REPLACEMENT_TASK_NUMBER},
    {"{%}", REPLACEMENT_SLOT_NUMBER},
};

enum { FIXED_STRINGS = sizeof fixed_strings / sizeof *fixed_strings };

/* The number of a name of `length` bytes, or names->count. */
static size_t find_name(const char *text, size_t length, const struct command_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (strlen(names->names[i]) == length && memcmp(names->names[i], text, length) == 0)
            return i;
    size_t number = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || number > COMMAND_NAMES_MAX)
            return names->count;
        number = 10 * number + (size_t)(text[i] - '0');
    }
    return number >= 1 && number <= names->axis_count ? number - 1 : names->count;
}

struct found_replacement replacement_find(const char *text, const struct command_names *names)
{
    struct found_replacement found = {.kind = REPLACEMENT_NONE};
    if (text[0] != '{')
        return found;
    for (size_t i = 0; i < FIXED_STRINGS; i++) {
        size_t size = strlen(fixed_strings[i].text);
        if (strncmp(text, fixed_strings[i].text, size) == 0)
            return (struct found_replacement){.kind = fixed_strings[i].kind, .size_bytes = size};
    }
    size_t length = strcspn(text + 1, "{} \t\n'\"");
    if (length == 0 || text[1 + length] != '}')
        return found;
    size_t name = find_name(text + 1, length, names);
    if (name < names->count)
        found = (struct found_replacement){
            .kind = REPLACEMENT_NAMED, .name = name, .size_bytes = length + 2};
    return found;
}

bool replacement_is_of_input(enum replacement kind)
{
    return kind >= REPLACEMENT_INPUT && kind <= REPLACEMENT_STEM;
}

static struct command_value base_of(struct command_value path)
{
    const unsigned char *slash = path.size > 0 ? memrchr(path.data, '/', path.size) : NULL;
    if (slash == NULL)
        return path;
    const unsigned char *end = (const unsigned char *)path.data + path.size;
    return (struct command_value){slash + 1, (size_t)(end - slash - 1)};
}

/* Without ".ENDING", which holds no slash. */
static struct command_value stem_of(struct command_value path)
{
    struct command_value base = base_of(path);
    const unsigned char *dot = base.size > 0 ? memrchr(base.data, '.', base.size) : NULL;
    if (dot == NULL)
        return path;
    return (struct command_value){path.data, (size_t)(dot - (const unsigned char *)path.data)};
}

/* "." for a name without a directory; slashes at the end count to nothing, as for dirname(1). */
static struct command_value directory_of(struct command_value path)
{
    const unsigned char *bytes = path.data;
    size_t size = path.size;
    while (size > 1 && bytes[size - 1] == '/')
        size--;
    while (size > 0 && bytes[size - 1] != '/')
        size--;
    while (size > 1 && bytes[size - 1] == '/')
        size--;
    return size > 0 ? (struct command_value){bytes, size} : (struct command_value){".", 1};
}

void replacement_put(struct found_replacement found, const struct command_values *values,
                     struct byte_writer *writer)
{
    char number[24];
    struct command_value value = values->input;
    switch (found.kind) {
    case REPLACEMENT_NONE:
    case REPLACEMENT_INPUT:
        break;
    case REPLACEMENT_STEM_PATH:
        value = stem_of(value);
        break;
    case REPLACEMENT_BASE:
        value = base_of(value);
        break;
    case REPLACEMENT_DIRECTORY:
        value = directory_of(value);
        break;
    case REPLACEMENT_STEM:
        value = stem_of(base_of(value));
        break;
    case REPLACEMENT_TASK_NUMBER:
    case REPLACEMENT_SLOT_NUMBER:
        value.data = number;
        value.size = (size_t)snprintf(number, sizeof number, "%" PRIu64,
                                      found.kind == REPLACEMENT_TASK_NUMBER ? values->task_number
                                                                            : values->slot_number);
        break;
    case REPLACEMENT_NAMED:
        value = values->named[found.name];
        break;
    }
    if (value.size > 0)
        byte_writer_put(writer, value.data, value.size);
}
