/* slot_fixture.h - a spawner and slots for tests, and the checks that nothing is left behind. */
#ifndef SHEAF_TEST_SLOT_FIXTURE_H
#define SHEAF_TEST_SLOT_FIXTURE_H

#include "../../runtime/slot_set.h"

/* A generous bound on every wait: slow machines are no failures. */
enum { FIXTURE_PATIENCE_S = 60 };

struct slot_fixture {
    struct job job;
    struct spawner *spawner;
    struct slot_set *slots; /* NULL before fixture_start */
    const char *run_dir;
    bool has_merge;
    struct slot_place place;
    struct slot_event event; /* the last one */
    uint64_t assignments;
};

/* A job of the test plug-in `plugin`, not yet started. Adopts orphans, so that they can be seen. */
struct slot_fixture *given_job(const char *plugin);
void given_parameter(struct slot_fixture *fixture, const char *name, const char *value);
/* Starts `slot_count` slots; the next event is READY or PREPARE_FAILED. */
void when_started(struct slot_fixture *fixture, uint32_t slot_count);
/* The same, and checks that they become ready. */
void given_slots(struct slot_fixture *fixture, uint32_t slot_count);

/* Orders without a body. */
void when_given(struct slot_fixture *fixture, uint32_t slot, enum work work, struct range range,
                uint64_t task_count);
void when_order(struct slot_fixture *fixture, uint32_t slot, const struct work_order *order);

/* Sleeps as a rank does until there is an event; fails the test when none comes. */
const struct slot_event *next_event(struct slot_fixture *fixture);
/* Checks its kind, too. */
const struct slot_event *next_event_is(struct slot_fixture *fixture, enum slot_event_kind kind);
/* Polls for a while: true when there was no event. */
bool nothing_happens_for_ms(struct slot_fixture *fixture, unsigned duration_ms);

/* Ends everything, checks that no process is left, and frees. */
void fixture_end(struct slot_fixture *fixture);
/* Waits until this process has no children; fails the test otherwise. */
void check_no_process_is_left(void);

/* DIR/NAME.so; borrowed until the next call. */
const char *plugin_path(const char *plugin);

#endif
