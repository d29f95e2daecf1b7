/* input_files.h - the files that the patterns of a split name. */
#ifndef SHEAF_INPUT_FILES_H
#define SHEAF_INPUT_FILES_H

#include "job.h"

struct input_file {
    char *path;
    uint64_t size_bytes;
    int64_t changed_s; /* time of the last change of the content */
    int64_t changed_ns;
};

/* All zero is a valid empty list. Owns its elements. */
struct input_files {
    struct input_file *items;
    size_t count;
    size_t capacity;
};

void input_files_close(struct input_files *files);

/* Overwrites *files with all matches, in the order of the patterns, those of one pattern sorted
 * bytewise. INPUT for a pattern without a match, for what is not a regular file or cannot be read,
 * and for a file that is matched twice: its tasks would count twice. */
int input_files_match(const struct split *split, struct input_files *files,
                      struct sheaf_error *error);

#endif
