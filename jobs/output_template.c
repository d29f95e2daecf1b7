/* output_template.c - fills the values of a task into the path of an output file. */
#include "output_template.h"

#include "command_braces.h"
#include "command_replacement.h"

#include <string.h>

/* A parameter that is no axis is the same for all, and slots are used again. */
bool output_template_is_varied(const char *text, const struct command_names *names)
{
    bool is_varied = false;
    for (; *text != '\0'; text++) {
        struct found_replacement found = replacement_find(text, names);
        is_varied |= found.kind != REPLACEMENT_NONE && found.kind != REPLACEMENT_SLOT_NUMBER &&
                     (found.kind != REPLACEMENT_NAMED || found.name < names->axis_count);
    }
    return is_varied;
}

int output_template_check(const char *text, const struct command_template_options *options,
                          struct sheaf_error *error)
{
    int code = command_braces_check(text, options, error);
    if (code != 0)
        return code;
    for (const char *at = text; *at != '\0'; at++) {
        struct found_replacement found = replacement_find(at, &options->names);
        if (options->has_no_input && replacement_is_of_input(found.kind))
            return sheaf_error_set(error, SHEAF_ERROR_JOB,
                                   "the output file \"%.200s\" has %.*s, and the input of the "
                                   "command has no name: it is on standard input; use {#}",
                                   text, (int)found.size_bytes, at);
    }
    return 0;
}

int output_template_fill(const char *text, const struct command_template_options *options,
                         const struct command_values *values, struct byte_writer *path,
                         struct sheaf_error *error)
{
    size_t start = path->size;
    while (*text != '\0') {
        struct found_replacement found = replacement_find(text, &options->names);
        if (found.kind == REPLACEMENT_NONE) {
            byte_writer_put_u8(path, (uint8_t)*text++);
            continue;
        }
        replacement_put(found, values, path);
        text += found.size_bytes;
    }
    if (path->size > start && memchr(path->data + start, '\0', path->size - start) != NULL)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "a value holds a NUL byte, which no file name can");
    byte_writer_put_u8(path, '\0');
    return 0;
}
