/* ring.c - byte messages as fragments of a single-producer, single-consumer ck_ring. */
#include "ring.h"

#include "../scheduler/check.h"

#include <string.h>

void ring_init(struct ring *ring)
{
    ck_ring_init(&ring->control, RING_FRAGMENTS);
}

bool ring_is_intact(const struct ring *ring)
{
    return ring->control.mask == RING_FRAGMENTS - 1 && ring->control.size == RING_FRAGMENTS;
}

bool ring_is_empty(const struct ring *ring)
{
    return ck_pr_load_uint(&ring->control.c_head) == ck_pr_load_uint(&ring->control.p_tail);
}

bool ring_is_full(const struct ring *ring)
{
    unsigned int used =
        ck_pr_load_uint(&ring->control.p_tail) - ck_pr_load_uint(&ring->control.c_head);
    return used >= RING_FRAGMENTS - 1; /* ck_ring keeps one entry free */
}

/* Like the dequeue below: who reads may write over the control block at any time, also between a
 * look at it and its use, so its mask is not used. */
static struct ring_fragment *reserve(struct ring *ring, unsigned int producer)
{
    unsigned int consumer = ck_pr_load_uint(&ring->control.c_head);
    if (((producer + 1) & (RING_FRAGMENTS - 1)) == (consumer & (RING_FRAGMENTS - 1)))
        return NULL;
    return &ring->fragments[producer & (RING_FRAGMENTS - 1)];
}

size_t ring_write(struct ring *ring, const void *data, size_t size, uint64_t left)
{
    CHECK(size <= RING_MESSAGE_BYTES_MAX && left <= RING_MESSAGE_BYTES_MAX);
    size_t written = 0;
    while (written < size && ring_is_intact(ring)) {
        unsigned int producer = ck_pr_load_uint(&ring->control.p_tail);
        struct ring_fragment *fragment = reserve(ring, producer);
        if (fragment == NULL)
            break;
        size_t part = size - written < RING_FRAGMENT_BYTES ? size - written : RING_FRAGMENT_BYTES;
        memcpy(fragment->bytes, (const unsigned char *)data + written, part);
        written += part;
        fragment->size = (uint32_t)part;
        fragment->left = (uint32_t)(size - written + left);
        ck_pr_fence_store();
        ck_pr_store_uint(&ring->control.p_tail, producer + 1);
    }
    return written;
}

/* ck_ring's dequeue copies whole entries; this is the same protocol (_ck_ring_dequeue_sc of
 * Concurrency Kit 0.7.1) that copies the used part only, with a mask that nobody can write over. */
bool ring_read(struct ring *ring, unsigned char bytes[RING_FRAGMENT_BYTES], size_t *size,
               uint64_t *left)
{
    unsigned int consumer = ring->control.c_head;
    if (consumer == ck_pr_load_uint(&ring->control.p_tail))
        return false;
    ck_pr_fence_load();
    const struct ring_fragment *fragment = &ring->fragments[consumer & (RING_FRAGMENTS - 1)];
    uint32_t fragment_size = ck_pr_load_32(&fragment->size);
    if (fragment_size > RING_FRAGMENT_BYTES)
        fragment_size = 0;
    memcpy(bytes, fragment->bytes, fragment_size);
    *size = fragment_size;
    *left = ck_pr_load_32(&fragment->left);
    ck_pr_fence_release();
    ck_pr_store_uint(&ring->control.c_head, consumer + 1);
    return true;
}

void ring_message_close(struct ring_message *message)
{
    byte_writer_close(&message->bytes);
    *message = (struct ring_message){0};
}

static void begin_message(struct ring_message *message)
{
    message->is_complete = false;
    message->left = 0;
    if (message->bytes.capacity > RING_BUFFER_BYTES_KEPT)
        byte_writer_close(&message->bytes);
    byte_writer_clear(&message->bytes);
}

/* Reserves the whole message at its first fragment, so that it grows once. */
static bool append_fragment(struct ring_message *message, const unsigned char *bytes, size_t size,
                            uint64_t left)
{
    bool is_first = message->bytes.size == 0;
    if (size == 0 || size + left > RING_MESSAGE_BYTES_MAX)
        return false;
    if (is_first) {
        byte_writer_reserve(&message->bytes, size + left);
        byte_writer_clear(&message->bytes);
    } else if (size + left != message->left) {
        return false;
    }
    byte_writer_put(&message->bytes, bytes, size);
    message->left = left;
    message->is_complete = left == 0;
    return true;
}

enum ring_status ring_read_message(struct ring *ring, struct ring_message *message,
                                   size_t fragments_max)
{
    unsigned char bytes[RING_FRAGMENT_BYTES];
    size_t size;
    uint64_t left;
    if (message->is_complete)
        begin_message(message);
    for (size_t i = 0; i < fragments_max; i++) {
        if (!ring_read(ring, bytes, &size, &left))
            return RING_NOTHING;
        if (!append_fragment(message, bytes, size, left))
            return RING_DAMAGED;
        if (message->is_complete)
            return RING_MESSAGE;
    }
    return RING_NOTHING;
}
