/* host_selection.h - which hosts the next start of a run uses, and what people are told of it. */
#ifndef SHEAF_HOST_SELECTION_H
#define SHEAF_HOST_SELECTION_H

#include "hosts.h"
#include "stop_request.h"

struct host_selection {
    const struct run_options *options;
    const char *program; /* this one */
    struct host_list *list;
    struct stop_request *stop;
    void (*say)(void *context, const char *text);
    void *context;
    bool has_asked;           /* at least once */
    bool has_failed_to_start; /* the last one did, on all hosts that seemed to be there */
};

/* Finds out on which hosts a start can succeed, and says what has changed. mpirun would hang or
 * fail with one where it cannot. A host on which the last start failed is left out of the next,
 * unless no other is left. */
void host_selection_ask(struct host_selection *selection);

/* A start failed on `host`, as that calls itself. False when that is none of the run's, or the only
 * one that can be used. */
bool host_selection_blame(struct host_selection *selection, const char *host, const char *reason);
/* A start went well. */
void host_selection_forget_blame(struct host_selection *selection);

#endif
