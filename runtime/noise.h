/* noise.h - leaves out what Open MPI is known to say after a loss that the run survives.
 *
 * Single lines, and help texts that stand between two lines of dashes. Everything else passes, in
 * order. The full text is in the log of the run. */
#ifndef SHEAF_NOISE_H
#define SHEAF_NOISE_H

#include <stdbool.h>
#include <stddef.h>

struct noise_filter;

/* What passes is given to `pass`, a line at a time. */
struct noise_filter *noise_filter_create(void (*pass)(void *context, const char *line, size_t size),
                                         void *context);
void noise_filter_destroy(struct noise_filter *filter);
void noise_filter_feed(struct noise_filter *filter, const char *line, size_t size);
/* Passes what is still held because its end has not come. */
void noise_filter_flush(struct noise_filter *filter);

/* Whether the line says that mpirun has lost a host, for which it ends the whole run. */
bool noise_tells_of_lost_host(const char *line, size_t size);

#endif
