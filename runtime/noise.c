/* noise.c - leaves out what Open MPI is known to say after a loss. */
#include "noise.h"

#include "../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_LINES_MAX = 48, DASHES_MIN = 60 };

static const char *const noise_lines[] = {
    "] PMIX ERROR: ",               /* of every survivor, for every death; daemons that have gone */
    "] ORTE_ERROR_LOG: ",           /* likewise */
    "] PRTE ERROR: ",               /* likewise, 5.x */
    ": Forwarding signal ",         /* the launcher's own signals */
    ": setpgid",                    /* ... failed: what it was for has gone */
    "pml_ob1_sendreq.c:",           /* a message to a peer that has gone */
    "[btl_tcp_",                    /* "[host][[1,2],3][btl_tcp_endpoint.c:...", likewise */
    "mca_btl_tcp_",                 /* likewise */
    "[warn] Epoll ",                /* a connection that has gone, from libevent */
    "closed by remote host",        /* ssh, to a daemon that has gone */
    "client_loop: send disconnect", /* likewise */
    "Connection reset by ",         /* likewise */
    "Read from remote host ",       /* likewise */
    "more process has sent help",   /* "1 more process has sent help message ..." */
    "more processes have sent help",  /* its plural */
    "to 0 to see all help / error",   /* what follows it */
    "btl_tcp_proc_create_interface",  /* 5.x: no TCP within a host, where none is needed */
    "find reachable pairing between", /* the rest of that line, if others wrote in between */
};

static const char *const noise_blocks[] = {
    "noticed that process rank",                            /* ... exited on signal 9 (Killed) */
    "has exited due to process rank",                       /* ... "improper" */
    "Primary job  terminated normally, but",                /* ... a non-zero exit code */
    "process or daemon was unable to complete",             /* ... a TCP connection */
    "has lost communication with a remote daemon",          /* a node that has gone */
    "was unable to reliably start one or more daemons",     /* likewise: its ssh has ended */
    "socket closed by remote peer",                         /* likewise, from TCP */
    "An MPI communication peer process has unexpectedly",   /* ... disconnected */
    "Open MPI failed to TCP connect to a peer MPI process", /* "... may now hang or fail" */

};

static const char *const lost_host_lines[] = {
    "has lost communication with a remote daemon",
    "was unable to reliably start one or more daemons",
};

struct noise_filter {
    void (*pass)(void *context, const char *line, size_t size);
    void *context;
    bool is_in_block;
    bool is_noise;
    size_t line_count;
    char *lines[BLOCK_LINES_MAX];
    size_t sizes[BLOCK_LINES_MAX];
};

struct noise_filter *noise_filter_create(void (*pass)(void *context, const char *line, size_t size),
                                         void *context)
{
    struct noise_filter *filter = memory_allocate_zeroed(1, sizeof *filter);
    filter->pass = pass;
    filter->context = context;
    return filter;
}

static void drop(struct noise_filter *filter)
{
    for (size_t i = 0; i < filter->line_count; i++)
        free(filter->lines[i]);
    filter->line_count = 0;
    filter->is_in_block = false;
    filter->is_noise = false;
}

void noise_filter_destroy(struct noise_filter *filter)
{
    if (filter == NULL)
        return;
    drop(filter);
    free(filter);
}

void noise_filter_flush(struct noise_filter *filter)
{
    for (size_t i = 0; i < filter->line_count; i++)
        filter->pass(filter->context, filter->lines[i], filter->sizes[i]);
    drop(filter);
}

static bool contains_any(const char *line, size_t size, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memmem(line, size, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

static bool is_dashes(const char *line, size_t size)
{
    if (size < DASHES_MIN)
        return false;
    for (size_t i = 0; i < size; i++)
        if (line[i] != '-')
            return false;
    return true;
}

static void hold(struct noise_filter *filter, const char *line, size_t size)
{
    filter->lines[filter->line_count] = memory_copy(line, size);
    filter->sizes[filter->line_count++] = size;
    if (contains_any(line, size, noise_blocks, sizeof noise_blocks / sizeof *noise_blocks))
        filter->is_noise = true;
}

void noise_filter_feed(struct noise_filter *filter, const char *line, size_t size)
{
    bool is_border = is_dashes(line, size);
    if (!filter->is_in_block && !is_border) {
        if (!contains_any(line, size, noise_lines, sizeof noise_lines / sizeof *noise_lines))
            filter->pass(filter->context, line, size);
        return;
    }
    bool is_end = filter->is_in_block && is_border;
    filter->is_in_block = true;
    hold(filter, line, size);
    if (is_end && filter->is_noise)
        drop(filter);
    else if (is_end || filter->line_count == BLOCK_LINES_MAX)
        noise_filter_flush(filter);
}

bool noise_tells_of_lost_host(const char *line, size_t size)
{
    return contains_any(line, size, lost_host_lines,
                        sizeof lost_host_lines / sizeof *lost_host_lines);
}
