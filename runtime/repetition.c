/* repetition.c - of many messages that say the same the first few are told, the rest counted. */
#include "repetition.h"

#include <ctype.h>
#include <stdio.h>

/* FNV-1a, of the text without its digits. Two kinds with one key would be counted as one. */
static uint64_t key_of(int level, const char *text)
{
    uint64_t key = UINT64_C(14695981039346656037) ^ (uint64_t)level;
    for (const char *at = text; *at != '\0'; at++)
        if (!isdigit((unsigned char)*at))
            key = (key ^ (unsigned char)*at) * UINT64_C(1099511628211);
    return key;
}

static struct repeated *find(struct repetition *repetition, int level, const char *text)
{
    uint64_t key = key_of(level, text);
    for (size_t i = 0; i < repetition->count; i++)
        if (repetition->kinds[i].key == key)
            return &repetition->kinds[i];
    if (repetition->count == REPETITION_KINDS_MAX)
        return &repetition->kinds[REPETITION_KINDS_MAX];
    struct repeated *kind = &repetition->kinds[repetition->count++];
    kind->key = key;
    kind->level = level;
    snprintf(kind->text, sizeof kind->text, "%s", text);
    return kind;
}

bool repetition_add(struct repetition *repetition, int level, const char *text, bool *is_last)
{
    struct repeated *kind = find(repetition, level, text);
    bool is_told = kind->text[0] != '\0' && kind->told < REPETITION_TOLD_MAX &&
                   repetition->told < repetition->told_max;
    if (!is_told) {
        kind->untold++;
        return false;
    }
    kind->told++;
    repetition->told++;
    *is_last = kind->told == REPETITION_TOLD_MAX;
    return true;
}
