/* test_idling.c - pauses grow, and begin longer where messages are seldom and nobody waits. */
#include "../../runtime/idling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { US = 1000, MS = 1000 * 1000 };

/* Messages came so far apart for a long time, the last of them now. */
static struct idling given_gaps(uint64_t gap_ns, uint64_t *now_ns)
{
    struct idling idling;
    *now_ns = MS;
    idling_init(&idling, *now_ns);
    for (int i = 0; i < 1000; i++) {
        *now_ns += gap_ns;
        idling_end(&idling, *now_ns);
    }
    return idling;
}

/* The first pause after the time in which it looks again at once. */
static uint64_t first_pause(struct idling *idling, uint64_t now_ns, bool is_urgent)
{
    return idling_pause_ns(idling, now_ns + 30 * US, is_urgent);
}

static void it_looks_again_at_once_for_a_moment(void **state)
{
    (void)state;
    uint64_t now_ns;
    struct idling idling = given_gaps(75 * MS, &now_ns);
    assert_int_equal(idling_pause_ns(&idling, now_ns + 10 * US, false), 0);
    assert_true(idling_pause_ns(&idling, now_ns + 30 * US, false) > 0);
}

static void pauses_double_up_to_a_bound(void **state)
{
    (void)state;
    uint64_t now_ns;
    struct idling idling = given_gaps(100 * US, &now_ns);
    uint64_t pause_ns = first_pause(&idling, now_ns, true);
    assert_int_equal(pause_ns, 50 * US);
    for (int i = 0; i < 20; i++) {
        uint64_t next_ns = first_pause(&idling, now_ns, true);
        assert_int_equal(next_ns, 2 * pause_ns < 8 * MS ? 2 * pause_ns : 8 * MS);
        pause_ns = next_ns;
    }
    assert_int_equal(pause_ns, 8 * MS);
}

static void pauses_begin_longer_where_messages_are_seldom(void **state)
{
    (void)state;
    uint64_t now_ns;
    struct idling idling = given_gaps(32 * MS, &now_ns);
    uint64_t pause_ns = first_pause(&idling, now_ns, false);
    assert_in_range(pause_ns, 1 * MS, 2 * MS);
    idling = given_gaps(10000 * (uint64_t)MS, &now_ns);
    assert_int_equal(first_pause(&idling, now_ns, false), 4 * MS);
}

static void who_is_waited_for_looks_again_soon(void **state)
{
    (void)state;
    uint64_t now_ns;
    struct idling idling = given_gaps(32 * MS, &now_ns);
    assert_int_equal(first_pause(&idling, now_ns, true), 50 * US);
    for (int i = 0; i < 20; i++)
        first_pause(&idling, now_ns, false);
    assert_int_equal(first_pause(&idling, now_ns, true), 8 * MS);
}

static void one_long_gap_is_not_taken_for_usual(void **state)
{
    (void)state;
    uint64_t now_ns;
    struct idling idling = given_gaps(100 * US, &now_ns);
    now_ns += 10000 * (uint64_t)MS;
    idling_end(&idling, now_ns);
    assert_int_equal(first_pause(&idling, now_ns, false), 50 * US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_looks_again_at_once_for_a_moment),
        cmocka_unit_test(pauses_double_up_to_a_bound),
        cmocka_unit_test(pauses_begin_longer_where_messages_are_seldom),
        cmocka_unit_test(who_is_waited_for_looks_again_soon),
        cmocka_unit_test(one_long_gap_is_not_taken_for_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
