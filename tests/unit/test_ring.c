/* test_ring.c - messages come out of the ring as they went in, or are found damaged. */
#include "../../runtime/ring.h"
#include "../../scheduler/memory.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CAPACITY_BYTES = (RING_FRAGMENTS - 1) * RING_FRAGMENT_BYTES };

static struct ring *given_ring(void)
{
    struct ring *ring =
        mmap(NULL, sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(ring, MAP_FAILED);
    ring_init(ring);
    return ring;
}

static void drop_ring(struct ring *ring, struct ring_message *message)
{
    ring_message_close(message);
    munmap(ring, sizeof *ring);
}

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 31 + i / 251);
}

static unsigned char *given_bytes(size_t size)
{
    unsigned char *bytes = memory_allocate(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(i);
    return bytes;
}

static void check_bytes(const struct ring_message *message, size_t size)
{
    assert_int_equal(message->bytes.size, size);
    for (size_t i = 0; i < size; i++)
        if (message->bytes.data[i] != byte_at(i))
            fail_msg("byte %zu of %zu differs", i, size);
}

static void messages_of_all_sizes_pass(void **state)
{
    static const size_t sizes[] = {1,
                                   RING_FRAGMENT_BYTES - 1,
                                   RING_FRAGMENT_BYTES,
                                   RING_FRAGMENT_BYTES + 1,
                                   10 * RING_FRAGMENT_BYTES,
                                   CAPACITY_BYTES};
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    for (int round = 0; round < 5; round++) /* the ring wraps around */
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            unsigned char *bytes = given_bytes(sizes[i]);
            assert_int_equal(ring_write(ring, bytes, sizes[i], 0), sizes[i]);
            free(bytes);
            assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_MESSAGE);
            check_bytes(&message, sizes[i]);
            assert_true(ring_is_empty(ring));
        }
    drop_ring(ring, &message);
}

static void a_full_ring_takes_a_part(void **state)
{
    (void)state;
    size_t size = CAPACITY_BYTES + 100;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    unsigned char *bytes = given_bytes(size);
    assert_int_equal(ring_write(ring, bytes, size, 0), CAPACITY_BYTES);
    assert_true(ring_is_full(ring));
    assert_int_equal(ring_write(ring, bytes + CAPACITY_BYTES, 100, 0), 0);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_NOTHING);
    assert_int_equal(ring_write(ring, bytes + CAPACITY_BYTES, 100, 0), 100);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_MESSAGE);
    check_bytes(&message, size);
    free(bytes);
    drop_ring(ring, &message);
}

static void a_message_may_be_written_in_pieces(void **state)
{
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    unsigned char *bytes = given_bytes(5000);
    ring_write(ring, bytes, 10, 4990);
    ring_write(ring, bytes + 10, 4000, 990);
    ring_write(ring, bytes + 4010, 990, 0);
    assert_int_equal(ring_read_message(ring, &message, 2), RING_NOTHING);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_MESSAGE);
    check_bytes(&message, 5000);
    free(bytes);
    drop_ring(ring, &message);
}

static void messages_stay_apart(void **state)
{
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    ring_write(ring, "first", 5, 0);
    ring_write(ring, "second", 6, 0);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_MESSAGE);
    assert_int_equal(message.bytes.size, 5);
    assert_memory_equal(message.bytes.data, "first", 5);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_MESSAGE);
    assert_int_equal(message.bytes.size, 6);
    assert_memory_equal(message.bytes.data, "second", 6);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_NOTHING);
    drop_ring(ring, &message);
}

static void a_fragment_of_impossible_size_is_damage(void **state)
{
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    ring_write(ring, "bytes", 5, 0);
    ring->fragments[0].size = RING_FRAGMENT_BYTES + 1;
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_DAMAGED);
    drop_ring(ring, &message);
}

static void fragments_that_do_not_follow_are_damage(void **state)
{
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    ring_write(ring, "bytes", 5, 100);
    ring_write(ring, "bytes", 5, 200);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_DAMAGED);
    drop_ring(ring, &message);
}

static void a_message_beyond_the_limit_is_damage(void **state)
{
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    ring_write(ring, "bytes", 5, RING_MESSAGE_BYTES_MAX);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_DAMAGED);
    drop_ring(ring, &message);
}

/* Whatever lies in the ring's memory, reading it stays inside. */
static void an_overwritten_ring_is_read_without_harm(void **state)
{
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    memset(ring, 0xa5, sizeof *ring);
    assert_false(ring_is_intact(ring));
    assert_int_equal(ring_write(ring, "bytes", 5, 0), 0);
    ring->control.p_tail = ring->control.c_head + 7;
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_DAMAGED);
    drop_ring(ring, &message);
}

static void large_buffers_are_given_back(void **state)
{
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    ring_write(ring, "start", 5, 2 * RING_BUFFER_BYTES_KEPT);
    ring_read_message(ring, &message, RING_FRAGMENTS);
    assert_true(message.bytes.capacity > RING_BUFFER_BYTES_KEPT);
    message.is_complete = true; /* as if the rest had come */
    ring_write(ring, "next", 4, 0);
    assert_int_equal(ring_read_message(ring, &message, RING_FRAGMENTS), RING_MESSAGE);
    assert_true(message.bytes.capacity <= RING_BUFFER_BYTES_KEPT);
    assert_memory_equal(message.bytes.data, "next", 4);
    drop_ring(ring, &message);
}

/* A producer and a consumer at once, in two processes, each at its own pace. */
static void two_processes_exchange_a_stream(void **state)
{
    enum { MESSAGES = 2000, SIZE_STEP = 37, SIZE_MAX_BYTES = 40000 };
    (void)state;
    struct ring *ring = given_ring();
    struct ring_message message = {0};
    unsigned char *bytes = given_bytes(SIZE_MAX_BYTES);
    pid_t producer = fork();
    assert_true(producer >= 0);
    if (producer == 0) {
        for (size_t i = 0; i < MESSAGES; i++) {
            size_t size = 1 + i * SIZE_STEP % SIZE_MAX_BYTES;
            for (size_t done = 0; done < size;) {
                size_t written = ring_write(ring, bytes + done, size - done, 0);
                done += written;
                if (written == 0)
                    sched_yield();
            }
        }
        _exit(0);
    }
    for (size_t i = 0; i < MESSAGES; i++) {
        enum ring_status status;
        while ((status = ring_read_message(ring, &message, 3)) == RING_NOTHING)
            sched_yield();
        assert_int_equal(status, RING_MESSAGE);
        check_bytes(&message, 1 + i * SIZE_STEP % SIZE_MAX_BYTES);
    }
    int status;
    assert_int_equal(waitpid(producer, &status, 0), producer);
    assert_int_equal(status, 0);
    free(bytes);
    drop_ring(ring, &message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_sizes_pass),
        cmocka_unit_test(a_full_ring_takes_a_part),
        cmocka_unit_test(a_message_may_be_written_in_pieces),
        cmocka_unit_test(messages_stay_apart),
        cmocka_unit_test(a_fragment_of_impossible_size_is_damage),
        cmocka_unit_test(fragments_that_do_not_follow_are_damage),
        cmocka_unit_test(a_message_beyond_the_limit_is_damage),
        cmocka_unit_test(an_overwritten_ring_is_read_without_harm),
        cmocka_unit_test(large_buffers_are_given_back),
        cmocka_unit_test(two_processes_exchange_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
