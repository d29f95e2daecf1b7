/* hosts.h - on how many hosts a run is to take place. */
#ifndef SHEAF_HOSTS_H
#define SHEAF_HOSTS_H

#include "options.h"

/* Different hosts in --hostfile, --host or the allocation of a batch system (Slurm, PBS), in this
 * order; 0 when none of them names any, so that the run stays on this host. INPUT when the hostfile
 * cannot be read or names none. */
int hosts_count(const struct run_options *options, uint32_t *count, struct sheaf_error *error);

#endif
