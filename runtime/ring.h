/* ring.h - a one-way byte-message channel through shared memory between a rank and an executor.
 *
 * One producer process, one consumer process. Messages of any size are cut into fragments of a
 * ck_ring. The reader may die at any instruction: nothing here is a lock. The writer may be a
 * process that runs user code, so the reader trusts nothing that it reads. */
#ifndef SHEAF_RING_H
#define SHEAF_RING_H

#include "../scheduler/bytes.h"

#include <ck_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RING_FRAGMENT_BYTES = 2040,
    RING_FRAGMENTS = 256,
    RING_MESSAGE_BYTES_MAX = 1 << 30,
    RING_BUFFER_BYTES_KEPT = 1 << 20, /* larger message buffers are freed after use */
};

struct ring_fragment {
    uint32_t size;
    uint32_t left; /* bytes of the message after this fragment */
    unsigned char bytes[RING_FRAGMENT_BYTES];
};

/* Lies in shared memory; all zero is a valid empty ring after ring_init. */
struct ring {
    struct ck_ring control;
    struct ring_fragment fragments[RING_FRAGMENTS];
};

void ring_init(struct ring *ring);
/* False when somebody wrote over the ring: then nothing in it can be used. */
bool ring_is_intact(const struct ring *ring);
/* Copies as many of the bytes as fit, as the next part of a message with `left` more bytes after
 * `size`. Returns the number taken, 0 when full (or not intact). */
size_t ring_write(struct ring *ring, const void *data, size_t size, uint64_t left);
/* Copies out the next fragment; false when empty. *left tells how much of the message follows. A
 * damaged fragment comes out with *size 0. */
bool ring_read(struct ring *ring, unsigned char bytes[RING_FRAGMENT_BYTES], size_t *size,
               uint64_t *left);
bool ring_is_empty(const struct ring *ring);
bool ring_is_full(const struct ring *ring);

/* A message that is put together from its fragments. All zero is valid and empty. */
struct ring_message {
    struct byte_writer bytes;
    uint64_t left;
    bool is_complete;
};

enum ring_status {
    RING_NOTHING = 0,  /* no complete message yet */
    RING_MESSAGE = 1,  /* message->bytes is one, until the next call */
    RING_DAMAGED = -1, /* what was read cannot have been written by ring_write */
};

void ring_message_close(struct ring_message *message);
/* Reads up to fragments_max fragments. */
enum ring_status ring_read_message(struct ring *ring, struct ring_message *message,
                                   size_t fragments_max);

#endif
