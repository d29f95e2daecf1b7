/* list_directives.c - obeys #DISBATCH PREFIX, SUFFIX, REPEAT and BARRIER. */
#include "list_directives.h"

#include "../scheduler/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So that an index never overflows. */
enum { NUMBER_DIGITS_MAX = 15 };

static const char marker[] = "#DISBATCH";

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

/* The text behind a word and one blank, in whatever case; NULL when another word is there. */
static const char *skip_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    if (strncasecmp(text, word, length) != 0 || (text[length] != '\0' && !is_blank(text[length])))
        return NULL;
    return text + length + (text[length] != '\0');
}

/* The text behind blanks, the word and a number; as it was when they are not there. */
static const char *skip_number(const char *text, const char *word, uint64_t *number)
{
    const char *at = skip_word(text + strspn(text, " \t"), word);
    if (at == NULL)
        return text;
    at += strspn(at, " \t");
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || digits > NUMBER_DIGITS_MAX || (at[digits] != '\0' && !is_blank(at[digits])))
        return text;
    *number = strtoull(at, NULL, 10);
    return at + digits;
}

static void replace(char **text, const char *value)
{
    free(*text);
    *text = memory_copy_string(value);
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static bool is_empty(const char *text)
{
    return text == NULL || text[strspn(text, " \t")] == '\0';
}

static int begin_repeat(struct list_directives *directives, const char *text,
                        struct sheaf_error *error)
{
    uint64_t count = 0;
    uint64_t start = 0;
    uint64_t step = 1;
    const char *rest = skip_number(text, "REPEAT", &count);
    if (rest == text)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "REPEAT must be followed by a number (as in #DISBATCH REPEAT 5 "
                               "start 100 step 50 COMMAND), found \"%.100s\"",
                               text);
    rest = skip_number(rest, "start", &start);
    rest = skip_number(rest, "step", &step);
    rest += rest[0] != '\0';
    if (is_empty(rest) && is_empty(directives->prefix) && is_empty(directives->suffix))
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "REPEAT has no command, and there is no PREFIX or SUFFIX to make "
                               "one of");
    replace(&directives->repeated, rest);
    directives->repeats_left = count;
    directives->repeat_index = start;
    directives->repeat_step = step;
    return 0;
}

static int begin_barrier(const char *rest, enum directive *directive, struct sheaf_error *error)
{
    const char *key = skip_word(rest, "CHECK");
    *directive = key != NULL ? DIRECTIVE_CHECK : DIRECTIVE_BARRIER;
    key = key != NULL ? key : rest;
    if (is_empty(key))
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                           "a BARRIER with a key (\"%.100s\") cannot be obeyed: there is no server "
                           "of keys; take it out",
                           key);
}

int list_directives_read(struct list_directives *directives, char *line, enum directive *directive,
                         struct sheaf_error *error)
{
    *directive = DIRECTIVE_NONE;
    const char *text = strncmp(line, marker, strlen(marker)) == 0 ? skip_word(line, marker) : NULL;
    if (text == NULL)
        return 0;
    line[strcspn(line, "\r\n")] = '\0';
    *directive = DIRECTIVE_TAKEN;
    text += strspn(text, " \t");
    const char *rest;
    if ((rest = skip_word(text, "PREFIX")) != NULL) {
        replace(&directives->prefix, rest);
        return 0;
    }
    if ((rest = skip_word(text, "SUFFIX")) != NULL) {
        replace(&directives->suffix, rest);
        return 0;
    }
    if (skip_word(text, "REPEAT") != NULL)
        return begin_repeat(directives, text, error);
    if ((rest = skip_word(text, "BARRIER")) != NULL)
        return begin_barrier(rest, directive, error);
    if (skip_word(text, "PERENGINE") != NULL)
        return sheaf_error_set(
            error, SHEAF_ERROR_INPUT,
            "PERENGINE cannot be obeyed: commands have no engine that starts and "
            "stops. Take it out, and let each command see to what it needs "
            "on its host");
    return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                           "\"%.100s\" is no directive for disBatch: PREFIX, SUFFIX, REPEAT, "
                           "BARRIER or BARRIER CHECK; a comment has a blank behind its #",
                           line);
}

static void put_text(struct byte_writer *writer, const char *text)
{
    byte_writer_put(writer, text, strlen(text));
}

/* For the command and all that it starts. */
static void put_number(struct byte_writer *writer, const char *name, uint64_t number)
{
    char text[120];
    snprintf(text, sizeof text, "export %s=%" PRIu64 " %s_ZP=%06" PRIu64 "; ", name, number, name,
             number);
    put_text(writer, text);
}

bool list_directives_repeat(struct list_directives *directives, struct byte_reader *command)
{
    struct byte_writer *text = &directives->text;
    if (directives->repeats_left == 0)
        return false;
    byte_writer_clear(text);
    put_number(text, "DISBATCH_REPEAT_INDEX", directives->repeat_index);
    put_text(text, or_empty(directives->prefix));
    put_text(text, directives->repeated);
    put_text(text, or_empty(directives->suffix));
    directives->repeats_left--;
    directives->repeat_index += directives->repeat_step;
    *command = byte_reader_of(text->data, text->size);
    return true;
}

static bool mentions(const void *data, size_t size, const char *word)
{
    return size > 0 && memmem(data, size, word, strlen(word)) != NULL;
}

struct byte_reader list_directives_apply(struct list_directives *directives,
                                         struct byte_reader line, uint64_t line_number)
{
    static const char stream_index[] = "DISBATCH_STREAM_INDEX";
    const char *prefix = or_empty(directives->prefix);
    const char *suffix = or_empty(directives->suffix);
    bool is_numbered = mentions(line.data, line.size, stream_index) ||
                       mentions(prefix, strlen(prefix), stream_index) ||
                       mentions(suffix, strlen(suffix), stream_index);
    if (!is_numbered && prefix[0] == '\0' && suffix[0] == '\0')
        return line;
    struct byte_writer *text = &directives->text;
    byte_writer_clear(text);
    if (is_numbered)
        put_number(text, stream_index, line_number);
    put_text(text, prefix);
    byte_writer_put(text, line.data, line.size);
    put_text(text, suffix);
    return byte_reader_of(text->data, text->size);
}

void list_directives_close(struct list_directives *directives)
{
    free(directives->prefix);
    free(directives->suffix);
    free(directives->repeated);
    byte_writer_close(&directives->text);
    *directives = (struct list_directives){0};
}
