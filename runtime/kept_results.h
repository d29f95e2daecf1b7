/* kept_results.h - the file DIR/kept: results of tasks that the list of a run names no more, for
 * the day when it does again.
 *
 * Newest first, and bounded: what is beyond KEPT_COUNT_MAX results or KEPT_BYTES_MAX bytes is left
 * out. An entry is found by what its task does (job_task_hash). */
#ifndef SHEAF_KEPT_RESULTS_H
#define SHEAF_KEPT_RESULTS_H

#include "../jobs/job.h"

#define KEPT_RESULTS_NAME "kept"
#define KEPT_BYTES_MAX    ((uint64_t)1 << 30)

enum { KEPT_COUNT_MAX = 1000000 };

struct kept_results;

/* Opens the results that were kept for `commands` (job_command_identity); those of other commands
 * count as none, like a file that is not there. Of a file that is damaged those before the damage
 * are there, and *is_damaged is true. Takes 32 bytes of memory for each. */
int kept_results_open(const char *dir, const unsigned char commands[JOB_IDENTITY_BYTES],
                      struct kept_results **kept, bool *is_damaged, struct sheaf_error *error);
/* NULL is fine. */
void kept_results_close(struct kept_results *kept);
size_t kept_results_count(const struct kept_results *kept);
/* JOB_TASK_HASH_BYTES of result i. Borrowed. */
const unsigned char *kept_results_hash(const struct kept_results *kept, size_t i);
/* Appends the record of result i. DAMAGED when its checksum is wrong. */
int kept_results_read(const struct kept_results *kept, size_t i, struct byte_writer *writer,
                      struct sheaf_error *error);

struct kept_writer;

/* Starts DIR/kept anew. *writer is owned by the caller. */
int kept_writer_create(const char *dir, const unsigned char commands[JOB_IDENTITY_BYTES],
                       struct kept_writer **writer, struct sheaf_error *error);
/* Adds a result, in the order in which they are to be kept: 1, or 0 when there is no room. */
int kept_writer_add(struct kept_writer *writer, const unsigned char hash[JOB_TASK_HASH_BYTES],
                    struct byte_reader record, struct sheaf_error *error);
uint64_t kept_writer_count(const struct kept_writer *writer);
/* Makes all of it durable. */
int kept_writer_finish(struct kept_writer *writer, struct sheaf_error *error);
/* NULL is fine. */
void kept_writer_destroy(struct kept_writer *writer);

#endif
