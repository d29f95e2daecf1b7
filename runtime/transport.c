/* transport.c - ordered messages between ranks over eager MPI point-to-point fragments.
 *
 * Open MPI reports no error to the survivors when a rank dies: a send to it may never complete, and
 * neither may a large receive from it (a rendezvous that was begun). Fragments therefore stay below
 * every transport's eager limit, so that a matched receive is a complete one, and each send owns
 * its buffer for as long as MPI may read it, which after a loss is for ever. */
#include "transport.h"

#include "../scheduler/bytes.h"
#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <bsd/sys/queue.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* The smallest eager limit of Open MPI's transports is 4,096 bytes with its own header (btl
     * vader and sm), of which 128 are plenty for that header. */
    FRAGMENT_BYTES = 3968,
    FRAGMENT_HEADER_BYTES = 8, /* u32 message size, u32 offset of this fragment */
    FRAGMENT_BODY_BYTES = FRAGMENT_BYTES - FRAGMENT_HEADER_BYTES,
    RECEIVES = 64,       /* posted ahead, completed strictly in order */
    SENDS_PER_PEER = 32, /* handed to MPI and not completed */
    TAG = 1,
};

struct outgoing {
    unsigned char *data; /* owned: the message, or what comes before its body */
    size_t data_size;
    unsigned char *memory;     /* owned: where the body lies, or NULL */
    const unsigned char *body; /* borrowed from memory */
    size_t size;               /* of all */
    size_t sent;
    STAILQ_ENTRY(outgoing) entry;
};

STAILQ_HEAD(outgoing_queue, outgoing);

struct send_slot {
    MPI_Request request;
    unsigned char bytes[FRAGMENT_BYTES];
};

/* One for each rank. Send slots are made when the first message goes there. */
struct peer {
    struct outgoing_queue queue;
    size_t backlog_bytes;
    struct send_slot *slots; /* a ring: first, count */
    unsigned first_slot;
    unsigned slot_count;
    bool is_active; /* in the transport's list of peers with something to send or complete */
    TAILQ_ENTRY(peer) active;
    bool is_heard; /* in the transport's list of peers that said a part of something */
    TAILQ_ENTRY(peer) heard;
    unsigned char *incoming; /* message under assembly, or NULL */
    size_t incoming_size;
    size_t incoming_filled;
};

struct receive {
    MPI_Request request;
    unsigned char bytes[FRAGMENT_BYTES];
};

struct transport {
    int rank;
    int rank_count;
    struct peer *peers;
    TAILQ_HEAD(, peer) active;
    TAILQ_HEAD(, peer) heard;
    struct outgoing_queue to_self;
    unsigned next_receive;
    uint64_t fragment_count;  /* sent and received */
    unsigned char *delivered; /* the message lent out by the last poll */
    struct receive receives[RECEIVES];
};

static int mpi_error(struct sheaf_error *error, const char *call, int code)
{
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    return sheaf_error_set(error, SHEAF_ERROR_TRANSPORT,
                           "%s failed: %.*s. Repeat the command to continue the job", call, length,
                           text);
}

static int post_receive(struct transport *transport, unsigned i, struct sheaf_error *error)
{
    struct receive *receive = &transport->receives[i];
    int code = MPI_Irecv(receive->bytes, FRAGMENT_BYTES, MPI_BYTE, MPI_ANY_SOURCE, TAG,
                         MPI_COMM_WORLD, &receive->request);
    return code == MPI_SUCCESS ? 0 : mpi_error(error, "MPI_Irecv", code);
}

int transport_create(struct transport **transport, struct sheaf_error *error)
{
    struct transport *created = memory_allocate_zeroed(1, sizeof *created);
    MPI_Comm_rank(MPI_COMM_WORLD, &created->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &created->rank_count);
    created->peers = memory_allocate_zeroed((size_t)created->rank_count, sizeof *created->peers);
    for (int i = 0; i < created->rank_count; i++)
        STAILQ_INIT(&created->peers[i].queue);
    TAILQ_INIT(&created->active);
    TAILQ_INIT(&created->heard);
    STAILQ_INIT(&created->to_self);
    for (unsigned i = 0; i < RECEIVES; i++) {
        int code = post_receive(created, i, error);
        if (code < 0)
            return code; /* the process is about to leave: MPI may still write to `created` */
    }
    *transport = created;
    return 0;
}

static void outgoing_destroy(struct outgoing *outgoing)
{
    free(outgoing->data);
    free(outgoing->memory);
    free(outgoing);
}

static void queue_clear(struct outgoing_queue *queue)
{
    while (!STAILQ_EMPTY(queue)) {
        struct outgoing *first = STAILQ_FIRST(queue);
        STAILQ_REMOVE_HEAD(queue, entry);
        outgoing_destroy(first);
    }
}

static void peer_drop_incoming(struct peer *peer)
{
    free(peer->incoming);
    peer->incoming = NULL;
    peer->incoming_size = 0;
    peer->incoming_filled = 0;
}

static bool peer_is_idle(const struct peer *peer)
{
    return STAILQ_EMPTY(&peer->queue) && peer->slot_count == 0;
}

void transport_destroy(struct transport *transport)
{
    if (transport == NULL)
        return;
    for (unsigned i = 0; i < RECEIVES; i++) {
        MPI_Cancel(&transport->receives[i].request);
        MPI_Request_free(&transport->receives[i].request);
    }
    bool mpi_holds_buffers = false;
    for (int i = 0; i < transport->rank_count; i++) {
        struct peer *peer = &transport->peers[i];
        queue_clear(&peer->queue);
        peer_drop_incoming(peer);
        if (peer->slot_count == 0)
            free(peer->slots);
        else
            mpi_holds_buffers = true;
    }
    queue_clear(&transport->to_self);
    free(transport->delivered);
    if (mpi_holds_buffers)
        return; /* sends to a lost rank: their buffers are MPI's until the process ends */
    free(transport->peers);
    free(transport);
}

int transport_rank(const struct transport *transport)
{
    return transport->rank;
}

int transport_rank_count(const struct transport *transport)
{
    return transport->rank_count;
}

/* One's own messages are lent out in one piece. */
static void join_parts(struct outgoing *outgoing)
{
    if (outgoing->memory == NULL)
        return;
    unsigned char *joined = memory_allocate(outgoing->size);
    memcpy(joined, outgoing->data, outgoing->data_size);
    memcpy(joined + outgoing->data_size, outgoing->body, outgoing->size - outgoing->data_size);
    free(outgoing->data);
    free(outgoing->memory);
    outgoing->data = joined;
    outgoing->data_size = outgoing->size;
    outgoing->memory = NULL;
}

void transport_send_parts(struct transport *transport, int rank,
                          const struct transport_parts *parts)
{
    size_t size = parts->size + parts->body_size;
    CHECK(rank >= 0 && rank < transport->rank_count);
    CHECK(size > 0 && size <= TRANSPORT_MESSAGE_BYTES_MAX);
    struct outgoing *outgoing = memory_allocate_zeroed(1, sizeof *outgoing);
    outgoing->data = parts->data;
    outgoing->data_size = parts->size;
    outgoing->memory = parts->memory;
    outgoing->body = parts->body;
    outgoing->size = size;
    if (rank == transport->rank) {
        join_parts(outgoing);
        STAILQ_INSERT_TAIL(&transport->to_self, outgoing, entry);
        return;
    }
    struct peer *peer = &transport->peers[rank];
    STAILQ_INSERT_TAIL(&peer->queue, outgoing, entry);
    peer->backlog_bytes += size;
    if (!peer->is_active) {
        peer->is_active = true;
        TAILQ_INSERT_TAIL(&transport->active, peer, active);
    }
}

void transport_send(struct transport *transport, int rank, unsigned char *data, size_t size)
{
    transport_send_parts(transport, rank, &(struct transport_parts){.data = data, .size = size});
}

size_t transport_backlog_bytes(const struct transport *transport, int rank)
{
    CHECK(rank >= 0 && rank < transport->rank_count);
    return transport->peers[rank].backlog_bytes;
}

void transport_forget(struct transport *transport, int rank)
{
    CHECK(rank >= 0 && rank < transport->rank_count);
    struct peer *peer = &transport->peers[rank];
    struct outgoing *first = STAILQ_FIRST(&peer->queue);
    /* A message that was begun must be completed, or the peer, should it live, could not tell where
     * the next one begins. */
    struct outgoing *begun = first != NULL && first->sent > 0 ? first : NULL;
    if (begun != NULL)
        STAILQ_REMOVE_HEAD(&peer->queue, entry);
    queue_clear(&peer->queue);
    peer->backlog_bytes = 0;
    if (begun != NULL) {
        STAILQ_INSERT_HEAD(&peer->queue, begun, entry);
        peer->backlog_bytes = begun->size - begun->sent;
    }
}

static void put_u32(unsigned char *target, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        target[i] = (unsigned char)(value >> (8 * i));
}

/* Copies the next `size` bytes of the message. */
static void copy_next(const struct outgoing *outgoing, unsigned char *target, size_t size)
{
    size_t data_left =
        outgoing->sent < outgoing->data_size ? outgoing->data_size - outgoing->sent : 0;
    size_t of_data = size < data_left ? size : data_left;
    if (of_data > 0)
        memcpy(target, outgoing->data + outgoing->sent, of_data);
    if (size > of_data)
        memcpy(target + of_data, outgoing->body + (outgoing->sent + of_data - outgoing->data_size),
               size - of_data);
}

/* Hands the next fragment of the peer's first message to MPI. */
static int send_fragment(struct transport *transport, struct peer *peer, struct sheaf_error *error)
{
    if (peer->slots == NULL)
        peer->slots = memory_allocate_zeroed(SENDS_PER_PEER, sizeof *peer->slots);
    struct outgoing *outgoing = STAILQ_FIRST(&peer->queue);
    struct send_slot *slot = &peer->slots[(peer->first_slot + peer->slot_count) % SENDS_PER_PEER];
    size_t left = outgoing->size - outgoing->sent;
    size_t size = left < FRAGMENT_BODY_BYTES ? left : FRAGMENT_BODY_BYTES;
    put_u32(slot->bytes, (uint32_t)outgoing->size);
    put_u32(slot->bytes + 4, (uint32_t)outgoing->sent);
    copy_next(outgoing, slot->bytes + FRAGMENT_HEADER_BYTES, size);
    int rank = (int)(peer - transport->peers);
    int code = MPI_Isend(slot->bytes, (int)size + FRAGMENT_HEADER_BYTES, MPI_BYTE, rank, TAG,
                         MPI_COMM_WORLD, &slot->request);
    if (code != MPI_SUCCESS)
        return mpi_error(error, "MPI_Isend", code);
    peer->slot_count++;
    transport->fragment_count++;
    outgoing->sent += size;
    peer->backlog_bytes -= size;
    if (outgoing->sent == outgoing->size) {
        STAILQ_REMOVE_HEAD(&peer->queue, entry);
        outgoing_destroy(outgoing);
    }
    return 0;
}

static int reap_sends(struct peer *peer, struct sheaf_error *error)
{
    while (peer->slot_count > 0) {
        int is_complete = 0;
        int code =
            MPI_Test(&peer->slots[peer->first_slot].request, &is_complete, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS)
            return mpi_error(error, "MPI_Test of a send", code);
        if (!is_complete)
            return 0;
        peer->first_slot = (peer->first_slot + 1) % SENDS_PER_PEER;
        peer->slot_count--;
    }
    return 0;
}

static int progress_sends(struct transport *transport, struct sheaf_error *error)
{
    struct peer *peer;
    struct peer *next;
    TAILQ_FOREACH_SAFE (peer, &transport->active, active, next) {
        int code = reap_sends(peer, error);
        while (code == 0 && !STAILQ_EMPTY(&peer->queue) && peer->slot_count < SENDS_PER_PEER)
            code = send_fragment(transport, peer, error);
        if (code < 0)
            return code;
        if (peer_is_idle(peer)) {
            TAILQ_REMOVE(&transport->active, peer, active);
            peer->is_active = false;
        }
    }
    return 0;
}

/* Adds a fragment to its sender's message. True when that is complete. A fragment that does not
 * continue what is there (its beginning was forgotten) is dropped. */
static bool take_fragment(struct peer *peer, const unsigned char *bytes, size_t size)
{
    struct byte_reader reader = byte_reader_of(bytes, size);
    size_t message_size = byte_reader_get_u32(&reader);
    size_t offset = byte_reader_get_u32(&reader);
    size_t body_size = byte_reader_left(&reader);
    if (reader.failed || message_size > TRANSPORT_MESSAGE_BYTES_MAX ||
        offset + body_size > message_size)
        return false;
    if (offset == 0) {
        peer_drop_incoming(peer);
        peer->incoming = memory_allocate(message_size);
        peer->incoming_size = message_size;
    }
    if (peer->incoming == NULL || peer->incoming_size != message_size ||
        peer->incoming_filled != offset) {
        peer_drop_incoming(peer);
        return false;
    }
    memcpy(peer->incoming + offset, byte_reader_get(&reader, body_size), body_size);
    peer->incoming_filled += body_size;
    return peer->incoming_filled == message_size;
}

static void lend(struct transport *transport, struct transport_message *message,
                 struct transport_message lent)
{
    free(transport->delivered);
    transport->delivered = (unsigned char *)(uintptr_t)lent.data;
    *message = lent;
}

static void note_heard(struct transport *transport, struct peer *peer)
{
    if (peer->is_heard)
        return;
    peer->is_heard = true;
    TAILQ_INSERT_TAIL(&transport->heard, peer, heard);
}

static bool take_from_self(struct transport *transport, struct transport_message *message)
{
    struct outgoing *first = STAILQ_FIRST(&transport->to_self);
    if (first == NULL)
        return false;
    STAILQ_REMOVE_HEAD(&transport->to_self, entry);
    lend(transport, message,
         (struct transport_message){
             .rank = transport->rank, .data = first->data, .size = first->size});
    free(first);
    return true;
}

/* 1 with a message, 0 when no more fragments are here. */
static int take_received(struct transport *transport, struct transport_message *message,
                         struct sheaf_error *error)
{
    for (;;) {
        struct receive *receive = &transport->receives[transport->next_receive];
        int is_complete = 0;
        MPI_Status status;
        int code = MPI_Test(&receive->request, &is_complete, &status);
        if (code != MPI_SUCCESS)
            return mpi_error(error, "MPI_Test of a receive", code);
        if (!is_complete)
            return 0;
        int size = 0;
        MPI_Get_count(&status, MPI_BYTE, &size);
        struct peer *peer = &transport->peers[status.MPI_SOURCE];
        transport->fragment_count++;
        bool is_message = take_fragment(peer, receive->bytes, (size_t)size);
        code = post_receive(transport, transport->next_receive, error);
        if (code < 0)
            return code;
        transport->next_receive = (transport->next_receive + 1) % RECEIVES;
        if (is_message) {
            lend(transport, message,
                 (struct transport_message){.rank = status.MPI_SOURCE,
                                            .data = peer->incoming,
                                            .size = peer->incoming_size});
            peer->incoming = NULL;
            peer_drop_incoming(peer);
            return 1;
        }
        note_heard(transport, peer);
    }
}

int transport_poll(struct transport *transport, struct transport_message *message,
                   struct sheaf_error *error)
{
    if (take_from_self(transport, message))
        return 1;
    int code = progress_sends(transport, error);
    if (code < 0)
        return code;
    return take_received(transport, message, error);
}

int transport_next_heard(struct transport *transport)
{
    struct peer *peer = TAILQ_FIRST(&transport->heard);
    if (peer == NULL)
        return -1;
    TAILQ_REMOVE(&transport->heard, peer, heard);
    peer->is_heard = false;
    return (int)(peer - transport->peers);
}

struct transport_part transport_incoming(const struct transport *transport, int rank)
{
    CHECK(rank >= 0 && rank < transport->rank_count);
    const struct peer *peer = &transport->peers[rank];
    return (struct transport_part){peer->incoming, peer->incoming_filled, peer->incoming_size};
}

unsigned char *transport_take_delivered(struct transport *transport)
{
    CHECK(transport->delivered != NULL);
    unsigned char *taken = transport->delivered;
    transport->delivered = NULL;
    return taken;
}

uint64_t transport_fragment_count(const struct transport *transport)
{
    return transport->fragment_count;
}

bool transport_is_flushed(const struct transport *transport)
{
    return TAILQ_EMPTY(&transport->active) && STAILQ_EMPTY(&transport->to_self);
}
