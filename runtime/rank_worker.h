/* rank_worker.h - the worker's side of the run: takes orders, feeds its slots, reports.
 *
 * It runs no user code and never waits: rank.c calls rank_worker_poll in a loop and sleeps when
 * there is nothing to do. */
#ifndef SHEAF_RANK_WORKER_H
#define SHEAF_RANK_WORKER_H

#include "message.h"
#include "transport.h"

struct rank_worker;

struct rank_worker_options {
    struct transport *transport;     /* kept */
    struct spawner *spawner;         /* kept */
    const struct topology *topology; /* kept */
    const char *mpi_environment;     /* of tasks, a word; NULL: empty; kept */
    int master_rank;
    bool is_under_launcher;
    const char *failure; /* kept: why it cannot work, then without spawner; NULL: it can */
};

/* Says HELLO to the master, or GOODBYE. */
struct rank_worker *rank_worker_create(const struct rank_worker_options *options, uint64_t now_ns);
void rank_worker_destroy(struct rank_worker *worker);

/* A message from the master. Takes what it needs of it. */
void rank_worker_handle(struct rank_worker *worker, struct message *message, uint64_t now_ns);
/* A part of a long message from the master: it is there. */
void rank_worker_hear(struct rank_worker *worker, uint64_t now_ns);
/* Makes progress. True when there was something to do. */
bool rank_worker_poll(struct rank_worker *worker, uint64_t now_ns);

/* Every slot has work. */
bool rank_worker_is_busy(const struct rank_worker *worker);

/* The master said END, or has been silent for too long. */
bool rank_worker_is_over(const struct rank_worker *worker);
bool rank_worker_ends_cleanly(const struct rank_worker *worker);
int rank_worker_status(const struct rank_worker *worker);

/* What the rank's loop should be woken by. NULL before WELCOME, and while the window is closed:
 * then only the master's credit matters. */
struct slot_set *rank_worker_find_slots(const struct rank_worker *worker);

#endif
