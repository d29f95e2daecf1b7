/* repetition.h - of many messages that say the same the first few are told, the rest counted. */
#ifndef SHEAF_REPETITION_H
#define SHEAF_REPETITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REPETITION_TOLD_MAX = 3,   /* of a kind */
    REPETITION_KINDS_MAX = 16, /* what is of none of them is counted together */
    REPETITION_TEXT_BYTES = 400,
};

/* Messages of one kind: they differ in numbers alone. */
struct repeated {
    char text[REPETITION_TEXT_BYTES]; /* of the first, or its beginning; empty: of no kind */
    int level;
    uint64_t key;
    uint64_t told;
    uint64_t untold;
};

/* All zero is valid and empty. */
struct repetition {
    struct repeated kinds[REPETITION_KINDS_MAX + 1]; /* the last one for all others */
    size_t count;
    uint64_t told;
    uint64_t told_max; /* of all kinds together */
};

/* Counts a message. False when it is not to be told; *is_last when it is the last told of its
 * kind. */
bool repetition_add(struct repetition *repetition, int level, const char *text, bool *is_last);

#endif
