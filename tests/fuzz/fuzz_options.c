/* fuzz_options.c - any words are a command line, or refused with a reason; each line is a word. */
#include "../../runtime/options.h"
#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = memory_allocate(size + 1);
    char *words[WORDS_MAX + 2] = {(char *)(uintptr_t) "run"};
    int count = 1;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text;
    for (char *word; count <= WORDS_MAX && (word = strsep(&rest, "\n")) != NULL;)
        words[count++] = word;
    struct run_options options;
    struct sheaf_error error = {0};
    int code = options_parse(count, words, &options, &error);
    CHECK(code <= 0 && (code == 0 || error.text[0] != '\0'));
    if (code == 0)
        options_close(&options);
    free(text);
    return 0;
}
