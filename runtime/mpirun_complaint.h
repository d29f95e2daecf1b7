/* mpirun_complaint.h - the one line, of all that mpirun prints when it cannot start, that says what
 * is wrong. */
#ifndef SHEAF_MPIRUN_COMPLAINT_H
#define SHEAF_MPIRUN_COMPLAINT_H

#include <stdbool.h>
#include <stddef.h>

enum { MPIRUN_COMPLAINT_BYTES = 400, MPIRUN_COMPLAINT_HOST_BYTES = 256 };

/* How much a line tells. */
enum complaint_grade {
    COMPLAINT_NONE,
    COMPLAINT_INTERNAL, /* "[host:17] ...": where in Open MPI something went wrong */
    COMPLAINT_PLAIN,    /* a sentence for people */
    COMPLAINT_KNOWN,    /* the cause */
};

/* All zero: nothing was said. */
struct mpirun_complaint {
    enum complaint_grade grade;
    bool goes_on;  /* the next line may be part of the sentence */
    bool is_fatal; /* mpirun is known to hang after that */
    char text[MPIRUN_COMPLAINT_BYTES];
    char host[MPIRUN_COMPLAINT_HOST_BYTES]; /* that it is about, if not this one; "": not known */
    bool has_several_hosts;                 /* it is about more than one of these */
};

/* Takes a line of mpirun's standard error, without its newline. */
void mpirun_complaint_feed(struct mpirun_complaint *complaint, const char *line, size_t size);

#endif
