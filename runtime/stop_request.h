/* stop_request.h - the signals by which the launcher is asked to stop, as data. */
#ifndef SHEAF_STOP_REQUEST_H
#define SHEAF_STOP_REQUEST_H

#include "../scheduler/error.h"

#include <stdbool.h>
#include <stdint.h>

struct stop_request {
    int descriptor;       /* readable when a signal has come, or a child has ended */
    bool is_asked;        /* SIGINT, SIGTERM, SIGHUP or SIGUSR1 came */
    bool is_urgent;       /* a second SIGINT came: at once */
    int signal_number;    /* the first of them */
    uint64_t asked_at_ns; /* when it came */
};

/* From now on these signals, and SIGCHLD, arrive here instead of ending the process. Those that the
 * parent had ignored (nohup, background jobs) stay ignored. SIGPIPE is ignored. */
int stop_request_open(struct stop_request *request, struct sheaf_error *error);
void stop_request_close(struct stop_request *request);
/* Takes in what has come. Never waits. */
void stop_request_update(struct stop_request *request, uint64_t now_ns);
/* Waits for a signal, at most so long. */
void stop_request_wait(struct stop_request *request, uint64_t duration_ns);

#endif
