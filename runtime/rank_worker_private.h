/* rank_worker_private.h - what the files of the worker's side share: rank_worker.c takes orders,
 * rank_worker_slots.c reports what slots say and replaces spawners. */
#ifndef SHEAF_RANK_WORKER_PRIVATE_H
#define SHEAF_RANK_WORKER_PRIVATE_H

#include "rank_worker.h"

#include <bsd/sys/queue.h>

struct queued_order {
    struct work_order order; /* body points into the message below */
    unsigned char *message;  /* owned */
    uint64_t arrived_ns;
    TAILQ_ENTRY(queued_order) entry;
};

struct running_order {
    bool is_busy;
    uint64_t assignment;
    enum work work;
    struct range range;  /* shrinks as its end is taken back */
    uint64_t arrived_ns; /* when the order came */
    uint64_t idle_ns;    /* of the slot, before it could begin with it */
    uint64_t free_ns;    /* when the slot had nothing to do any more; 0: not yet so */
};

struct rank_worker {
    struct transport *transport;
    struct spawner *spawner;
    const struct topology *topology;
    const char *mpi_environment;
    uint32_t session; /* of the master that was heard last */
    int master_rank;
    uint64_t incarnation; /* 0 before WELCOME */
    struct slot_set *slots;
    bool is_ready;   /* prepare succeeded, and the spawner lives */
    bool is_retired; /* it can prepare no more: orders are refused */
    uint32_t attempts_max;
    uint32_t crashes_max;
    uint32_t prepare_failures; /* in a row */
    uint32_t spawners_lost;    /* in a row, through no fault of prepare */
    uint64_t return_ns;  /* then another spawner takes the place of one that died; 0: none has */
    bool has_past;       /* of the master's session: it had a spawner before this one */
    const char *failure; /* why it never could work; NULL: it could */
    struct running_order *running;
    TAILQ_HEAD(, queued_order) queue;
    uint64_t window_bytes;
    uint64_t unacknowledged_bytes;
    uint64_t lost_after_ns;
    bool is_under_launcher;
    uint64_t next_heartbeat_ns;
    uint64_t master_heard_ns;
    uint64_t last_poll_ns;
    bool is_over;
    bool ends_cleanly;
    int status;
};

/* rank_worker.c */

/* Sends it with who says it; returns its size. */
size_t rank_worker_send(struct rank_worker *worker, struct message *message);
void rank_worker_send_returned(struct rank_worker *worker, uint64_t assignment, struct range range,
                               bool is_whole);
/* Leaves: for good, or to return with another spawner. */
void rank_worker_say_goodbye(struct rank_worker *worker, struct message *goodbye, const char *text);
/* For good, for a reason that has nothing to do with the job. */
void rank_worker_leave(struct rank_worker *worker, const char *text);
/* Forgets its orders and its slots. */
void rank_worker_drop_work(struct rank_worker *worker);
void rank_worker_say_hello(struct rank_worker *worker);

/* rank_worker_slots.c */

void rank_worker_on_slot_event(struct rank_worker *worker, const struct slot_event *event,
                               uint64_t now_ns);
/* What there was of user code ends; another spawner begins anew. */
void rank_worker_renew(struct rank_worker *worker, uint64_t now_ns);

#endif
