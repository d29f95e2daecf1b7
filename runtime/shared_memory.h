/* shared_memory.h - memory that two processes see, and neither can take from the other. */
#ifndef SHEAF_SHARED_MEMORY_H
#define SHEAF_SHARED_MEMORY_H

#include <stddef.h>

/* Zeroed memory of that size, which nobody can make smaller or larger: who shrinks a file that is
 * mapped elsewhere kills whoever touches it there. `name` is what /proc shows. *memory is mapped,
 * for munmap. Returns its descriptor, closed on exec and owned by the caller; -1 with errno set. */
int shared_memory_create(const char *name, size_t size, void **memory);

#endif
