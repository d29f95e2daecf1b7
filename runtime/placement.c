/* placement.c - cuts a host's cores into equal shares for its workers and their slots. */
#include "placement.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cpu_set_encode(const cpu_set_t *cpus, struct byte_writer *writer)
{
    byte_writer_put_u16(writer, (uint16_t)CPU_COUNT(cpus));
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, cpus))
            byte_writer_put_u16(writer, (uint16_t)cpu);
}

void cpu_set_decode(struct byte_reader *reader, cpu_set_t *cpus)
{
    CPU_ZERO(cpus);
    unsigned count = byte_reader_get_u16(reader);
    for (unsigned i = 0; i < count && !reader->failed; i++) {
        unsigned cpu = byte_reader_get_u16(reader);
        if (cpu >= CPU_SETSIZE)
            reader->failed = true;
        else
            CPU_SET(cpu, cpus);
    }
}

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

void topology_encode(const struct topology *topology, struct byte_writer *writer)
{
    byte_writer_put_string(writer, topology->host);
    byte_writer_put_u32(writer, topology->local_rank);
    byte_writer_put_u32(writer, topology->local_count);
    byte_writer_put_u64(writer, topology->memory_bytes);
    byte_writer_put_u32(writer, topology->core_count);
    for (uint32_t i = 0; i < topology->core_count; i++)
        cpu_set_encode(&topology->cores[i], writer);
}

int topology_decode(struct byte_reader *reader, struct topology *topology,
                    struct sheaf_error *error)
{
    struct topology decoded = {0};
    char *host = byte_reader_get_string(reader);
    if (host != NULL)
        snprintf(decoded.host, sizeof decoded.host, "%s", host);
    free(host);
    decoded.local_rank = byte_reader_get_u32(reader);
    decoded.local_count = byte_reader_get_u32(reader);
    decoded.memory_bytes = byte_reader_get_u64(reader);
    decoded.core_count = byte_reader_get_u32(reader);
    if (decoded.core_count == 0 || decoded.core_count > TOPOLOGY_CORES_MAX)
        reader->failed = true;
    if (!reader->failed) {
        decoded.cores = memory_allocate_zeroed(decoded.core_count, sizeof *decoded.cores);
        for (uint32_t i = 0; i < decoded.core_count && !reader->failed; i++)
            cpu_set_decode(reader, &decoded.cores[i]);
    }
    if (reader->failed) {
        topology_close(&decoded);
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED, "a topology cannot be decoded");
    }
    *topology = decoded;
    return 0;
}

/* Where part `i` of `count` equal parts of `total` begins. */
static uint32_t part_begin(uint32_t total, uint32_t i, uint32_t count)
{
    return (uint32_t)((uint64_t)total * i / count);
}

void placement_make(const struct topology *topology, struct placement_request request,
                    struct placement *placement)
{
    CHECK(request.worker_count > 0 && request.worker_index < request.worker_count);
    bool spares_core = request.has_master && topology->core_count >= PLACEMENT_CORES_TO_SPARE;
    const cpu_set_t *cores = topology->cores + (spares_core ? 1 : 0);
    uint32_t core_count = topology->core_count - (spares_core ? 1 : 0);
    uint32_t first = part_begin(core_count, request.worker_index, request.worker_count);
    uint32_t share = part_begin(core_count, request.worker_index + 1, request.worker_count) - first;
    bool is_crowded = share == 0;
    if (is_crowded) {
        first = request.worker_index % core_count;
        share = 1;
    }
    uint32_t slots = request.slot_count > 0 ? request.slot_count : share;
    if (slots > PLACEMENT_SLOTS_MAX)
        slots = PLACEMENT_SLOTS_MAX;
    cpu_set_t *slot_cpus = memory_allocate_zeroed(slots, sizeof *slot_cpus);
    for (uint32_t slot = 0; slot < slots; slot++) {
        uint32_t begin = part_begin(share, slot, slots);
        uint32_t end = part_begin(share, slot + 1, slots);
        for (uint32_t core = begin; core < end || core == begin; core++)
            CPU_OR(&slot_cpus[slot], &slot_cpus[slot], &cores[first + core]);
    }
    *placement = (struct placement){
        .slot_count = slots,
        .slot_cpus = slot_cpus,
        .is_shared = request.worker_count > core_count || slots > share,
    };
}

void placement_close(struct placement *placement)
{
    free(placement->slot_cpus);
    *placement = (struct placement){0};
}
