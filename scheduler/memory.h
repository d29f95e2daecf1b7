/* memory.h - heap allocation that never fails silently: out of memory ends the process with a text.
 *
 * State changes must not fail half way, so the code that makes them cannot be handed NULL. What the
 * process loses by ending is the work in flight; the journal has the rest. */
#ifndef SHEAF_MEMORY_H
#define SHEAF_MEMORY_H

#include <stddef.h>

/* Each returns memory the caller owns and gives to free(); never NULL, not even for size 0. */
void *memory_allocate(size_t size_bytes);
void *memory_allocate_zeroed(size_t count, size_t size_bytes);
void *memory_resize(void *memory, size_t size_bytes);
void *memory_copy(const void *data, size_t size_bytes);
char *memory_copy_string(const char *string);

/* Grows the array at *array (capacity *capacity, elements of element_bytes) by doubling until it
 * holds at least `needed` elements. */
void memory_grow(void **array, size_t *capacity, size_t needed, size_t element_bytes);

#endif
