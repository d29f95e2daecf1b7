/* start_limits.h - whether this host can start so many ranks at all. */
#ifndef SHEAF_START_LIMITS_H
#define SHEAF_START_LIMITS_H

#include "../scheduler/error.h"

#include <stdint.h>

struct start_demand {
    uint32_t ranks;      /* of this host; 0: none, others have them */
    uint32_t slots;      /* of a worker; 0: as many as fit */
    uint32_t core_count; /* of this host */
};

/* Refuses what could only hang or fail a minute later: USAGE when there are far more ranks than
 * cores or memory, LIMIT when the system allows too few files or processes; the text says how many
 * there may be and what to do. */
int start_limits_check(const struct start_demand *demand, struct sheaf_error *error);

#endif
