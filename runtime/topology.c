/* topology.c - asks hwloc which cores and GPUs of the host this process may use. */
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
    /* Buses and what is on them, but no OS devices: for these hwloc would wake every vendor's
     * library. */
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_BRIDGE, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    hwloc_topology_set_type_filter(topology, HWLOC_OBJ_PCI_DEVICE,
                                   HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    /* Linux tells of them itself; libpciaccess would keep memory. */
    hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "pci");
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

/* The number of the largest cache around a core; of its package where no cache is known. */
static uint32_t cache_of(hwloc_obj_t core)
{
    hwloc_obj_t found = NULL;
    for (hwloc_obj_t parent = core->parent; parent != NULL; parent = parent->parent)
        if (hwloc_obj_type_is_dcache(parent->type) ||
            (found == NULL && parent->type == HWLOC_OBJ_PACKAGE))
            found = parent;
    return found != NULL ? found->logical_index : 0;
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
    topology->caches = memory_allocate_zeroed((size_t)core_count + 1, sizeof *topology->caches);
    hwloc_cpuset_t usable = hwloc_bitmap_alloc();
    for (unsigned i = 0; i < (unsigned)core_count && i < TOPOLOGY_CORES_MAX; i++) {
        hwloc_obj_t core = hwloc_get_obj_by_type(loaded, type, i);
        hwloc_bitmap_and(usable, core->cpuset, allowed);
        if (hwloc_bitmap_iszero(usable))
            continue;
        hwloc_cpuset_to_glibc_sched_affinity(loaded, usable, &topology->cores[topology->core_count],
                                             sizeof(cpu_set_t));
        topology->caches[topology->core_count] = cache_of(core);
        topology->core_count++;
    }
    hwloc_bitmap_free(usable);
}

/* ---- GPUs: told by their PCI class and vendor, which needs no vendor's library */

enum {
    PCI_CLASS_DISPLAY = 0x03,
    PCI_CLASS_ACCELERATOR = 0x12,
    PCI_VENDOR_NVIDIA = 0x10de,
    PCI_VENDOR_AMD = 0x1002,
};

static bool is_gpu_of(hwloc_obj_t device, unsigned vendor)
{
    unsigned class = device->attr->pcidev.class_id >> 8;
    return device->attr->pcidev.vendor_id == vendor &&
           (class == PCI_CLASS_DISPLAY || class == PCI_CLASS_ACCELERATOR);
}

static uint64_t bus_address(hwloc_obj_t device)
{
    const struct hwloc_pcidev_attr_s *at = &device->attr->pcidev;
    return (uint64_t)at->domain << 32 | (uint64_t)at->bus << 16 | (uint64_t)at->dev << 8 | at->func;
}

static int compare_bus_addresses(const void *left, const void *right)
{
    uint64_t a = bus_address(*(hwloc_obj_t const *)left);
    uint64_t b = bus_address(*(hwloc_obj_t const *)right);
    return a < b ? -1 : a > b;
}

/* At most TOPOLOGY_GPUS_MAX, in the order of the bus. */
static uint32_t find_gpus(hwloc_topology_t loaded, unsigned vendor, hwloc_obj_t *gpus)
{
    uint32_t count = 0;
    hwloc_obj_t device = NULL;
    while ((device = hwloc_get_next_pcidev(loaded, device)) != NULL)
        if (is_gpu_of(device, vendor) && count < TOPOLOGY_GPUS_MAX)
            gpus[count++] = device;
    qsort(gpus, count, sizeof *gpus, compare_bus_addresses);
    return count;
}

static void add_gpu(struct topology *topology, const char *name, size_t name_size)
{
    if (topology->gpu_count < TOPOLOGY_GPUS_MAX && name_size > 0 && name_size < GPU_NAME_BYTES)
        memcpy(topology->gpus[topology->gpu_count++].name, name, name_size);
}

/* A batch system that gave this job some GPUs of the host has named them here. */
static const char *find_visible_gpus(bool is_amd)
{
    return getenv(is_amd ? "ROCR_VISIBLE_DEVICES" : "CUDA_VISIBLE_DEVICES");
}

/* NVIDIA's where there are any: AMD's are then most likely part of the processor. */
static void collect_gpus(hwloc_topology_t loaded, struct topology *topology)
{
    hwloc_obj_t gpus[TOPOLOGY_GPUS_MAX];
    uint32_t count = find_gpus(loaded, PCI_VENDOR_NVIDIA, gpus);
    bool is_amd = count == 0;
    if (is_amd)
        count = find_gpus(loaded, PCI_VENDOR_AMD, gpus);
    topology->gpus = memory_allocate_zeroed(TOPOLOGY_GPUS_MAX, sizeof *topology->gpus);
    const char *visible = find_visible_gpus(is_amd);
    for (uint32_t i = 0; visible == NULL && i < count; i++) {
        char name[16];
        add_gpu(topology, name, (size_t)snprintf(name, sizeof name, "%u", i));
    }
    for (const char *at = visible; at != NULL && *at != '\0';) {
        size_t size = strcspn(at, ",");
        add_gpu(topology, at, size);
        at += size + (at[size] == ',');
    }
    for (uint32_t i = 0; i < topology->gpu_count; i++) {
        uint64_t number;
        if (parse_count(topology->gpus[i].name, &number, NULL) == 0 && number < count)
            hwloc_cpuset_to_glibc_sched_affinity(
                loaded, hwloc_get_non_io_ancestor_obj(loaded, gpus[number])->cpuset,
                &topology->gpus[i].near, sizeof(cpu_set_t));
    }
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
    collect_gpus(loaded, topology);
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
    free(topology->caches);
    free(topology->gpus);
    *topology = (struct topology){0};
}
