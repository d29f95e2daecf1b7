/* slot_fixture.c - drives a slot set as a rank does, with deadlines. */
#include "slot_fixture.h"

#include "../../jobs/parameter.h"
#include "../../runtime/clock.h"
#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NS_PER_S ((uint64_t)1000000000)

const char *plugin_path(const char *plugin)
{
    static char path[4096];
    const char *dir = getenv("SHEAF_TEST_PLUGIN_DIR");
    char *resolved = realpath(dir != NULL ? dir : "tests/plugins", NULL);
    CHECK(resolved != NULL);
    snprintf(path, sizeof path, "%s/%s.so", resolved, plugin);
    free(resolved);
    return path;
}

struct slot_fixture *given_job(const char *plugin)
{
    struct slot_fixture *fixture = memory_allocate_zeroed(1, sizeof *fixture);
    struct sheaf_error error = {0};
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fixture->job.name = memory_copy_string("test");
    fixture->job.source_path = memory_copy_string(plugin_path(plugin));
    fixture->job.plugin_path = memory_copy_string(plugin_path(plugin));
    fixture->job.output_path = memory_copy_string("-");
    fixture->job.split.kind = SPLIT_RANGE;
    fixture->job.split.tasks = 1;
    CPU_ZERO(&fixture->place.cpus);
    if (spawner_start(&fixture->spawner, &error) != 0)
        fail_msg("%s", error.text);
    return fixture;
}

void given_parameter(struct slot_fixture *fixture, const char *name, const char *value)
{
    struct sheaf_error error = {0};
    if (parameter_list_set(&fixture->job.parameters, name, value, &error) != 0)
        fail_msg("%s", error.text);
}

void when_started(struct slot_fixture *fixture, uint32_t slot_count)
{
    struct sheaf_error error = {0};
    struct slot_place *places = memory_allocate_zeroed(slot_count, sizeof *places);
    for (uint32_t i = 0; i < slot_count; i++)
        places[i] = fixture->place;
    const struct slot_set_options options = {.job = &fixture->job,
                                             .has_merge = fixture->has_merge,
                                             .slot_count = slot_count,
                                             .places = places,
                                             .run_dir = fixture->run_dir};
    if (slot_set_create(fixture->spawner, &options, &fixture->slots, &error) != 0)
        fail_msg("%s", error.text);
    free(places);
}

void given_slots(struct slot_fixture *fixture, uint32_t slot_count)
{
    when_started(fixture, slot_count);
    next_event_is(fixture, SLOT_EVENT_READY);
}

void when_order(struct slot_fixture *fixture, uint32_t slot, const struct work_order *order)
{
    struct work_order named = *order;
    named.assignment = ++fixture->assignments;
    if (named.attempt == 0)
        named.attempt = 1;
    assert_true(slot_set_is_idle(fixture->slots, slot));
    slot_set_start(fixture->slots, slot, &named);
}

void when_given(struct slot_fixture *fixture, uint32_t slot, enum work work, struct range range,
                uint64_t task_count)
{
    const struct work_order order = {.work = work, .range = range, .task_count = task_count};
    when_order(fixture, slot, &order);
}

/* One round of a rank's loop: 1 with an event. */
static int poll_once(struct slot_fixture *fixture, int sleep_ms)
{
    if (slot_set_poll(fixture->slots, clock_monotonic_ns(), &fixture->event) != 0)
        return 1;
    if (slot_set_prepare_sleep(fixture->slots)) {
        struct pollfd wake = {.fd = slot_set_wake_descriptor(fixture->slots), .events = POLLIN};
        poll(&wake, 1, sleep_ms);
        slot_set_end_sleep(fixture->slots);
    }
    return 0;
}

static int sleep_ms_until_next_poll(const struct slot_fixture *fixture)
{
    uint64_t next_ns = slot_set_next_poll_ns(fixture->slots);
    uint64_t now_ns = clock_monotonic_ns();
    if (next_ns <= now_ns)
        return 0;
    uint64_t wait_ns = next_ns - now_ns;
    return wait_ns > NS_PER_S ? 1000 : (int)(wait_ns / 1000000) + 1;
}

const struct slot_event *next_event(struct slot_fixture *fixture)
{
    uint64_t end_ns = clock_monotonic_ns() + FIXTURE_PATIENCE_S * NS_PER_S;
    while (poll_once(fixture, sleep_ms_until_next_poll(fixture)) == 0)
        if (clock_monotonic_ns() > end_ns)
            fail_msg("no event within %d s", FIXTURE_PATIENCE_S);
    return &fixture->event;
}

const struct slot_event *next_event_is(struct slot_fixture *fixture, enum slot_event_kind kind)
{
    const struct slot_event *event = next_event(fixture);
    if (event->kind != kind)
        fail_msg("event %d instead of %d: %s", (int)event->kind, (int)kind, event->text);
    return event;
}

bool nothing_happens_for_ms(struct slot_fixture *fixture, unsigned duration_ms)
{
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)duration_ms * 1000000;
    while (clock_monotonic_ns() < end_ns)
        if (poll_once(fixture, 10) != 0)
            return false;
    return true;
}

void check_no_process_is_left(void)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    uint64_t end_ns = clock_monotonic_ns() + FIXTURE_PATIENCE_S * NS_PER_S;
    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
        if (clock_monotonic_ns() > end_ns)
            fail_msg("a process is left behind");
        nanosleep(&nap, NULL);
    }
}

void fixture_end(struct slot_fixture *fixture)
{
    slot_set_destroy(fixture->slots);
    spawner_stop(fixture->spawner);
    check_no_process_is_left();
    job_close(&fixture->job);
    free(fixture);
}
