/* command_line.c - puts a command into words that can be typed into a shell. */
#include "command_line.h"

#include "../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

static const char plain_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";

/* Appends at `end`, which has room for 4 bytes a character and 2 more. Returns the new end. */
static char *append_quoted(char *end, const char *word)
{
    if (word[0] != '\0' && word[strspn(word, plain_characters)] == '\0')
        return stpcpy(end, word);
    *end++ = '\'';
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            end = stpcpy(end, "'\\''");
        else
            *end++ = *word;
    }
    *end++ = '\'';
    *end = '\0';
    return end;
}

/* getopt_long takes abbreviations that are no other option's, from `shortest` on. */
static bool is_option(const char *word, const char *name, const char *shortest)
{
    size_t length = strcspn(word, "=");
    return length >= strlen(shortest) && length <= strlen(name) && strncmp(word, name, length) == 0;
}

/* Drops an option and its argument. */
static int drop_with_argument(char **words, int word_count, const char *name, const char *shortest)
{
    int count = 0;
    for (int i = 0; i < word_count; i++) {
        if (!is_option(words[i], name, shortest))
            words[count++] = words[i];
        else if (strchr(words[i], '=') == NULL)
            i++;
    }
    return count;
}

int command_line_drop_beginning(char **words, int word_count)
{
    int count = 0;
    for (int i = 0; i < word_count; i++)
        if (!is_option(words[i], "--fresh", "--fr") &&
            !is_option(words[i], "--retry-failed", "--ret"))
            words[count++] = words[i];
    return drop_with_argument(words, count, "--rerun-stage", "--rer");
}

int command_line_drop_only(char **words, int word_count)
{
    return drop_with_argument(words, word_count, "--only", "--on");
}

char *command_line_format(char *const *words, int word_count)
{
    size_t size_bytes = 1;
    for (int i = 0; i < word_count; i++)
        size_bytes += 4 * strlen(words[i]) + 4;
    char *line = memory_allocate(size_bytes);
    char *end = line;
    *end = '\0';
    for (int i = 0; i < word_count; i++) {
        if (i > 0)
            *end++ = ' ';
        end = append_quoted(end, words[i]);
    }
    return line;
}

char *command_line_to_continue(char *const *arguments, int argument_count, bool is_for_all)
{
    char **words = memory_allocate_zeroed((size_t)argument_count + 2, sizeof *words);
    int count = 0;
    words[count++] = memory_copy_string("sheaf");
    words[count++] = memory_copy_string("run");
    if (argument_count > 0)
        memcpy(words + count, arguments, (size_t)argument_count * sizeof *words);
    count += command_line_drop_beginning(words + 2, argument_count);
    if (is_for_all)
        count = 2 + command_line_drop_only(words + 2, count - 2);
    char *line = command_line_format(words, count);
    free(words[0]);
    free(words[1]);
    free(words);
    return line;
}

char *command_line_to_continue_run(const char *dir)
{
    char *words[] = {memory_copy_string("sheaf"), memory_copy_string("run"),
                     memory_copy_string(dir)};
    enum { WORDS = sizeof words / sizeof *words };
    char *line = command_line_format(words, WORDS);
    for (int i = 0; i < WORDS; i++)
        free(words[i]);
    return line;
}
