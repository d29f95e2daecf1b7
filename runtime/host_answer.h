/* host_answer.h - what a host says when it is asked whether ranks can start there. */
#ifndef SHEAF_HOST_ANSWER_H
#define SHEAF_HOST_ANSWER_H

#include "hosts.h"

/* The words that ask the program there: any version of it answers with its name and version. */
#define HOST_ANSWER_COMMAND "version"
#define HOST_ANSWER_OPTION  "--for-start"

/* Answers, on standard output: whether there is room for what a start puts here. */
void host_answer_give(void);

/* What the text of an answer, and how its process ended, say of the host. */
struct host_answer {
    const char *text;    /* standard output and error, mixed with what a login shell may print */
    int exit_status;     /* as of `ssh` */
    const char *program; /* that was called there */
};
/* Sets is_gone, the reason, has_answered and own_name. */
void host_answer_take(const struct host_answer *answer, struct host *host);

#endif
