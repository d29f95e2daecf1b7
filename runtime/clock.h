/* clock.h - the one place where time is read. */
#ifndef SHEAF_CLOCK_H
#define SHEAF_CLOCK_H

#include <stdint.h>

/* Nanoseconds on a clock that never goes back and starts anywhere. */
uint64_t clock_monotonic_ns(void);
/* Nanoseconds since 1970, for people and for files. */
uint64_t clock_wall_ns(void);

#endif
