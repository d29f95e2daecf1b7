/* transport.h - messages between ranks: ordered, of any size up to a limit, never waiting for
 * anybody.
 *
 * A message travels in fragments small enough to be sent eagerly, so that no send and no receive
 * ever depends on a peer that may be dead. The transport owns every buffer until MPI is done with
 * it. A message to the own rank is delivered by a queue in memory. */
#ifndef SHEAF_TRANSPORT_H
#define SHEAF_TRANSPORT_H

#include "../scheduler/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A result of 1 GiB and what describes it. */
enum { TRANSPORT_MESSAGE_BYTES_MAX = (1 << 30) + (16 << 20) };

struct transport;

/* MPI must be initialized (session.h). */
int transport_create(struct transport **transport, struct sheaf_error *error);
/* Abandons what is still under way: never waits. */
void transport_destroy(struct transport *transport);

int transport_rank(const struct transport *transport);
int transport_rank_count(const struct transport *transport);

/* Queues a message; takes ownership of `data` (malloc'ed). Never blocks. */
void transport_send(struct transport *transport, int rank, unsigned char *data, size_t size);
/* A message in two parts: a large body is not copied, which on a busy machine takes seconds. */
struct transport_parts {
    unsigned char *data; /* malloc'ed */
    size_t size;
    unsigned char *memory;     /* malloc'ed, or NULL: there is no body */
    const unsigned char *body; /* somewhere in memory */
    size_t body_size;
};

/* Likewise; takes ownership of data and memory. */
void transport_send_parts(struct transport *transport, int rank,
                          const struct transport_parts *parts);
/* Bytes queued to `rank` and not yet handed to MPI: what back-pressure looks at. */
size_t transport_backlog_bytes(const struct transport *transport, int rank);
/* Drops everything queued to a rank that counts as lost. It may speak again later: what it has half
 * said, a result perhaps, is then completed. */
void transport_forget(struct transport *transport, int rank);

struct transport_message {
    int rank; /* the sender */
    const unsigned char *data;
    size_t size;
};

/* Makes progress. 1 with the next complete message (borrowed until the next poll), 0 when there is
 * none. */
int transport_poll(struct transport *transport, struct transport_message *message,
                   struct sheaf_error *error);
/* A rank that has said a part of a message, not yet the whole, since it was named here last: it is
 * not silent. Call it until it returns -1, for none. */
int transport_next_heard(struct transport *transport);
/* What has come of a message that is not complete. */
struct transport_part {
    const unsigned char *data; /* borrowed until the next poll; NULL when there is none */
    size_t filled;             /* so many bytes have come ... */
    size_t size;               /* ... of so many */
};

struct transport_part transport_incoming(const struct transport *transport, int rank);
/* The bytes of the message that was delivered last, which the caller owns from now on: what it
 * borrowed from them stays valid until it frees them. */
unsigned char *transport_take_delivered(struct transport *transport);
/* Fragments sent and received so far: while it grows the transport is at work, even when no message
 * is complete yet. */
uint64_t transport_fragment_count(const struct transport *transport);
/* True when everything queued was handed over to MPI and completed there. */
bool transport_is_flushed(const struct transport *transport);

#endif
