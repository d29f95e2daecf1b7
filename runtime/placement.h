/* placement.h - which cores each slot owns: a pure function of the topology that a rank reports. */
#ifndef SHEAF_PLACEMENT_H
#define SHEAF_PLACEMENT_H

#include "../jobs/job.h"

#include <sched.h>

enum {
    TOPOLOGY_HOST_BYTES = 256,
    TOPOLOGY_CORES_MAX = 4096,
    PLACEMENT_SLOTS_MAX = 4096, /* in one worker */
    /* A host with this many cores can spare one for the master alone. */
    PLACEMENT_CORES_TO_SPARE = 8,
    TOPOLOGY_GPUS_MAX = 64,
    GPU_NAME_BYTES = 48, /* holds "GPU-" with a UUID, and its terminating NUL */
    SLOT_GPUS_BYTES = JOB_GPUS_MAX * GPU_NAME_BYTES,
};

struct topology_gpu {
    char name[GPU_NAME_BYTES]; /* as in CUDA_VISIBLE_DEVICES */
    cpu_set_t near;            /* hardware threads close to it; empty = not known */
};

/* What a rank knows of its host. Owns `cores`, `caches` and `gpus`. */
struct topology {
    char host[TOPOLOGY_HOST_BYTES];
    uint32_t local_rank; /* among the ranks of this host */
    uint32_t local_count;
    uint64_t memory_bytes;
    uint32_t core_count;
    cpu_set_t *cores; /* the allowed hardware threads of each core, neighbours beside each other */
    uint32_t *caches; /* of each core: the number of the last cache that it shares with others */
    uint32_t gpu_count;
    struct topology_gpu *gpus; /* those this process may use, in the order of the PCI bus */
};

/* Asks hwloc for the cores that this process is allowed to use. */
int topology_discover(struct topology *topology, struct sheaf_error *error);
void topology_close(struct topology *topology);
void topology_encode(const struct topology *topology, struct byte_writer *writer);
int topology_decode(struct byte_reader *reader, struct topology *topology,
                    struct sheaf_error *error);

/* What one slot may use. */
struct slot_place {
    uint32_t number; /* from 1; no other slot of the host has it */
    cpu_set_t cpus;
    char gpus[SLOT_GPUS_BYTES]; /* for CUDA_VISIBLE_DEVICES; "" = the job asks for none */
};

/* Cores that a task finds there; 1 for a place that is bound to none. */
static inline uint32_t slot_place_core_count(const struct slot_place *place)
{
    int count = CPU_COUNT(&place->cpus);
    return count > 0 ? (uint32_t)count : 1;
}

/* One worker's slots. Owns `slots`. */
struct placement {
    uint32_t slot_count;
    struct slot_place *slots;
    uint32_t host_slot_count; /* of all workers of the host */
    bool is_shared;           /* more slots on the host than cores: some share */
};

/* What worker number `worker_index` of the `worker_count` on its host is to get. Of the host's
 * cores the first is left to the master where has_master and cores are plenty.
 *
 * Without needs: an equal share of the cores, cut into `slot_count` slots (0: one a core); a worker
 * always has one slot at least. With needs: the host's cores are formed into slots that hold one
 * task each, of cores that share a cache where possible and with GPUs near them, as many as cores,
 * memory and GPUs allow; the worker gets an equal share of the slots, which may be none, and at
 * most `slot_count`.
 *
 * With `host_slots` (0: not said) the host has that many, or as many of them as the needs allow,
 * all its cores are shared out to them, and each worker gets an equal share, which may be none.
 * Then `slot_count` says nothing. */
struct placement_request {
    uint32_t worker_index;
    uint32_t worker_count;
    uint32_t slot_count;
    uint32_t host_slots;
    bool has_master;
    struct job_resources needs;
};
void placement_make(const struct topology *topology, struct placement_request request,
                    struct placement *placement);
void placement_close(struct placement *placement);

void slot_place_encode(const struct slot_place *place, struct byte_writer *writer);
void slot_place_decode(struct byte_reader *reader, struct slot_place *place);
/* " slot 0 = cpu 0-3, gpu 1; slot 1 = ..." into text. */
void placement_describe(const struct placement *placement, char *text, size_t text_size);
/* "0-3,8" into text; returns the length, like snprintf. */
int cpu_set_describe(const cpu_set_t *cpus, char *text, size_t text_size);

#endif
