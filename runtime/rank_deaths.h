/* rank_deaths.h - which ranks have ended: the launcher hears it from their witnesses
 * (rank_witness.h) and tells the master, by a file in the run directory.
 *
 * The master sees by itself only what ends beside it, and would wait long for the others. */
#ifndef SHEAF_RANK_DEATHS_H
#define SHEAF_RANK_DEATHS_H

#include "../scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

/* All zero is valid and empty. */
struct rank_deaths {
    uint32_t *ranks; /* owned */
    size_t count;
    size_t capacity;
};

/* Whatever an earlier launcher has left. */
void rank_deaths_forget(const char *dir);
/* Adds the rank, unless it is known, and writes DIR/ended-ranks. */
int rank_deaths_tell(struct rank_deaths *deaths, const char *dir, uint32_t rank,
                     struct sheaf_error *error);
void rank_deaths_close(struct rank_deaths *deaths);

/* The master's side: calls `ended` for each rank in the file, each time. */
void rank_deaths_read(const char *dir, void (*ended)(void *context, uint32_t rank), void *context);

#endif
