/* spawner.h - the rank's handle on its spawner, and what the two say to each other.
 *
 * spawner_start and spawner_stop are in slot_set.h. */
#ifndef SHEAF_SPAWNER_H
#define SHEAF_SPAWNER_H

#include "shared_slot.h"
#include "slot_set.h"

#include <sys/types.h>

enum spawner_command_kind {
    SPAWNER_PREPARE = 1, /* with a descriptor of the encoded struct spawner_setup */
    SPAWNER_SPAWN,       /* with a descriptor of the slot's shared memory */
    SPAWNER_KILL,        /* an executor and its process group */
    SPAWNER_TERMINATE,   /* every executor of a job of commands ends the one that it runs */
    SPAWNER_STOP,        /* executors have a moment to end by themselves */
    SPAWNER_SUCCEED,     /* before PREPARE: make another spawner, for the job after this one, with a
                            descriptor of its socket */
};

/* Both are sent as they are: the two processes are one program. */
struct spawner_command {
    enum spawner_command_kind kind;
    uint32_t slot;           /* SPAWN: names the log */
    uint64_t executor;       /* SPAWN, KILL: unique in this rank, never 0 */
    struct slot_place place; /* SPAWN */
};

enum spawner_event_kind {
    SPAWNER_PREPARED = 1,
    SPAWNER_PREPARE_FAILED, /* text */
    SPAWNER_STARTED,        /* process */
    SPAWNER_NOT_STARTED,    /* text */
    SPAWNER_ENDED,          /* status, as of waitpid */
    SPAWNER_SUCCEEDED,      /* the first word of a successor, on its own socket: process */
};

struct spawner_event {
    enum spawner_event_kind kind;
    int status;
    uint64_t executor;
    pid_t process;
    char text[FACT_TEXT_BYTES_MAX];
};

/* Queues a command; never waits. Owns `descriptor` (-1: none). */
void spawner_send(struct spawner *spawner, const struct spawner_command *command, int descriptor);
/* 1 with the next event, 0 when there is none. Looks at the socket when there is reason to. */
int spawner_receive(struct spawner *spawner, uint64_t now_ns, struct spawner_event *event);
/* The spawner has ended and *status says how (as of waitpid; -1: not known). */
bool spawner_has_ended(struct spawner *spawner, int *status);
/* Kills it, prepare included. spawner_has_ended follows. */
void spawner_kill(struct spawner *spawner);

pid_t spawner_process(const struct spawner *spawner);
struct shared_rank *spawner_shared_rank(const struct spawner *spawner);
/* Readable when the spawner or an executor has something to say. */
int spawner_wake_descriptor(const struct spawner *spawner);
/* Messages of the spawner wait to be received. */
bool spawner_has_news(const struct spawner *spawner);
/* Empties the eventfd. */
void spawner_drain_wakes(const struct spawner *spawner);

#endif
