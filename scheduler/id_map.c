/* id_map.c - a hash table from numbers to things. */
#include "id_map.h"

#include "check.h"
#include "memory.h"

#include <stdlib.h>

enum {
    CAPACITY_MIN = 16,
    GROUP_IDS = 4, /* entries in a cache line */
};

/* Fibonacci hashing of groups of neighbours: consecutive numbers, which are usual, share a cache
 * line, and long runs of them stay apart from each other. */
static size_t home_of(const struct id_map *map, uint64_t id)
{
    uint64_t product = (id / GROUP_IDS) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t group = product ^ product >> 32;
    return (size_t)(group * GROUP_IDS + id % GROUP_IDS) & (map->capacity - 1);
}

static size_t after(const struct id_map *map, size_t place)
{
    return (place + 1) & (map->capacity - 1);
}

/* Where the id is, or the free place where it would be. */
static size_t place_of(const struct id_map *map, uint64_t id)
{
    size_t place = home_of(map, id);
    while (map->entries[place].value != NULL && map->entries[place].id != id)
        place = after(map, place);
    return place;
}

void id_map_close(struct id_map *map)
{
    free(map->entries);
    *map = (struct id_map){0};
}

static void grow(struct id_map *map)
{
    struct id_map grown = {.count = map->count,
                           .capacity = map->capacity > 0 ? 2 * map->capacity : CAPACITY_MIN};
    grown.entries = memory_allocate_zeroed(grown.capacity, sizeof *grown.entries);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->entries[i].value != NULL)
            grown.entries[place_of(&grown, map->entries[i].id)] = map->entries[i];
    free(map->entries);
    *map = grown;
}

void id_map_add(struct id_map *map, uint64_t id, void *value)
{
    CHECK(value != NULL);
    if (2 * (map->count + 1) > map->capacity)
        grow(map);
    struct id_map_entry *entry = &map->entries[place_of(map, id)];
    CHECK(entry->value == NULL);
    *entry = (struct id_map_entry){id, value};
    map->count++;
}

void *id_map_find(const struct id_map *map, uint64_t id)
{
    return map->capacity > 0 ? map->entries[place_of(map, id)].value : NULL;
}

/* Entries that were pushed past the freed place move back, so that no probe ends too early. */
void id_map_remove(struct id_map *map, uint64_t id)
{
    CHECK(id_map_find(map, id) != NULL);
    size_t hole = place_of(map, id);
    for (size_t place = after(map, hole); map->entries[place].value != NULL;
         place = after(map, place)) {
        size_t home = home_of(map, map->entries[place].id);
        size_t distance = (place - home) & (map->capacity - 1);
        size_t distance_of_hole = (place - hole) & (map->capacity - 1);
        if (distance >= distance_of_hole) {
            map->entries[hole] = map->entries[place];
            hole = place;
        }
    }
    map->entries[hole] = (struct id_map_entry){0};
    map->count--;
}
