/* placement.c - cuts a host's cores into equal shares for its workers and their slots. */
#include "placement.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cpu_set_describe(const cpu_set_t *cpus, char *text, size_t text_size)
{
    size_t length = 0;
    text[0] = '\0';
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, cpus))
            continue;
        unsigned last = cpu;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
            last++;
        const char *comma = length > 0 ? "," : "";
        size_t room = length < text_size ? text_size - length : 0;
        int written =
            last > cpu ? snprintf(text + (room > 0 ? length : 0), room, "%s%u-%u", comma, cpu, last)
                       : snprintf(text + (room > 0 ? length : 0), room, "%s%u", comma, cpu);
        length += (size_t)written;
        cpu = last;
    }
    return (int)length;
}

/* Where part `i` of `count` equal parts of `total` begins. */
static uint32_t part_begin(uint32_t total, uint32_t i, uint32_t count)
{
    return (uint32_t)((uint64_t)total * i / count);
}

/* The host's cores that are given out. */
struct usable_cores {
    const cpu_set_t *cores;
    const uint32_t *caches;
    uint32_t count;
};

static struct usable_cores usable_cores_of(const struct topology *topology, bool has_master)
{
    uint32_t spared = has_master && topology->core_count >= PLACEMENT_CORES_TO_SPARE;
    return (struct usable_cores){.cores = topology->cores + spared,
                                 .caches = topology->caches + spared,
                                 .count = topology->core_count - spared};
}

/* ---- without needs: equal shares of the cores */

static void number_slots(struct slot_place *places, uint32_t count, uint32_t before)
{
    for (uint32_t slot = 0; slot < count; slot++)
        places[slot].number = before + slot + 1;
}

static void share_cores(const struct usable_cores *usable, const struct placement_request *request,
                        struct placement *placement)
{
    uint32_t first = part_begin(usable->count, request->worker_index, request->worker_count);
    uint32_t share =
        part_begin(usable->count, request->worker_index + 1, request->worker_count) - first;
    if (share == 0) {
        first = request->worker_index % usable->count;
        share = 1;
    }
    uint32_t slots = request->slot_count > 0 ? request->slot_count : share;
    if (slots > PLACEMENT_SLOTS_MAX)
        slots = PLACEMENT_SLOTS_MAX;
    struct slot_place *places = memory_allocate_zeroed(slots, sizeof *places);
    for (uint32_t slot = 0; slot < slots; slot++) {
        uint32_t begin = part_begin(share, slot, slots);
        uint32_t end = part_begin(share, slot + 1, slots);
        for (uint32_t core = begin; core < end || core == begin; core++)
            CPU_OR(&places[slot].cpus, &places[slot].cpus, &usable->cores[first + core]);
    }
    /* Where there are fewer cores than workers, each worker has one slot. */
    uint32_t before = request->slot_count > 0                 ? slots * request->worker_index
                      : request->worker_count > usable->count ? request->worker_index
                                                              : first;
    number_slots(places, slots, before);
    *placement = (struct placement){
        .slot_count = slots,
        .slots = places,
        .host_slot_count = slots * request->worker_count,
        .is_shared = request->worker_count > usable->count || slots > share,
    };
}

/* Slots that the user has counted: of all cores of the host, whoever feeds them. */
static void share_said_slots(const struct usable_cores *usable,
                             const struct placement_request *request, struct placement *placement)
{
    uint32_t total = request->host_slots;
    uint32_t first = part_begin(total, request->worker_index, request->worker_count);
    uint32_t count = part_begin(total, request->worker_index + 1, request->worker_count) - first;
    if (count > PLACEMENT_SLOTS_MAX)
        count = PLACEMENT_SLOTS_MAX;
    struct slot_place *places = memory_allocate_zeroed(count, sizeof *places);
    for (uint32_t slot = 0; slot < count; slot++) {
        uint32_t begin = part_begin(usable->count, first + slot, total);
        uint32_t end = part_begin(usable->count, first + slot + 1, total);
        for (uint32_t core = begin; core < end || core == begin; core++)
            CPU_OR(&places[slot].cpus, &places[slot].cpus, &usable->cores[core]);
    }
    number_slots(places, count, first);
    *placement = (struct placement){
        .slot_count = count,
        .slots = places,
        .host_slot_count = total,
        .is_shared = total > usable->count,
    };
}

/* ---- with needs: slots that hold a task each */

/* Of one host, before they are dealt out. Owns `places`. */
struct host_slots {
    struct slot_place *places;
    uint32_t count;
};

/* Forms slots of `size` of the cores from `begin` to `end` that are not taken. */
static void form_slots(const struct usable_cores *usable, bool *is_taken, uint32_t size,
                       struct host_slots *slots, uint32_t begin, uint32_t end)
{
    uint32_t left = 0;
    for (uint32_t core = begin; core < end; core++)
        left += !is_taken[core];
    for (uint32_t core = begin; left >= size; slots->count++) {
        struct slot_place *place = &slots->places[slots->count];
        for (uint32_t taken = 0; taken < size; core++) {
            if (is_taken[core])
                continue;
            is_taken[core] = true;
            CPU_OR(&place->cpus, &place->cpus, &usable->cores[core]);
            taken++;
        }
        left -= size;
    }
}

/* First within each cache; then of what is left over, across caches. */
static struct host_slots form_host_slots(const struct usable_cores *usable, uint32_t size)
{
    struct host_slots slots = {0};
    slots.places = memory_allocate_zeroed(usable->count / size + 1, sizeof *slots.places);
    bool *is_taken = memory_allocate_zeroed(usable->count, sizeof *is_taken);
    for (uint32_t begin = 0, end; begin < usable->count; begin = end) {
        for (end = begin + 1; end < usable->count; end++)
            if (usable->caches[end] != usable->caches[begin])
                break;
        form_slots(usable, is_taken, size, &slots, begin, end);
    }
    form_slots(usable, is_taken, size, &slots, 0, usable->count);
    free(is_taken);
    return slots;
}

static bool are_near(const struct slot_place *place, const struct topology_gpu *gpu)
{
    cpu_set_t both;
    CPU_AND(&both, &place->cpus, &gpu->near);
    return CPU_COUNT(&both) > 0;
}

static void swap_places(struct slot_place *a, struct slot_place *b)
{
    struct slot_place kept = *a;
    *a = *b;
    *b = kept;
}

/* Deals out the GPUs, neighbours together: each group to the first slot near it that has none, or
 * else to the first that has none. Slots for which no GPU is left are dropped. */
static void deal_gpus(const struct topology *topology, uint32_t size, struct host_slots *slots)
{
    uint32_t count = topology->gpu_count / size;
    if (count > slots->count)
        count = slots->count;
    for (uint32_t group = 0; group < count; group++) {
        const struct topology_gpu *gpus = &topology->gpus[group * size];
        struct slot_place *chosen = &slots->places[group];
        for (uint32_t i = group; i < slots->count; i++)
            if (are_near(&slots->places[i], gpus)) {
                swap_places(chosen, &slots->places[i]);
                break;
            }
        for (uint32_t i = 0; i < size; i++) {
            if (i > 0)
                strcat(chosen->gpus, ",");
            strcat(chosen->gpus, gpus[i].name);
        }
    }
    slots->count = count;
}

static void share_slots(const struct topology *topology, const struct placement_request *request,
                        struct placement *placement)
{
    const struct job_resources *needs = &request->needs;
    struct usable_cores usable = usable_cores_of(topology, request->has_master);
    struct host_slots slots = form_host_slots(&usable, needs->cores > 0 ? needs->cores : 1);
    if (needs->memory_bytes > 0) {
        uint64_t fit = topology->memory_bytes / needs->memory_bytes;
        slots.count = fit < slots.count ? (uint32_t)fit : slots.count;
    }
    if (needs->gpus > 0)
        deal_gpus(topology, needs->gpus, &slots);
    if (request->host_slots > 0 && request->host_slots < slots.count)
        slots.count = request->host_slots;
    uint32_t slots_max = request->host_slots == 0 ? request->slot_count : 0;
    uint32_t first = part_begin(slots.count, request->worker_index, request->worker_count);
    uint32_t share =
        part_begin(slots.count, request->worker_index + 1, request->worker_count) - first;
    if (slots_max > 0 && slots_max < share)
        share = slots_max;
    *placement = (struct placement){
        .slot_count = share,
        .slots = memory_copy(slots.places + first, share * sizeof *slots.places),
        .host_slot_count = slots.count,
    };
    number_slots(placement->slots, share,
                 slots_max > 0 ? slots_max * request->worker_index : first);
    free(slots.places);
}

void placement_make(const struct topology *topology, struct placement_request request,
                    struct placement *placement)
{
    CHECK(request.worker_count > 0 && request.worker_index < request.worker_count);
    const struct job_resources *needs = &request.needs;
    struct usable_cores usable = usable_cores_of(topology, request.has_master);
    bool has_needs = needs->cores > 0 || needs->gpus > 0 || needs->memory_bytes > 0;
    if (!has_needs && request.host_slots > 0)
        share_said_slots(&usable, &request, placement);
    else if (!has_needs)
        share_cores(&usable, &request, placement);
    else
        share_slots(topology, &request, placement);
}

void placement_describe(const struct placement *placement, char *text, size_t text_size)
{
    size_t length = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < placement->slot_count && length < text_size; i++) {
        char cpus[256];
        const struct slot_place *place = &placement->slots[i];
        cpu_set_describe(&place->cpus, cpus, sizeof cpus);
        length += (size_t)snprintf(text + length, text_size - length, " slot %u = cpu %s%s%s;", i,
                                   cpus, place->gpus[0] != '\0' ? ", gpu " : "", place->gpus);
    }
}

void placement_close(struct placement *placement)
{
    free(placement->slots);
    *placement = (struct placement){0};
}
