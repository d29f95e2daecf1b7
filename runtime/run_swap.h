/* run_swap.h - puts another journal in the place of a run's, with all that belongs to it, or none.
 *
 * What is to come is made in the folder `next.partial`. One rename makes it `next`, and from then
 * on the run is the new one: whoever takes the lock first moves its parts to their places. A crash
 * leaves the old run, or the new one. */
#ifndef SHEAF_RUN_SWAP_H
#define SHEAF_RUN_SWAP_H

#include "../scheduler/error.h"

/* Makes DIR/next.partial, empty, and gives its path, which the caller owns. */
int run_swap_begin(const char *dir, char **folder, struct sheaf_error *error);
/* All in DIR/next.partial is durable: makes it the run. */
int run_swap_commit(const char *dir, struct sheaf_error *error);
/* Forgets what was made since run_swap_begin, if anything; without a word, as the next swap does so
 * as well. */
void run_swap_abandon(const char *dir);
/* Ends a swap that was committed and cut short; forgets one that was not. To be called with the
 * lock held, before anything in `dir` is read. */
int run_swap_complete(const char *dir, struct sheaf_error *error);

/* Deletes DIR/NAME, whatever it is; fine when it is not there. */
int run_swap_remove(const char *dir, const char *name, struct sheaf_error *error);

#endif
