/* test_id_map.c - what was added under a number is found by it until it is removed. */
#include "../../scheduler/id_map.h"
#include "seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

static void empty_map_finds_nothing(void **state)
{
    (void)state;
    struct id_map map = {0};
    assert_null(id_map_find(&map, 0));
    assert_null(id_map_find(&map, UINT64_MAX));
    id_map_close(&map);
}

enum { IDS = 500, STEPS = 100000 };

/* Few ids, far apart and close together: probes meet. */
static void random_changes_agree_with_a_plain_array(void **state)
{
    (void)state;
    unsigned seed = test_seed();
    struct id_map map = {0};
    int values[IDS];
    bool is_there[IDS] = {false};
    size_t count = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t i = (size_t)rand_r(&seed) % IDS;
        uint64_t id = i % 2 == 0 ? i : (uint64_t)i << 40;
        assert_ptr_equal(id_map_find(&map, id), is_there[i] ? &values[i] : NULL);
        if (is_there[i])
            id_map_remove(&map, id);
        else
            id_map_add(&map, id, &values[i]);
        is_there[i] = !is_there[i];
        count = is_there[i] ? count + 1 : count - 1;
        assert_int_equal(map.count, count);
    }
    for (size_t i = 0; i < IDS; i++)
        assert_ptr_equal(id_map_find(&map, i % 2 == 0 ? i : (uint64_t)i << 40),
                         is_there[i] ? &values[i] : NULL);
    id_map_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map_finds_nothing),
        cmocka_unit_test(random_changes_agree_with_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
