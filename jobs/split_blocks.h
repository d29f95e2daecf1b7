/* split_blocks.h - cuts a text file exactly at line ends, into blocks that are never empty. */
#ifndef SHEAF_SPLIT_BLOCKS_H
#define SHEAF_SPLIT_BLOCKS_H

#include "input_files.h"
#include "split_lines.h"

struct block_cutter;

/* Keeps a copy of what `file` says: it must not change until the last block. */
int block_cutter_open(const struct input_file *file, uint64_t block_bytes,
                      struct block_cutter **cutter, struct sheaf_error *error);
/* NULL is fine. */
void block_cutter_close(struct block_cutter *cutter);

/* The next block: as many whole lines as block_bytes hold, or one line that is longer. 1 = one,
 * 0 = no more. The block borrows from the cutter. LIMIT for a line longer than
 * SPLIT_LINES_BYTES_MAX; INPUT when the file cannot be read or was cut short. */
int block_cutter_next(struct block_cutter *cutter, struct line_block *block,
                      struct sheaf_error *error);

#endif
