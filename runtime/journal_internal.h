/* journal_internal.h - what the parts of the journal share: two threads, one queue of blocks.
 *
 * The caller's thread fills blocks and queues them; the writer thread writes, syncs and rotates.
 * The mutex guards the queue and the block that is still open. A block that left the queue belongs
 * to the writer until is_written; its records' bytes do not change any more, so the caller may read
 * them all the time. Only the caller frees blocks, and none while a rotation is under way. */
#ifndef SHEAF_JOURNAL_INTERNAL_H
#define SHEAF_JOURNAL_INTERNAL_H

#include "../scheduler/range_set.h"
#include "journal.h"
#include "segment_file.h"
#include "segment_output.h"

#include <bsd/sys/queue.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    JOURNAL_BLOCK_BYTES = 256 << 10,  /* small records are grouped up to this */
    JOURNAL_LARGE_BYTES = 64 << 10,   /* a payload from here on has a block for itself */
    JOURNAL_BLOCK_BYTES_FIRST = 4000, /* room in a block that may stay small */
    JOURNAL_MEMORY_BYTES = 64 << 20,  /* written payloads kept for merges */
    JOURNAL_GROWTH_BYTES = 64 << 20,  /* of a segment, however much is live: what recovery reads */
};

/* How long a block waits for more records before it is written. */
#define JOURNAL_GROUP_NS ((uint64_t)5000000)

enum block_residence {
    BLOCK_UNWRITTEN, /* in journal->unwritten */
    BLOCK_RECENT,    /* in journal->recent: written, and still in memory for its payloads */
    BLOCK_ON_DISK,   /* in no list */
};

struct rotation;

/* Records in memory, on their way to the disk, or the place of a block on disk that holds live
 * payloads. */
struct journal_block {
    struct block_bytes content;     /* empty when the bytes are on disk only */
    struct block_location location; /* valid once is_written */
    atomic_bool is_written;
    uint64_t opened_ns;
    bool is_sealed;            /* guarded by the mutex: takes no more records */
    struct rotation *rotation; /* not a block, but the place of a rotation in the queue */
    uint64_t payload_bytes;
    size_t payload_count; /* live payloads in it */
    enum block_residence residence;
    TAILQ_ENTRY(journal_block) in_queue;
    TAILQ_ENTRY(journal_block) in_memory;
};

TAILQ_HEAD(block_queue, journal_block);

/* A live payload: bytes [base, base + size) of the payload of fact `seq`. */
struct payload {
    uint64_t seq;
    uint64_t base_bytes;
    uint64_t size_bytes;
    uint64_t record_offset_bytes; /* in the raw block */
    struct journal_block *block;
};

/* Ascending by seq, which is the order in which payloads come. All zero is valid and empty. */
struct payload_table {
    struct payload *items;
    size_t count;
    size_t capacity;
};

/* `payload->seq` must be above all in the table. */
void payload_table_add(struct payload_table *table, const struct payload *payload);
struct payload *payload_table_find(const struct payload_table *table, uint64_t seq);
void payload_table_close(struct payload_table *table);

/* Encoded entries of RECORD_PAYLOAD_MAP. */
enum { PAYLOAD_ENTRY_BYTES = 48 };
void payload_entry_put(struct byte_writer *writer, const struct payload *payload);
/* Reads an entry; *location takes the place of its block. */
void payload_entry_get(struct byte_reader *reader, struct payload *payload,
                       struct block_location *location);

/* Finds payloads in memory and on disk. Keeps the last segment open and the last block read. */
struct payload_reader {
    const struct disk *disk; /* kept */
    const char *dir;         /* kept */
    bool has_file;
    struct segment_file file;
    bool has_block;
    struct block_location location;
    struct block_buffer buffer;
};

void payload_reader_close(struct payload_reader *reader);
/* The bytes [payload->base_bytes, + size_bytes), borrowed until the next call. DAMAGED when they
 * are not what was written. */
int payload_reader_find(struct payload_reader *reader, const struct payload *payload,
                        const unsigned char **bytes, struct sheaf_error *error);

/* The live payload that holds the partial's bytes, or NULL. */
const struct payload *payload_table_find_slice(const struct payload_table *table,
                                               const struct partial *partial);
/* Sets and returns DAMAGED: there is none. */
int payload_is_lost(const struct partial *partial, struct sheaf_error *error);
/* Appends the bytes of a partial, which `held` holds. */
int payload_reader_copy(struct payload_reader *reader, const struct payload *held,
                        const struct partial *partial, struct byte_writer *writer,
                        struct sheaf_error *error);

/* The place of a block on disk. */
struct journal_block *journal_block_create_on_disk(struct block_location location);
void journal_block_destroy(struct journal_block *block);

/* A new segment to be written. Owns its blocks until they are handed over. */
struct rotation {
    uint64_t seq;                /* of the snapshot */
    struct block_queue snapshot; /* the encoded facts */
    struct payload *live;        /* the caller's table at that time; the writer updates what it
                                    copies to carriers */
    size_t live_count;
    uint64_t live_bytes;
    struct range_set damaged;    /* segments, by start_seq: nothing is to be left in them */
    struct block_queue carriers; /* out: places of the copies; the caller takes them over */
    atomic_bool is_done;
    struct journal_block mark; /* its place in the queue */
};

/* What the writer knows of a file. */
struct segment_entry {
    uint64_t start_seq;
    uint64_t size_bytes;
    uint64_t live_bytes; /* while a rotation is planned */
    bool is_needed;      /* by the last snapshot, or written after it */
    bool was_needed;     /* by the snapshot before, which is kept to fall back on */
    bool is_damaged;     /* while a rotation is planned: it is to go */
};

/* All that journal_open learns from the files. Owns everything in it. */
struct journal_recovered {
    struct segment_list segments;
    size_t base;         /* index of the segment whose snapshot was used */
    uint64_t tail_bytes; /* where the sound blocks of the last segment end; 0: write the header */
    uint64_t head_bytes; /* where its snapshot ends */
    bool is_damaged;     /* beyond a torn tail: write a new snapshot soon */
    struct range_set damaged; /* segments in which damage was found, by start_seq */
    uint64_t fact_count;      /* replayed */
    uint64_t last_seq;        /* of them, or lost behind them */
    struct payload_table payloads;
    struct byte_writer job; /* RECORD_JOB of the job, empty while unknown */
};

struct journal_reading {
    const char *dir;
    const struct disk *disk;
    const unsigned char *identity; /* NULL: any */
};

/* Replays what the directory holds; writes nothing. */
int journal_recover(const struct journal_reading *reading, struct journal_recovery *recovery,
                    struct journal_recovered *recovered, struct sheaf_error *error);
void journal_recovered_close(struct journal_recovered *recovered);

/* Touched by the writer thread alone once it runs. */
struct journal_writer {
    struct segment_place place;
    struct segment_output output;
    uint64_t head_bytes; /* where the snapshot of the current segment ends */
    uint64_t written_seq;
    uint64_t unsynced_since_ns; /* 0: all is synced */
    struct segment_entry *segments;
    size_t segment_count;
    size_t segment_capacity;
    struct payload_reader reader;
};

struct journal {
    char *dir;
    struct journal_options options;

    /* The caller's. */
    uint64_t last_seq;
    uint64_t snapshot_seq;    /* start of the last segment asked for */
    bool is_healing;          /* damage was found: a snapshot is due */
    struct range_set damaged; /* segments in which damage was found since the last one */
    struct byte_writer job;
    struct payload_table payloads;
    struct payload_reader reader;
    struct block_queue unwritten;
    struct block_queue recent;
    uint64_t recent_bytes;
    struct rotation *rotation;

    /* Guarded by the mutex. */
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    struct block_queue queue;
    struct journal_block *open; /* the last of the queue while it takes records */
    uint64_t want_seq;
    bool is_stopping;

    /* From the writer to the caller. `failure` is written once, before has_failed. */
    atomic_uint_least64_t durable_seq;
    atomic_uint_least64_t queue_bytes;
    atomic_uint_least64_t growth_bytes; /* of the current segment behind its snapshot */
    atomic_uint_least64_t growth_bytes_max;
    atomic_uint_least64_t size_bytes;
    atomic_bool has_failed;
    struct sheaf_error failure;

    struct journal_writer writer;
    pthread_t thread;
};

/* The writer thread. */
void *journal_writer_run(void *journal);
uint64_t journal_now_ns(void);
/* Makes what was written durable, and publishes it. */
int journal_writer_sync(struct journal *journal, struct sheaf_error *error);
/* Tells the caller how large everything is. */
void journal_writer_publish_sizes(struct journal *journal);
void journal_writer_add_segment(struct journal_writer *writer, const struct segment_entry *entry);
/* NULL when there is none. */
struct segment_entry *journal_writer_find_segment(const struct journal_writer *writer,
                                                  uint64_t start_seq);
/* Sets how much the current segment may grow before a snapshot is due. */
void journal_writer_limit_growth(struct journal *journal, uint64_t live_bytes);

/* Writes the rotation's segment and goes on in it. */
int journal_rotate(struct journal *journal, struct rotation *rotation, struct sheaf_error *error);
void rotation_destroy(struct rotation *rotation);

/* The caller's side. */

/* Returns a new block with room for size_bytes of records. It begins with a copy of the job, once
 * that is known: see RECORD_JOB. */
struct journal_block *journal_block_start(const struct journal *journal, uint64_t first_seq,
                                          size_t size_bytes);
void journal_block_put(struct journal_block *block, const struct fact *fact, const void *payload,
                       size_t payload_size);
/* Under the mutex: the block that takes records takes no more. */
void journal_seal_open_block(struct journal *journal);
/* Lets go of one live payload of the block, which is freed after its last. */
void journal_block_release(struct journal *journal, struct journal_block *block);
/* Frees or files away what the writer is done with, and bounds the memory of recent payloads. */
void journal_sweep(struct journal *journal);
/* Takes over where a finished rotation has put payloads. */
void journal_collect_rotation(struct journal *journal);
#endif
