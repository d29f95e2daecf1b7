/* placement_encoding.c - how topologies and slots travel between ranks. */
#include "placement.h"

#include "../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

static void cpu_set_encode(const cpu_set_t *cpus, struct byte_writer *writer)
{
    byte_writer_put_u16(writer, (uint16_t)CPU_COUNT(cpus));
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, cpus))
            byte_writer_put_u16(writer, (uint16_t)cpu);
}

static void cpu_set_decode(struct byte_reader *reader, cpu_set_t *cpus)
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

void topology_encode(const struct topology *topology, struct byte_writer *writer)
{
    byte_writer_put_string(writer, topology->host);
    byte_writer_put_u32(writer, topology->local_rank);
    byte_writer_put_u32(writer, topology->local_count);
    byte_writer_put_u64(writer, topology->memory_bytes);
    byte_writer_put_u32(writer, topology->core_count);
    for (uint32_t i = 0; i < topology->core_count; i++) {
        cpu_set_encode(&topology->cores[i], writer);
        byte_writer_put_u32(writer, topology->caches[i]);
    }
    byte_writer_put_u32(writer, topology->gpu_count);
    for (uint32_t i = 0; i < topology->gpu_count; i++) {
        byte_writer_put_string(writer, topology->gpus[i].name);
        cpu_set_encode(&topology->gpus[i].near, writer);
    }
}

/* A string that is longer than the room for it is a failure. */
static void get_text(struct byte_reader *reader, char *text, size_t text_size)
{
    char *string = byte_reader_get_string(reader);
    if (string == NULL || strlen(string) >= text_size)
        reader->failed = true;
    else
        memcpy(text, string, strlen(string) + 1);
    free(string);
}

static void decode_cores(struct byte_reader *reader, struct topology *topology)
{
    topology->core_count = byte_reader_get_u32(reader);
    if (topology->core_count == 0 || topology->core_count > TOPOLOGY_CORES_MAX)
        reader->failed = true;
    if (reader->failed)
        return;
    topology->cores = memory_allocate_zeroed(topology->core_count, sizeof *topology->cores);
    topology->caches = memory_allocate_zeroed(topology->core_count, sizeof *topology->caches);
    for (uint32_t i = 0; i < topology->core_count && !reader->failed; i++) {
        cpu_set_decode(reader, &topology->cores[i]);
        topology->caches[i] = byte_reader_get_u32(reader);
    }
}

static void decode_gpus(struct byte_reader *reader, struct topology *topology)
{
    topology->gpu_count = byte_reader_get_u32(reader);
    if (topology->gpu_count > TOPOLOGY_GPUS_MAX)
        reader->failed = true;
    if (reader->failed)
        return;
    topology->gpus = memory_allocate_zeroed(topology->gpu_count, sizeof *topology->gpus);
    for (uint32_t i = 0; i < topology->gpu_count && !reader->failed; i++) {
        get_text(reader, topology->gpus[i].name, sizeof topology->gpus[i].name);
        cpu_set_decode(reader, &topology->gpus[i].near);
    }
}

int topology_decode(struct byte_reader *reader, struct topology *topology,
                    struct sheaf_error *error)
{
    struct topology decoded = {0};
    get_text(reader, decoded.host, sizeof decoded.host);
    decoded.local_rank = byte_reader_get_u32(reader);
    decoded.local_count = byte_reader_get_u32(reader);
    decoded.memory_bytes = byte_reader_get_u64(reader);
    decode_cores(reader, &decoded);
    if (!reader->failed)
        decode_gpus(reader, &decoded);
    if (reader->failed) {
        topology_close(&decoded);
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED, "a topology cannot be decoded");
    }
    *topology = decoded;
    return 0;
}

void slot_place_encode(const struct slot_place *place, struct byte_writer *writer)
{
    cpu_set_encode(&place->cpus, writer);
    byte_writer_put_string(writer, place->gpus);
    byte_writer_put_u32(writer, place->number);
}

void slot_place_decode(struct byte_reader *reader, struct slot_place *place)
{
    cpu_set_decode(reader, &place->cpus);
    get_text(reader, place->gpus, sizeof place->gpus);
    place->number = byte_reader_get_u32(reader);
}
