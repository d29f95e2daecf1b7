/* suggest.h - the word that was probably meant, for messages about unknown names. */
#ifndef SHEAF_SUGGEST_H
#define SHEAF_SUGGEST_H

#include <stddef.h>

/* The candidate nearest to `word`, if no more than about a third of its letters are wrong; NULL
 * otherwise. Borrows from `candidates`. */
const char *suggest_nearest(const char *word, const char *const *candidates, size_t count);

#endif
