/* publish.h - writes the job's output so that it is there whole or not at all.
 *
 * The bytes go to a file beside the target (file_beside.h), which is synced and renamed. Doing it
 * again gives the same file: the step may be repeated after a crash. A target that is a device or a
 * pipe is written in place. */
#ifndef SHEAF_PUBLISH_H
#define SHEAF_PUBLISH_H

#include "../scheduler/state.h"
#include "journal.h"

struct publish_options {
    const char *path; /* borrowed for the call */
    bool has_records; /* results are records of commands: what these wrote to standard output counts
                       */
    bool is_repeated; /* an earlier run has published: a file that holds the same stays as it is */
    bool keeps_other; /* one that holds something else gets another name */
};

enum publish_outcome {
    PUBLISH_WRITTEN = 0, /* there was nothing, or nobody asked what there was */
    PUBLISH_SAME,        /* it was there, byte for byte */
    PUBLISH_REPLACED,    /* something else was there */
};

/* What something else is called that lay where the output belongs. */
#define PUBLISH_OTHER_SUFFIX ".changed"

struct publisher;

/* Starts to write the output that `state` (PHASE_PUBLISHING) describes. */
int publisher_create(const struct publish_options *options, struct publisher **publisher,
                     struct sheaf_error *error);
/* Writes some of it. 1 = there is more, 0 = published. DAMAGED leaves in *lost the range of the
 * result whose stored bytes are damaged: what INPUT_RESULT_LOST takes. */
int publisher_step(struct publisher *publisher, const struct state *state, struct journal *journal,
                   struct range *lost, struct sheaf_error *error);
/* After the last step. */
enum publish_outcome publisher_outcome(const struct publisher *publisher);
/* Removes the file beside, unless it was published. */
void publisher_destroy(struct publisher *publisher);

/* Before the run: would `path` be writable? Leaves nothing behind. */
int publish_check(const char *path, struct sheaf_error *error);
/* Published files to put together. Borrows everything. */
struct publish_join {
    const char *path; /* of the whole */
    const char *const *parts;
    size_t part_count;
    void (*keep_contact)(void *context); /* called again and again meanwhile */
    void *context;
};
/* Writes the contents of the parts, one after the other, as a publisher does. */
int publish_joined(const struct publish_join *join, struct sheaf_error *error);
/* Gives a published file another name, too, in place of what had that; false when it cannot. */
bool publish_link(const char *path, const char *name);
/* Copies a published file to a descriptor (standard output). */
int publish_copy(const char *path, int descriptor, struct sheaf_error *error);

#endif
