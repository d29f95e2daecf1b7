/* mpirun_output.h - what mpirun and the ranks print: a part is for the launcher, a part for people,
 * a part is noise, and all of it goes to the log of the run. */
#ifndef SHEAF_MPIRUN_OUTPUT_H
#define SHEAF_MPIRUN_OUTPUT_H

#include "control.h"
#include "mpirun_complaint.h"

struct mpirun_output;

enum mpirun_stream { MPIRUN_STREAM_OUT, MPIRUN_STREAM_ERROR, MPIRUN_STREAMS };

struct mpirun_output_events {
    void (*line)(void *context, const struct control_line *line);
    /* A line for people, without its newline. */
    void (*show)(void *context, const char *text, size_t size);
    void *context;
};

/* Copies events. All passes at once when is_verbose; else noise does not, and nothing before the
 * master's first word: if that never comes, mpirun_output_complaint says why. */
struct mpirun_output *mpirun_output_create(const struct mpirun_output_events *events,
                                           bool is_verbose);
void mpirun_output_destroy(struct mpirun_output *output);

/* Until the master holds the run directory nothing may be written there: the log begins in memory.
 * Now it goes to `path`, behind what is there. Without a log (a full disk) all goes on. */
void mpirun_output_open_log(struct mpirun_output *output, const char *path);

void mpirun_output_feed(struct mpirun_output *output, enum mpirun_stream stream, const char *data,
                        size_t size);
/* A line of the launcher's own for the log. */
void mpirun_output_note(struct mpirun_output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether mpirun has said that it lost a host. */
bool mpirun_output_has_lost_host(const struct mpirun_output *output);
/* What mpirun has complained of before the master's first word. */
const struct mpirun_complaint *mpirun_output_complaint(const struct mpirun_output *output);
/* The streams have ended: gives out what was held. */
void mpirun_output_flush(struct mpirun_output *output);

#endif
