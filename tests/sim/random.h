/* random.h - the simulator's own random numbers: the same on every machine for the same seed.
 *
 * xoshiro256** 1.0 by David Blackman and Sebastiano Vigna, seeded through splitmix64 by Sebastiano
 * Vigna; both in the public domain, https://prng.di.unimi.it/. */
#ifndef SHEAF_SIM_RANDOM_H
#define SHEAF_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random_source {
    uint64_t state[4];
};

/* The output function of splitmix64: also a good hash of one word. */
static inline uint64_t random_mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

static inline struct random_source random_source_of(uint64_t seed)
{
    struct random_source source;
    for (int i = 0; i < 4; i++) {
        source.state[i] = random_mix(seed);
        seed += 0x9e3779b97f4a7c15U;
    }
    return source;
}

static inline uint64_t random_rotate_left(uint64_t value, int bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static inline uint64_t random_next(struct random_source *source)
{
    uint64_t *s = source->state;
    uint64_t result = random_rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate_left(s[3], 45);
    return result;
}

/* 0 .. bound - 1; 0 when bound is 0. The bias is below 2^-20 for every bound used here. */
static inline uint64_t random_below(struct random_source *source, uint64_t bound)
{
    if (bound == 0)
        return 0;
    return random_next(source) % bound;
}

/* low .. high. */
static inline uint64_t random_between(struct random_source *source, uint64_t low, uint64_t high)
{
    return low + random_below(source, high - low + 1);
}

/* low .. high, each power of two about equally often. low must not be 0. */
static inline uint64_t random_scale(struct random_source *source, uint64_t low, uint64_t high)
{
    uint64_t doublings = 0;
    while (low << (doublings + 1) <= high)
        doublings++;
    uint64_t base = low << random_below(source, doublings + 1);
    uint64_t value = base + random_below(source, base);
    return value < high ? value : high;
}

static inline bool random_chance(struct random_source *source, uint32_t permille)
{
    return random_below(source, 1000) < permille;
}

#endif
