/* checked_file.h - small files of a run directory that outlive a few bad bytes.
 *
 * The text stands in the file twice, each time with a last line "check CRC-32". Text without such a
 * line is of an earlier version, and is taken as it is. */
#ifndef SHEAF_CHECKED_FILE_H
#define SHEAF_CHECKED_FILE_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"

/* Replaces DIR/NAME as a whole, synced. The text is empty, or ends with a newline. */
int checked_file_write(const char *dir, const char *name, const void *text, size_t size,
                       struct sheaf_error *error);
/* Appends what was written. NOT_FOUND when there is no file; DAMAGED when neither text is whole;
 * then `text` is as before. */
int checked_file_read(const char *dir, const char *name, struct byte_writer *text,
                      struct sheaf_error *error);

#endif
