/* memory.c - heap allocation that ends the process when memory is out. */
#include "memory.h"

#include "check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory, size_t size_bytes)
{
    if (memory == NULL) {
        fprintf(
            stderr,
            "sheaf: out of memory (asked for %zu bytes). What the journal holds is safe: repeat "
            "the command on a node with more memory, or with fewer slots.\n",
            size_bytes);
        abort();
    }
    return memory;
}

void *memory_allocate(size_t size_bytes)
{
    return checked(malloc(size_bytes > 0 ? size_bytes : 1), size_bytes);
}

void *memory_allocate_zeroed(size_t count, size_t size_bytes)
{
    CHECK(size_bytes == 0 || count <= SIZE_MAX / size_bytes);
    size_t total = count * size_bytes;
    return checked(calloc(1, total > 0 ? total : 1), total);
}

void *memory_resize(void *memory, size_t size_bytes)
{
    return checked(realloc(memory, size_bytes > 0 ? size_bytes : 1), size_bytes);
}

void *memory_copy(const void *data, size_t size_bytes)
{
    void *copy = memory_allocate(size_bytes);
    if (size_bytes > 0)
        memcpy(copy, data, size_bytes);
    return copy;
}

char *memory_copy_string(const char *string)
{
    return memory_copy(string, strlen(string) + 1);
}

void memory_grow(void **array, size_t *capacity, size_t needed, size_t element_bytes)
{
    if (needed <= *capacity)
        return;
    size_t grown = *capacity > 0 ? *capacity : 8;
    while (grown < needed) {
        CHECK(grown <= SIZE_MAX / 2 / element_bytes);
        grown *= 2;
    }
    *array = memory_resize(*array, grown * element_bytes);
    *capacity = grown;
}
