/* id_map.h - finds things by their number in constant time: workers by rank, assignments by seq.
 *
 * Open addressing with linear probing and deletion by shifting back (Knuth, The Art of Computer
 * Programming, volume 3, 6.4, algorithm R). There is no order: whoever needs one keeps a list. */
#ifndef SHEAF_ID_MAP_H
#define SHEAF_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

struct id_map_entry {
    uint64_t id;
    void *value; /* borrowed; NULL where the entry is free */
};

/* All zero is a valid empty map. */
struct id_map {
    struct id_map_entry *entries;
    size_t count;
    size_t capacity; /* 0 or a power of two */
};

void id_map_close(struct id_map *map);
/* Adds a value, not NULL, under an id that is not there. */
void id_map_add(struct id_map *map, uint64_t id, void *value);
void id_map_remove(struct id_map *map, uint64_t id);
/* NULL when the id is not there. */
void *id_map_find(const struct id_map *map, uint64_t id);

#endif
