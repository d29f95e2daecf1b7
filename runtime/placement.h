/* placement.h - which cores each slot owns: a pure function of the topology that a rank reports. */
#ifndef SHEAF_PLACEMENT_H
#define SHEAF_PLACEMENT_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"

#include <sched.h>
#include <stdbool.h>

enum {
    TOPOLOGY_HOST_BYTES = 256,
    TOPOLOGY_CORES_MAX = 4096,
    PLACEMENT_SLOTS_MAX = 4096, /* in one worker */
    /* A host with this many cores can spare one for the master alone. */
    PLACEMENT_CORES_TO_SPARE = 8,
};

/* What a rank knows of its host. Owns `cores`. */
struct topology {
    char host[TOPOLOGY_HOST_BYTES];
    uint32_t local_rank; /* among the ranks of this host */
    uint32_t local_count;
    uint64_t memory_bytes;
    uint32_t core_count;
    cpu_set_t *cores; /* the allowed hardware threads of each core, neighbours beside each other */
};

/* Asks hwloc for the cores that this process is allowed to use. */
int topology_discover(struct topology *topology, struct sheaf_error *error);
void topology_close(struct topology *topology);
void topology_encode(const struct topology *topology, struct byte_writer *writer);
int topology_decode(struct byte_reader *reader, struct topology *topology,
                    struct sheaf_error *error);

/* The cores of one worker's slots. Owns `slot_cpus`. */
struct placement {
    uint32_t slot_count;
    cpu_set_t *slot_cpus;
    bool is_shared; /* more slots on the host than cores: some share */
};

/* Gives worker number `worker_index` of the `worker_count` on its host an equal share of the cores
 * (all but the first where has_master and cores are plenty), and cuts the share into `slot_count`
 * slots (0: one a core). A worker always has one slot at least. */
struct placement_request {
    uint32_t worker_index;
    uint32_t worker_count;
    uint32_t slot_count;
    bool has_master;
};
void placement_make(const struct topology *topology, struct placement_request request,
                    struct placement *placement);
void placement_close(struct placement *placement);

void cpu_set_encode(const cpu_set_t *cpus, struct byte_writer *writer);
void cpu_set_decode(struct byte_reader *reader, cpu_set_t *cpus);
/* "0-3,8" into text; returns the length, like snprintf. */
int cpu_set_describe(const cpu_set_t *cpus, char *text, size_t text_size);

#endif
