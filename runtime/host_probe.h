/* host_probe.h - asks the hosts of a run whether they are there, in the way mpirun will. */
#ifndef SHEAF_HOST_PROBE_H
#define SHEAF_HOST_PROBE_H

#include "hosts.h"
#include "stop_request.h"

struct host_probe_options {
    const struct run_options *options;
    const char *program;       /* this one, which is to be there as well */
    uint64_t timeout_ns;       /* for each host */
    uint64_t quiet_ns;         /* for any to answer once one has; UINT64_MAX: the same */
    uint64_t gone_quiet_ns;    /* likewise, when only those are left that were gone before */
    struct stop_request *stop; /* ends it early; then nothing is learned */
};

/* Whether hosts are asked through Slurm, which takes more than asking by ssh. */
bool host_probe_is_by_slurm(const struct run_options *options);

/* Asks the program itself, on all of them at the same time, whether ranks can start there, with
 * mpirun's own launch agent: the one that the user's options or the environment name, Slurm's srun,
 * or ssh. Sets `is_gone`, the reason, `own_name` and `has_answered` of each. This host itself is
 * there, but may lack room for the memory that its ranks share. */
void host_probe_all(struct host_list *list, const struct host_probe_options *options);

#endif
