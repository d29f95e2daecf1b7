/* range.h - consecutive tasks [first, first + count) of the job. */
#ifndef SHEAF_RANGE_H
#define SHEAF_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct range {
    uint64_t first;
    uint64_t count;
};

static inline uint64_t range_end(struct range range)
{
    return range.first + range.count;
}

static inline bool range_is_empty(struct range range)
{
    return range.count == 0;
}

static inline bool range_contains(struct range outer, struct range inner)
{
    return inner.first >= outer.first && range_end(inner) <= range_end(outer);
}

static inline bool range_intersects(struct range a, struct range b)
{
    return a.first < range_end(b) && b.first < range_end(a);
}

/* What both hold; empty when nothing. */
static inline struct range range_overlap(struct range a, struct range b)
{
    uint64_t first = a.first > b.first ? a.first : b.first;
    uint64_t end = range_end(a) < range_end(b) ? range_end(a) : range_end(b);
    return (struct range){first, end > first ? end - first : 0};
}

/* The tasks [first, end); empty when end <= first. */
static inline struct range range_between(uint64_t first, uint64_t end)
{
    return (struct range){first, end > first ? end - first : 0};
}

#endif
