/* input_store.h - the input bytes of all tasks, in two files of the run directory.
 *
 * `inputs.data` holds the bytes one after the other; `inputs.index` one fixed entry a task: offset,
 * size, CRC-32. Written once while splitting, then mapped: nothing of it counts as memory of the
 * master. */
#ifndef SHEAF_INPUT_STORE_H
#define SHEAF_INPUT_STORE_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"
#include "../scheduler/range.h"

#define INPUT_DATA_NAME  "inputs.data"
#define INPUT_INDEX_NAME "inputs.index"
/* u64 offset, u32 size, u32 CRC-32 of the bytes; the inputs lie without gaps. */
enum { INPUT_ENTRY_BYTES = 16 };

struct input_writer;

/* Starts both files anew in directory `dir` (an earlier, unfinished split is overwritten). */
int input_writer_create(const char *dir, struct input_writer **writer, struct sheaf_error *error);
/* LIMIT when size is 2^32 or more. After an error the writer can only be destroyed. */
int input_writer_add(struct input_writer *writer, const void *data, size_t size,
                     struct sheaf_error *error);
uint64_t input_writer_task_count(const struct input_writer *writer);
/* Flushes and syncs; gives what JOB_ACCEPTED records. */
int input_writer_finish(struct input_writer *writer, uint64_t *input_bytes, uint32_t *index_crc,
                        struct sheaf_error *error);
/* Closes; what was not finished stays behind and is overwritten by the next split. NULL is fine. */
void input_writer_destroy(struct input_writer *writer);

struct input_store;

/* Opens for reading and checks sizes and the index CRC against JOB_ACCEPTED: DAMAGED otherwise. */
int input_store_open(const char *dir, uint64_t task_count, uint64_t input_bytes, uint32_t index_crc,
                     struct input_store **store, struct sheaf_error *error);
void input_store_close(struct input_store *store);
/* Appends (u32 size, bytes) for each task of the range; checks each CRC: DAMAGED names the task,
 * and the writer is as before. */
int input_store_read(struct input_store *store, struct range range, struct byte_writer *writer,
                     struct sheaf_error *error);
/* How many tasks of `range`, from its first, fit into size_bytes_max as input_store_read appends
 * them; at least 1, unless the range is empty. */
uint64_t input_store_fit(struct input_store *store, struct range range, uint64_t size_bytes_max);

#endif
