/* slot.h - one slot of a rank: its executor, the order that it runs, and the watch over both. */
#ifndef SHEAF_SLOT_H
#define SHEAF_SLOT_H

#include "slot_message.h"
#include "spawner.h"

enum { SLOT_START_FAILURES_MAX = 50 };

/* What the slots of a set have in common. */
struct slot_group {
    struct spawner *spawner; /* borrowed */
    uint64_t timeout_ns;     /* 0 = none; for commands, which end themselves at it, later */
    uint64_t task_timeout_ns;
    uint64_t memory_bytes;
    uint64_t descendants_interval_ns; /* between looks at what tasks have started; 0: no need */
    bool has_merge;
    bool merge_is_suspect; /* a merge crashed an executor: leave merging to MERGE orders */
    bool is_stopping;
    bool has_told_of_copies;
    uint64_t watch_interval_ns;
    uint64_t orders_given;
    uint64_t executors_started;
    uint32_t start_failures; /* in a row; at most SLOT_START_FAILURES_MAX */
    char start_failure[FACT_TEXT_BYTES_MAX];
    struct partial partials[FACT_PARTIALS_MAX]; /* of the event given out last */
};

struct slot {
    struct slot_group *group; /* borrowed */
    uint32_t number;
    struct slot_place place;

    /* The executor. */
    uint64_t executor;          /* 0: none; one is started for the next order */
    struct shared_slot *shared; /* NULL: none */
    pid_t process;              /* once it is started */
    int memory;                 /* descriptor to ask how much it uses, or -1 */
    bool is_started;
    bool has_ended;
    int end_status;
    uint64_t retry_at_ns;  /* after a start that failed */
    enum cause kill_cause; /* why we killed it, or CAUSE_NONE */

    /* The order. */
    bool is_busy;
    uint64_t assignment;
    struct slot_order order;     /* its range shrinks when tasks are taken back */
    struct byte_writer outgoing; /* header and body */
    size_t outgoing_sent;
    struct ring_message incoming;

    /* The watch: how long the executor has been in one step. */
    bool is_watched;
    uint64_t step;
    uint64_t step_ns;
    uint64_t watched_ns;
    uint64_t descendants_watched_ns;
};

void slot_init(struct slot *slot, struct slot_group *group, uint32_t number,
               const struct slot_place *place);
/* Lets an idle executor close and end, kills a busy one. */
void slot_close(struct slot *slot);

/* Starts an executor ahead of the first order. */
void slot_start_executor(struct slot *slot);
void slot_give(struct slot *slot, const struct work_order *order);
struct range slot_take_back(struct slot *slot);
void slot_cancel(struct slot *slot);
/* The group is to stop: the executor may know. */
void slot_tell_stop(struct slot *slot);

/* An event of the spawner about the slot's present executor. */
void slot_hear(struct slot *slot, const struct spawner_event *event);
/* 1 with an event, 0 when there is none. */
int slot_poll(struct slot *slot, uint64_t now_ns, struct slot_event *event);
/* The memory of the last event's body; owned by the caller from now on. */
unsigned char *slot_take_body(struct slot *slot);
/* slot_poll would do something. */
bool slot_has_news(const struct slot *slot);
/* When slot_poll must be called; UINT64_MAX: no need. */
uint64_t slot_next_poll_ns(const struct slot *slot);

#endif
