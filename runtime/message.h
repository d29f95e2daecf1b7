/* message.h - what ranks say to each other, and its encoding. */
#ifndef SHEAF_MESSAGE_H
#define SHEAF_MESSAGE_H

#include "../jobs/job.h"
#include "../scheduler/fact.h"
#include "placement.h"
#include "slot_set.h"

enum message_kind {
    /* worker to master */
    MESSAGE_HELLO = 1,
    MESSAGE_HEARTBEAT = 2,
    MESSAGE_REPORT = 3,
    MESSAGE_RETURNED = 4,
    MESSAGE_FAILED = 5,
    MESSAGE_TASKS = 6, /* a batch of tasks from the plug-in's split */
    MESSAGE_GOODBYE = 7,
    /* master to worker */
    MESSAGE_WELCOME = 32,
    MESSAGE_PING = 33,
    MESSAGE_ORDER = 34,
    MESSAGE_TAKE_BACK = 35,
    MESSAGE_CANCEL = 36,
    MESSAGE_CREDIT = 37, /* so many result bytes were taken in */
    MESSAGE_END = 38,    /* the run is over: leave */
    MESSAGE_STOP = 39,   /* the run is to end soon: what runs had better end */
};

/* Filled from one message; borrows from its bytes what is a pointer, but for hello's topology and
 * welcome's job, which the receiver owns (message_close). */
struct message {
    enum message_kind kind;
    uint32_t session;     /* a master's number among those of this MPI run, one for each stage of
                             the job; the sender's: 0 for a worker that knows of none yet */
    uint64_t incarnation; /* of the run that the sender believes in; 0 in HELLO */
    union {
        struct {
            struct topology topology;
            uint32_t process_id;
        } hello;
        struct {
            uint64_t assignment;
            enum work work;
            uint64_t tasks_run;
            uint64_t busy_ns;
            uint64_t idle_ns; /* before it the slot had nothing to do for so long */
            uint64_t held_ns; /* from the order's arrival to this report */
            uint32_t partial_count;
            struct partial *partials; /* on encoding borrowed; on decoding the receiver's */
            const unsigned char *payload;
            size_t payload_size;
        } report;
        struct {
            uint64_t assignment;
            struct range range;
            bool is_whole;
        } returned;
        struct {
            uint64_t assignment;
            enum work work;
            struct range range;
            enum cause cause;
            int32_t detail;
            bool is_crash;
            bool is_for_good;
            bool is_open;
            const char *text; /* not NUL-terminated */
            size_t text_size;
            const char *log; /* likewise */
            size_t log_size;
        } failed;
        struct {
            uint64_t assignment;
            const unsigned char *body; /* of SLOT_EVENT_TASKS */
            size_t body_size;
        } tasks;
        struct {
            bool prepare_failed;
            bool returns; /* HELLO follows: its spawner has died, and it makes another */
            enum cause cause;
            int32_t detail;
            const char *text;
            size_t text_size;
        } goodbye;
        struct {
            struct placement placement; /* on encoding borrowed */
            struct job job;             /* on encoding borrowed */
            uint64_t lost_after_ns;
            uint64_t window_bytes; /* result bytes a worker may have under way */
            bool has_merge;
            uint64_t world; /* slot_set.h, as the next */
            bool has_past;
            const char *run_dir; /* not NUL-terminated */
            size_t run_dir_size;
        } welcome;
        struct work_order order;
        uint64_t assignment; /* TAKE_BACK, CANCEL */
        uint64_t credit_bytes;
        struct {
            bool is_clean; /* nobody was lost: finalize together */
            uint8_t status;
        } end;
    } as;
};

/* Appends the encoding. */
void message_encode(const struct message *message, struct byte_writer *writer);
/* The assignment that a message is the report of, by its first bytes; 0: none, or too few bytes. */
uint64_t message_report_of(const void *data, size_t size);
/* MALFORMED, and *message untouched, unless all of `data` is one well-formed message. */
int message_decode(const void *data, size_t size, struct message *message,
                   struct sheaf_error *error);
/* Frees what the receiver of a decoded message owns. */
void message_close(struct message *message);

#endif
