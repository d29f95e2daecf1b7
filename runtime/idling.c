/* idling.c - pauses that double, from a length that suits the gaps between messages. */
#include "idling.h"

enum {
    GAP_SHARE = 16,   /* of the usual gap: the first pause where nobody waits */
    GAP_WEIGHT = 8,   /* of all gaps before, against the last one */
    LATE_FACTOR = 16, /* a gap counts for so many usual ones at most */
};

#define SPIN_NS        ((uint64_t)20 * 1000)
#define PAUSE_NS_MIN   ((uint64_t)50 * 1000)
#define PAUSE_NS_MAX   ((uint64_t)8 * 1000 * 1000)  /* where somebody waits */
#define PATIENT_NS_MAX ((uint64_t)16 * 1000 * 1000) /* where nobody does */
#define FIRST_NS_MAX   ((uint64_t)4 * 1000 * 1000)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void idling_init(struct idling *idling, uint64_t now_ns)
{
    *idling = (struct idling){.since_ns = now_ns, .gap_ns = PAUSE_NS_MIN};
}

void idling_end(struct idling *idling, uint64_t now_ns)
{
    uint64_t gap_ns = least(now_ns - idling->since_ns, LATE_FACTOR * idling->gap_ns);
    idling->gap_ns = (GAP_WEIGHT * idling->gap_ns + gap_ns) / (GAP_WEIGHT + 1);
    if (idling->gap_ns < PAUSE_NS_MIN)
        idling->gap_ns = PAUSE_NS_MIN;
    idling->since_ns = now_ns;
    idling->last_pause_ns = 0;
}

uint64_t idling_pause_ns(struct idling *idling, uint64_t now_ns, bool is_urgent)
{
    if (now_ns - idling->since_ns < SPIN_NS)
        return 0;
    uint64_t first_ns = is_urgent ? 0 : least(idling->gap_ns / GAP_SHARE, FIRST_NS_MAX);
    uint64_t pause_ns = idling->last_pause_ns > 0 ? 2 * idling->last_pause_ns : first_ns;
    pause_ns = least(pause_ns, is_urgent ? PAUSE_NS_MAX : PATIENT_NS_MAX);
    idling->last_pause_ns = pause_ns > PAUSE_NS_MIN ? pause_ns : PAUSE_NS_MIN;
    return idling->last_pause_ns;
}
