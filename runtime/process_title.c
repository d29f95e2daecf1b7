/* process_title.c - writes another title over the words of the command line. */
#include "process_title.h"

#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>

static char *words; /* one after the other, each ended by NUL */
static size_t words_size;

void process_title_keep(int argc, char **argv)
{
    if (argc < 1)
        return;
    words = argv[0];
    words_size = 0;
    for (int i = 0; i < argc && argv[i] == words + words_size; i++)
        words_size += strlen(argv[i]) + 1;
}

void process_title_set(const char *title)
{
    prctl(PR_SET_NAME, title);
    if (words == NULL)
        return;
    size_t length = strlen(title);
    memset(words, 0, words_size);
    memcpy(words, title, length < words_size ? length : words_size - 1);
}
