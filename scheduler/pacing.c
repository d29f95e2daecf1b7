/* pacing.c - how many tasks go into one range. */
#include "pacing.h"

#include "check.h"

/* A measurement justifies ranges up to this much longer: a first task may be no measure. */
enum { GROWTH_MAX = 64 };

/* Bounds of one measurement, so that sums and products below fit into 64 bits. */
static const uint64_t busy_ns_max = (uint64_t)1 << 46; /* 19 hours */
static const uint64_t tasks_max = (uint64_t)1 << 40;

/* Idle time up to this is that of processes that wait for a core, not of a long way. */
static const uint64_t idle_ns_min = SHEAF_NS_PER_MS;
/* Bound of the lead; what is longer than the longest way on Earth is no matter of the way. */
static const uint64_t lead_ns_max = SHEAF_NS_PER_S;
/* Without idle time the lead shrinks by this part each time, until that just shows. */
enum { LEAD_DECAY = 256 };

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void pace_measure(struct pace *pace, uint64_t task_count, uint64_t busy_ns)
{
    if (task_count == 0)
        return;
    task_count = smaller(task_count, tasks_max);
    pace->busy_ns = pace->busy_ns / 2 + smaller(busy_ns, busy_ns_max);
    pace->tasks_x256 = pace->tasks_x256 / 2 + task_count * 256;
    pace->tasks_max = larger(pace->tasks_max, task_count);
}

void pace_note_idle(struct pace *pace, uint64_t idle_ns)
{
    if (idle_ns < idle_ns_min)
        pace->lead_ns -= pace->lead_ns / LEAD_DECAY;
    else
        pace->lead_ns = smaller(pace->lead_ns + smaller(idle_ns, lead_ns_max), lead_ns_max);
}

bool pace_is_known(const struct pace *pace)
{
    return pace->tasks_x256 > 0;
}

/* Time of one task in 1/256 ns; at least 1. */
static uint64_t task_ns_x256(const struct pace *pace)
{
    return larger((pace->busy_ns << 16) / pace->tasks_x256, 1);
}

uint64_t pace_expect_ns(const struct pace *pace, uint64_t task_count)
{
    if (!pace_is_known(pace))
        return 0;
    uint64_t each = task_ns_x256(pace);
    if (task_count > UINT64_MAX / each)
        return UINT64_MAX / 256;
    return larger(task_count * each / 256, 1);
}

uint64_t pace_fit_count(const struct pace *pace, uint64_t time_ns)
{
    if (!pace_is_known(pace))
        return UINT64_MAX;
    return smaller(time_ns, UINT64_MAX / 256) * 256 / task_ns_x256(pace);
}

/* In 1/256 ns. */
static uint64_t target_ns_x256(const struct scheduler_config *config, const struct pace *pace,
                               uint64_t slot_count)
{
    uint64_t target_ns = larger(config->range_target_ns, slot_count * config->report_ns);
    return smaller(target_ns + pace->lead_ns, UINT64_MAX / 256) * 256;
}

static uint64_t choose_count(const struct scheduler_config *config, const struct pace *pace,
                             uint64_t open_count, uint64_t slot_count)
{
    uint64_t count = 1;
    if (pace_is_known(pace)) {
        uint64_t target_x256 = target_ns_x256(config, pace, slot_count);
        count = smaller(target_x256 / task_ns_x256(pace), GROWTH_MAX * pace->tasks_max);
    }
    uint64_t share = open_count / (2 * slot_count) + (open_count % (2 * slot_count) != 0);
    count = larger(smaller(count, share), 1);
    return smaller(larger(count, config->range_count_min), config->range_count_max);
}

/* The number in [low, high] with the most trailing zeros; 0 < low <= high. */
static uint64_t roundest(uint64_t low, uint64_t high)
{
    uint64_t differing = (low - 1) ^ high;
    unsigned top = 63 - (unsigned)__builtin_clzll(differing);
    return high >> top << top;
}

struct range pacing_choose(const struct scheduler_config *config, const struct pace *pace,
                           struct range open, uint64_t open_count, uint64_t slot_count)
{
    CHECK(!range_is_empty(open) && slot_count > 0);
    uint64_t count = choose_count(config, pace, open_count, slot_count);
    if (count >= open.count)
        return open;
    uint64_t end = roundest(open.first + count - count / 2, open.first + count);
    struct range cut = range_between(open.first, end);
    return cut.count >= config->range_count_min ? cut : (struct range){open.first, count};
}
