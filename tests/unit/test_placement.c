/* test_placement.c - every worker gets its fair cores, whatever the counts. */
#include "../../runtime/placement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Core i has the hardware threads i and i + 64. */
static struct topology given_cores(uint32_t count)
{
    static cpu_set_t cores[64];
    assert_true(count <= 64);
    for (uint32_t i = 0; i < count; i++) {
        CPU_ZERO(&cores[i]);
        CPU_SET(i, &cores[i]);
        CPU_SET(i + 64, &cores[i]);
    }
    return (struct topology){.host = "node", .core_count = count, .cores = cores};
}

static struct placement placed(uint32_t cores, struct placement_request request)
{
    struct topology topology = given_cores(cores);
    struct placement placement;
    placement_make(&topology, request, &placement);
    return placement;
}

static void assert_slot_is(const struct placement *placement, uint32_t slot, const char *cpus)
{
    char text[256];
    cpu_set_describe(&placement->slot_cpus[slot], text, sizeof text);
    assert_string_equal(text, cpus);
}

static void lone_worker_has_one_slot_a_core(void **state)
{
    (void)state;
    struct placement placement = placed(4, (struct placement_request){0, 1, 0, true});
    assert_int_equal(placement.slot_count, 4);
    assert_slot_is(&placement, 0, "0,64");
    assert_slot_is(&placement, 3, "3,67");
    assert_false(placement.is_shared);
    placement_close(&placement);
}

static void workers_of_a_host_share_no_core_while_there_are_enough(void **state)
{
    (void)state;
    for (uint32_t cores = 1; cores <= 16; cores++) {
        for (uint32_t workers = 1; workers <= cores; workers++) {
            cpu_set_t seen;
            CPU_ZERO(&seen);
            for (uint32_t i = 0; i < workers; i++) {
                struct placement placement =
                    placed(cores, (struct placement_request){i, workers, 0, false});
                for (uint32_t slot = 0; slot < placement.slot_count; slot++) {
                    cpu_set_t both;
                    CPU_AND(&both, &seen, &placement.slot_cpus[slot]);
                    assert_int_equal(CPU_COUNT(&both), 0);
                    CPU_OR(&seen, &seen, &placement.slot_cpus[slot]);
                }
                placement_close(&placement);
            }
            assert_int_equal(CPU_COUNT(&seen), 2 * cores);
        }
    }
}

static void more_workers_than_cores_have_one_slot_each_and_say_that_they_share(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 7; i++) {
        struct placement placement = placed(2, (struct placement_request){i, 7, 0, true});
        assert_int_equal(placement.slot_count, 1);
        assert_true(placement.is_shared);
        assert_int_equal(CPU_COUNT(&placement.slot_cpus[0]), 2);
        placement_close(&placement);
    }
}

static void master_has_a_core_of_its_own_where_cores_are_plenty(void **state)
{
    (void)state;
    struct placement placement = placed(8, (struct placement_request){0, 1, 0, true});
    assert_int_equal(placement.slot_count, 7);
    assert_slot_is(&placement, 0, "1,65");
    placement_close(&placement);
    placement = placed(8, (struct placement_request){0, 1, 0, false});
    assert_int_equal(placement.slot_count, 8);
    placement_close(&placement);
}

static void fewer_slots_have_more_cores_each(void **state)
{
    (void)state;
    struct placement placement = placed(6, (struct placement_request){0, 1, 2, false});
    assert_int_equal(placement.slot_count, 2);
    assert_slot_is(&placement, 0, "0-2,64-66");
    assert_slot_is(&placement, 1, "3-5,67-69");
    placement_close(&placement);
}

static void more_slots_than_cores_share_them(void **state)
{
    (void)state;
    struct placement placement = placed(2, (struct placement_request){0, 1, 5, false});
    assert_int_equal(placement.slot_count, 5);
    assert_true(placement.is_shared);
    for (uint32_t slot = 0; slot < 5; slot++)
        assert_int_equal(CPU_COUNT(&placement.slot_cpus[slot]), 2);
    placement_close(&placement);
}

static void this_host_has_a_core(void **state)
{
    (void)state;
    struct topology topology;
    struct sheaf_error error;
    assert_int_equal(topology_discover(&topology, &error), 0);
    assert_true(topology.core_count > 0);
    assert_true(CPU_COUNT(&topology.cores[0]) > 0);
    assert_true(topology.memory_bytes > 0);
    assert_true(strlen(topology.host) > 0);
    topology_close(&topology);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lone_worker_has_one_slot_a_core),
        cmocka_unit_test(workers_of_a_host_share_no_core_while_there_are_enough),
        cmocka_unit_test(more_workers_than_cores_have_one_slot_each_and_say_that_they_share),
        cmocka_unit_test(master_has_a_core_of_its_own_where_cores_are_plenty),
        cmocka_unit_test(fewer_slots_have_more_cores_each),
        cmocka_unit_test(more_slots_than_cores_share_them),
        cmocka_unit_test(this_host_has_a_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
