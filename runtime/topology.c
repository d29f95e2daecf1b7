/* topology.c - asks hwloc which cores of the host this process may use. */
#include "placement.h"

#include "../scheduler/memory.h"
#include "session.h"

#include <hwloc.h>
#include <hwloc/glibc-sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int load(hwloc_topology_t *loaded, struct sheaf_error *error)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) != 0)
        goto failed;
    if (hwloc_topology_load(topology) != 0) {
        hwloc_topology_destroy(topology);
        goto failed;
    }
    *loaded = topology;
    return 0;

failed:
    return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                           "hwloc cannot read this host's topology; try `lstopo` on it");
}

/* hwloc numbers cores logically: neighbours share caches, so equal shares of consecutive cores keep
 * a worker's slots together. */
static void collect_cores(hwloc_topology_t loaded, hwloc_const_cpuset_t allowed,
                          struct topology *topology)
{
    int core_count = hwloc_get_nbobjs_by_type(loaded, HWLOC_OBJ_CORE);
    hwloc_obj_type_t type = core_count > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
    if (core_count <= 0)
        core_count = hwloc_get_nbobjs_by_type(loaded, HWLOC_OBJ_PU);
    topology->cores = memory_allocate_zeroed((size_t)core_count + 1, sizeof *topology->cores);
    hwloc_cpuset_t usable = hwloc_bitmap_alloc();
    for (unsigned i = 0; i < (unsigned)core_count && i < TOPOLOGY_CORES_MAX; i++) {
        hwloc_obj_t core = hwloc_get_obj_by_type(loaded, type, i);
        hwloc_bitmap_and(usable, core->cpuset, allowed);
        if (hwloc_bitmap_iszero(usable))
            continue;
        hwloc_cpuset_to_glibc_sched_affinity(loaded, usable, &topology->cores[topology->core_count],
                                             sizeof(cpu_set_t));
        topology->core_count++;
    }
    hwloc_bitmap_free(usable);
}

int topology_discover(struct topology *topology, struct sheaf_error *error)
{
    hwloc_topology_t loaded = NULL;
    int code = load(&loaded, error);
    if (code < 0)
        return code;
    *topology = (struct topology){0};
    gethostname(topology->host, sizeof topology->host - 1);
    struct session_environment environment = session_environment_read();
    topology->local_rank = environment.local_rank >= 0 ? (uint32_t)environment.local_rank : 0;
    topology->local_count = environment.local_count > 0 ? (uint32_t)environment.local_count : 1;
    topology->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    hwloc_cpuset_t allowed = hwloc_bitmap_alloc();
    if (hwloc_get_cpubind(loaded, allowed, HWLOC_CPUBIND_PROCESS) != 0 ||
        hwloc_bitmap_iszero(allowed))
        hwloc_bitmap_copy(allowed, hwloc_topology_get_allowed_cpuset(loaded));
    collect_cores(loaded, allowed, topology);
    hwloc_bitmap_free(allowed);
    hwloc_topology_destroy(loaded);
    if (topology->core_count == 0) {
        topology_close(topology);
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                               "this process is allowed no core at all; look at `taskset -p $$`");
    }
    return 0;
}

void topology_close(struct topology *topology)
{
    free(topology->cores);
    *topology = (struct topology){0};
}
