/* seed.h - the seed of a randomized test: fresh each time, printed, and repeatable. */
#ifndef SHEAF_TEST_SEED_H
#define SHEAF_TEST_SEED_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* $SHEAF_TEST_SEED, or the time. */
static inline unsigned test_seed(void)
{
    const char *setting = getenv("SHEAF_TEST_SEED");
    unsigned seed = setting != NULL ? (unsigned)strtoul(setting, NULL, 10) : (unsigned)time(NULL);
    printf("# SHEAF_TEST_SEED=%u\n", seed);
    return seed;
}

#endif
