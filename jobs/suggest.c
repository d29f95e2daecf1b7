/* suggest.c - finds the nearest word by edit distance. */
#include "suggest.h"

#include <ctype.h>
#include <string.h>

enum { WORD_BYTES_MAX = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment distance: insert, delete, replace, or swap two neighbours. Case does not
 * count. Both words have at most WORD_BYTES_MAX letters. (Boytsov, Indexing methods for approximate
 * dictionary searching, 2011, section 2.) */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_BYTES_MAX + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];
    size_t length = strlen(b);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            int x = tolower((unsigned char)a[i - 1]);
            int y = tolower((unsigned char)b[j - 1]);
            row[j] = smaller(smaller(row[j - 1], last[j]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]))
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
    }
    return row[length];
}

const char *suggest_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    if (length > WORD_BYTES_MAX)
        return NULL;
    size_t distance_max = length / 3 + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(candidates[i]) > WORD_BYTES_MAX)
            continue;
        size_t distance = edit_distance(word, candidates[i]);
        if (distance <= distance_max && distance < strlen(candidates[i])) {
            nearest = candidates[i];
            distance_max = distance - (distance > 0);
            if (distance == 0)
                break;
        }
    }
    return nearest;
}
