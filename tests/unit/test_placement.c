/* test_placement.c - every worker gets its fair cores, whatever the counts. */
#include "../../runtime/placement.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CORES_MAX = 64 };

/* Core i has the hardware threads i and i + 64, and six neighbours share a cache. */
static struct topology given_cores(uint32_t count)
{
    static cpu_set_t cores[CORES_MAX];
    static uint32_t caches[CORES_MAX];
    assert_true(count <= CORES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        CPU_ZERO(&cores[i]);
        CPU_SET(i, &cores[i]);
        CPU_SET(i + CORES_MAX, &cores[i]);
        caches[i] = i / 6;
    }
    return (struct topology){.host = "node",
                             .memory_bytes = (uint64_t)64 << 30,
                             .core_count = count,
                             .cores = cores,
                             .caches = caches};
}

/* GPU i is near the cores that share cache i. */
static void given_gpus(struct topology *topology, uint32_t count)
{
    static struct topology_gpu gpus[TOPOLOGY_GPUS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(gpus[i].name, sizeof gpus[i].name, "%u", i);
        CPU_ZERO(&gpus[i].near);
        for (uint32_t core = 6 * i; core < 6 * i + 6; core++)
            CPU_SET(core, &gpus[i].near);
    }
    topology->gpu_count = count;
    topology->gpus = gpus;
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
    cpu_set_describe(&placement->slots[slot].cpus, text, sizeof text);
    assert_string_equal(text, cpus);
}

static void lone_worker_has_one_slot_a_core(void **state)
{
    (void)state;
    struct placement placement =
        placed(4, (struct placement_request){.worker_count = 1, .has_master = true});
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
                struct placement placement = placed(
                    cores, (struct placement_request){.worker_index = i, .worker_count = workers});
                for (uint32_t slot = 0; slot < placement.slot_count; slot++) {
                    cpu_set_t both;
                    CPU_AND(&both, &seen, &placement.slots[slot].cpus);
                    assert_int_equal(CPU_COUNT(&both), 0);
                    CPU_OR(&seen, &seen, &placement.slots[slot].cpus);
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
        struct placement placement = placed(
            2,
            (struct placement_request){.worker_index = i, .worker_count = 7, .has_master = true});
        assert_int_equal(placement.slot_count, 1);
        assert_true(placement.is_shared);
        assert_int_equal(CPU_COUNT(&placement.slots[0].cpus), 2);
        placement_close(&placement);
    }
}

static void master_has_a_core_of_its_own_where_cores_are_plenty(void **state)
{
    (void)state;
    struct placement placement =
        placed(8, (struct placement_request){.worker_count = 1, .has_master = true});
    assert_int_equal(placement.slot_count, 7);
    assert_slot_is(&placement, 0, "1,65");
    placement_close(&placement);
    placement = placed(8, (struct placement_request){.worker_count = 1});
    assert_int_equal(placement.slot_count, 8);
    placement_close(&placement);
}

static void fewer_slots_have_more_cores_each(void **state)
{
    (void)state;
    struct placement placement =
        placed(6, (struct placement_request){.worker_count = 1, .slot_count = 2});
    assert_int_equal(placement.slot_count, 2);
    assert_slot_is(&placement, 0, "0-2,64-66");
    assert_slot_is(&placement, 1, "3-5,67-69");
    placement_close(&placement);
}

static void slots_that_the_user_has_counted_are_those_of_the_host(void **state)
{
    (void)state;
    struct placement_request request = {.worker_count = 1, .slot_count = 3, .host_slots = 2};
    struct placement placement = placed(4, request);
    assert_int_equal(placement.slot_count, 2);
    assert_slot_is(&placement, 0, "0-1,64-65");
    assert_slot_is(&placement, 1, "2-3,66-67");
    assert_false(placement.is_shared);
    placement_close(&placement);
    request = (struct placement_request){.worker_index = 1, .worker_count = 2, .host_slots = 3};
    placement = placed(4, request); /* two workers have three slots, of different cores */
    assert_int_equal(placement.slot_count, 2);
    assert_int_equal(placement.host_slot_count, 3);
    assert_int_equal(placement.slots[0].number, 2);
    assert_slot_is(&placement, 0, "1,65");
    assert_slot_is(&placement, 1, "2-3,66-67");
    placement_close(&placement);
    request.host_slots = 1;
    request.worker_index = 0;
    placement = placed(4, request);
    assert_int_equal(placement.slot_count, 0);
    placement_close(&placement);
    request = (struct placement_request){.worker_count = 1, .host_slots = 5};
    placement = placed(2, request);
    assert_int_equal(placement.slot_count, 5);
    assert_true(placement.is_shared);
    placement_close(&placement);
    request.host_slots = 2;
    request.needs.cores = 2;
    placement = placed(12, request);
    assert_int_equal(placement.slot_count, 2);
    placement_close(&placement);
}

static void more_slots_than_cores_share_them(void **state)
{
    (void)state;
    struct placement placement =
        placed(2, (struct placement_request){.worker_count = 1, .slot_count = 5});
    assert_int_equal(placement.slot_count, 5);
    assert_true(placement.is_shared);
    for (uint32_t slot = 0; slot < 5; slot++)
        assert_int_equal(CPU_COUNT(&placement.slots[slot].cpus), 2);
    placement_close(&placement);
}

static void tasks_of_several_cores_share_a_cache_where_possible(void **state)
{
    (void)state;
    struct placement placement =
        placed(12, (struct placement_request){.worker_count = 1, .needs = {.cores = 4}});
    assert_int_equal(placement.slot_count, 3);
    assert_slot_is(&placement, 0, "0-3,64-67");
    assert_slot_is(&placement, 1, "6-9,70-73");
    assert_slot_is(&placement, 2, "4-5,10-11,68-69,74-75"); /* of what is left */
    assert_false(placement.is_shared);
    placement_close(&placement);
}

static void workers_of_a_host_get_equal_shares_of_its_slots(void **state)
{
    (void)state;
    uint32_t slots = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct placement placement =
            placed(10, (struct placement_request){
                           .worker_index = i, .worker_count = 3, .needs = {.cores = 5}});
        assert_int_equal(placement.host_slot_count, 2);
        slots += placement.slot_count;
        placement_close(&placement);
    }
    assert_int_equal(slots, 2);
}

static void reserved_memory_limits_the_slots(void **state)
{
    (void)state;
    struct placement placement =
        placed(12, (struct placement_request){.worker_count = 1,
                                              .needs = {.memory_bytes = (uint64_t)20 << 30}});
    assert_int_equal(placement.slot_count, 3);
    placement_close(&placement);
}

static void gpus_go_to_slots_near_them(void **state)
{
    (void)state;
    struct topology topology = given_cores(18);
    given_gpus(&topology, 3);
    struct placement placement;
    placement_make(&topology,
                   (struct placement_request){.worker_count = 1, .needs = {.cores = 2, .gpus = 1}},
                   &placement);
    assert_int_equal(placement.slot_count, 3);
    assert_slot_is(&placement, 0, "0-1,64-65");
    assert_slot_is(&placement, 1, "6-7,70-71");
    assert_slot_is(&placement, 2, "12-13,76-77");
    for (uint32_t slot = 0; slot < 3; slot++)
        assert_string_equal(placement.slots[slot].gpus, topology.gpus[slot].name);
    placement_close(&placement);
}

static void task_of_several_gpus_gets_neighbours(void **state)
{
    (void)state;
    struct topology topology = given_cores(12);
    given_gpus(&topology, 5);
    struct placement placement;
    placement_make(&topology, (struct placement_request){.worker_count = 1, .needs = {.gpus = 2}},
                   &placement);
    assert_int_equal(placement.slot_count, 2);
    assert_string_equal(placement.slots[0].gpus, "0,1");
    assert_string_equal(placement.slots[1].gpus, "2,3");
    placement_close(&placement);
}

static void what_no_host_can_hold_has_no_slot(void **state)
{
    (void)state;
    const struct job_resources needs[] = {
        {.cores = 5}, {.gpus = 1}, {.memory_bytes = (uint64_t)65 << 30}};
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        struct placement placement =
            placed(4, (struct placement_request){.worker_count = 1, .needs = needs[i]});
        assert_int_equal(placement.slot_count, 0);
        assert_int_equal(placement.host_slot_count, 0);
        placement_close(&placement);
    }
}

#define XML_CORE(number, cpuset, id)                                                               \
    "<object type=\"Core\" os_index=\"" number "\" cpuset=\"" cpuset                               \
    "\" complete_cpuset=\"" cpuset "\" nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"" id    \
    "\">"                                                                                          \
    "<object type=\"PU\" os_index=\"" number "\" cpuset=\"" cpuset "\" complete_cpuset=\"" cpuset  \
    "\" nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"1" id "\"/></object>\n"
#define XML_PACKAGE(number, cpuset, id, cores, bus_id, address, kind)                              \
    "<object type=\"Package\" os_index=\"" number "\" cpuset=\"" cpuset                            \
    "\" complete_cpuset=\"" cpuset "\" nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"" id    \
    "\">\n" cores "<object type=\"Bridge\" gp_index=\"" bus_id                                     \
    "\" bridge_type=\"0-1\" depth=\"0\""                                                           \
    " bridge_pci=\"0000:[00-ff]\"><object type=\"PCIDev\" gp_index=\"1" bus_id                     \
    "\" pci_busid=\"" address "\" pci_type=\"" kind                                                \
    " [0000:0000] a1\" pci_link_speed=\"0.0\"/></object>\n</object>\n"

/* Two packages of three cores, each with a GPU at its PCI bus, the second one's bus number first;
 * and a network card. */
static const char two_gpus_xml[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
    "<topology version=\"2.0\">\n"
    "<object type=\"Machine\" os_index=\"0\" cpuset=\"0x3f\" complete_cpuset=\"0x3f\""
    " allowed_cpuset=\"0x3f\" nodeset=\"0x1\" complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\""
    " gp_index=\"1\">\n"
    "<object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x3f\" complete_cpuset=\"0x3f\""
    " nodeset=\"0x1\" complete_nodeset=\"0x1\" gp_index=\"2\" "
    "local_memory=\"1073741824\"/>\n" XML_PACKAGE(
        "0", "0x7", "10",
        XML_CORE("0", "0x1", "11") XML_CORE("1", "0x2", "13") XML_CORE("2", "0x4", "15"), "20",
        "0000:81:00.0", "0302 [10de:20b0]")
        XML_PACKAGE("1", "0x38", "30",
                    XML_CORE("3", "0x8", "31") XML_CORE("4", "0x10", "33")
                        XML_CORE("5", "0x20", "35"),
                    "40", "0000:01:00.0", "0302 [10de:20b0]") "</object>\n"
                                                              "</topology>\n";

static struct topology discovered(const char *visible_gpus)
{
    struct scratch scratch = given_scratch();
    struct scratch_path path =
        scratch_write(&scratch, "topology.xml", two_gpus_xml, strlen(two_gpus_xml));
    setenv("HWLOC_XMLFILE", path.text, 1);
    if (visible_gpus != NULL)
        setenv("CUDA_VISIBLE_DEVICES", visible_gpus, 1);
    struct topology topology;
    struct sheaf_error error = {0};
    int code = topology_discover(&topology, &error);
    unsetenv("HWLOC_XMLFILE");
    unsetenv("CUDA_VISIBLE_DEVICES");
    scratch_remove(&scratch);
    if (code != 0)
        fail_msg("%s", error.text);
    return topology;
}

static void gpus_are_found_in_the_order_of_the_bus(void **state)
{
    (void)state;
    struct topology topology = discovered(NULL);
    assert_int_equal(topology.core_count, 6);
    assert_int_equal(topology.caches[0], topology.caches[2]);
    assert_int_not_equal(topology.caches[2], topology.caches[3]);
    assert_int_equal(topology.gpu_count, 2);
    assert_string_equal(topology.gpus[0].name, "0");
    assert_true(CPU_ISSET(3, &topology.gpus[0].near) && !CPU_ISSET(0, &topology.gpus[0].near));
    assert_string_equal(topology.gpus[1].name, "1");
    assert_true(CPU_ISSET(0, &topology.gpus[1].near) && !CPU_ISSET(3, &topology.gpus[1].near));
    topology_close(&topology);
}

static void only_gpus_that_the_batch_system_gave_are_used(void **state)
{
    (void)state;
    struct topology topology = discovered("1,GPU-8a5c");
    assert_int_equal(topology.gpu_count, 2);
    assert_string_equal(topology.gpus[0].name, "1");
    assert_true(CPU_ISSET(0, &topology.gpus[0].near));
    assert_string_equal(topology.gpus[1].name, "GPU-8a5c");
    assert_int_equal(CPU_COUNT(&topology.gpus[1].near), 0);
    topology_close(&topology);
    topology = discovered("");
    assert_int_equal(topology.gpu_count, 0);
    topology_close(&topology);
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

/* No two slots of the host have the same number. */
static void assert_numbers_differ(uint32_t cores, struct placement_request request)
{
    enum { NUMBERS_MAX = 4096 };
    bool is_seen[NUMBERS_MAX] = {false};
    for (uint32_t i = 0; i < request.worker_count; i++) {
        request.worker_index = i;
        struct placement placement = placed(cores, request);
        for (uint32_t slot = 0; slot < placement.slot_count; slot++) {
            uint32_t number = placement.slots[slot].number;
            assert_in_range(number, 1, NUMBERS_MAX - 1);
            assert_false(is_seen[number]);
            is_seen[number] = true;
        }
        placement_close(&placement);
    }
}

static void slots_of_a_host_have_numbers_of_their_own(void **state)
{
    (void)state;
    for (uint32_t cores = 1; cores <= 12; cores++)
        for (uint32_t workers = 1; workers <= 14; workers++)
            for (uint32_t slots = 0; slots <= 5; slots++)
                for (uint32_t needed = 0; needed <= 3; needed++)
                    assert_numbers_differ(cores,
                                          (struct placement_request){.worker_count = workers,
                                                                     .slot_count = slots,
                                                                     .has_master = true,
                                                                     .needs = {.cores = needed}});
    struct placement placement = placed(
        4, (struct placement_request){.worker_index = 1, .worker_count = 2, .has_master = true});
    assert_int_equal(placement.slots[0].number, 3);
    assert_int_equal(placement.slots[1].number, 4);
    placement_close(&placement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lone_worker_has_one_slot_a_core),
        cmocka_unit_test(workers_of_a_host_share_no_core_while_there_are_enough),
        cmocka_unit_test(more_workers_than_cores_have_one_slot_each_and_say_that_they_share),
        cmocka_unit_test(master_has_a_core_of_its_own_where_cores_are_plenty),
        cmocka_unit_test(fewer_slots_have_more_cores_each),
        cmocka_unit_test(slots_that_the_user_has_counted_are_those_of_the_host),
        cmocka_unit_test(more_slots_than_cores_share_them),
        cmocka_unit_test(tasks_of_several_cores_share_a_cache_where_possible),
        cmocka_unit_test(workers_of_a_host_get_equal_shares_of_its_slots),
        cmocka_unit_test(reserved_memory_limits_the_slots),
        cmocka_unit_test(gpus_go_to_slots_near_them),
        cmocka_unit_test(task_of_several_gpus_gets_neighbours),
        cmocka_unit_test(what_no_host_can_hold_has_no_slot),
        cmocka_unit_test(gpus_are_found_in_the_order_of_the_bus),
        cmocka_unit_test(only_gpus_that_the_batch_system_gave_are_used),
        cmocka_unit_test(this_host_has_a_core),
        cmocka_unit_test(slots_of_a_host_have_numbers_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
