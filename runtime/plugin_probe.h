/* plugin_probe.h - learns what a plug-in offers without running its code in this process. */
#ifndef SHEAF_PLUGIN_PROBE_H
#define SHEAF_PLUGIN_PROBE_H

#include "../scheduler/error.h"

#include <stdbool.h>

struct plugin_hooks {
    bool has_split;
    bool has_merge;
    bool has_finish;
};

/* Loads the plug-in in a child process, with a deadline of 30 s. Errors are plugin_load's, or say
 * how loading it ended the child; one that somebody has killed is made again, twice. Call it before
 * MPI starts: it forks. */
int plugin_probe(const char *path, struct plugin_hooks *hooks, struct sheaf_error *error);

#endif
