/* graph_file.c - writes and reads DIR/graph: magic, fingerprint, counts, edges, names, CRC-32. */
#include "graph_file.h"

#include "../scheduler/bytes.h"
#include "../scheduler/memory.h"
#include "atomic_file.h"
#include "run_directory.h"
#include "run_place.h"
#include "segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRAPH_MAGIC "SHEAFGR1"

enum {
    GRAPH_MAGIC_BYTES = sizeof GRAPH_MAGIC - 1,
    EDGE_BYTES = 8,
    NAME_BYTES_MIN = 4,
    CRC_BYTES = 4,
    READ_BYTES = 64 << 10,
};

/* A bit of the later task: the end of the earlier one is enough. */
static const uint32_t edge_for_end = UINT32_C(1) << 31;

static char *path_of(const char *dir)
{
    return run_directory_join(dir, "graph");
}

static void put_edges(struct byte_writer *writer, const struct task_graph *graph)
{
    byte_writer_put_u32(writer, graph->task_count);
    byte_writer_put_u32(writer, graph->edge_count);
    for (uint32_t task = 0; task < graph->task_count; task++) {
        for (uint32_t at = graph->successor_starts[task]; at < graph->successor_starts[task + 1];
             at++) {
            byte_writer_put_u32(writer, task);
            byte_writer_put_u32(writer,
                                graph->successors[at] | (graph->is_for_end[at] ? edge_for_end : 0));
        }
    }
}

static void put_names(struct byte_writer *writer, const struct task_graph *graph)
{
    for (uint32_t task = 0; task < graph->task_count; task++)
        byte_writer_put_string(writer, graph->names != NULL ? graph->names[task] : "");
}

static int read_bytes(const char *path, struct byte_writer *bytes, struct sheaf_error *error)
{
    FILE *file = run_place_open_stream(path, "r");
    if (file == NULL)
        return sheaf_error_set_errno(error, errno, "cannot read %s", path);
    unsigned char *part = memory_allocate(READ_BYTES);
    for (size_t size; (size = fread(part, 1, READ_BYTES, file)) > 0;)
        byte_writer_put(bytes, part, size);
    int code = ferror(file) != 0 ? sheaf_error_set_errno(error, errno, "cannot read %s", path) : 0;
    free(part);
    fclose(file);
    return code;
}

static void encode(struct byte_writer *writer, const struct task_graph *graph)
{
    byte_writer_put(writer, GRAPH_MAGIC, GRAPH_MAGIC_BYTES);
    byte_writer_put_u64(writer, graph->fingerprint);
    put_edges(writer, graph);
    put_names(writer, graph);
    byte_writer_put_u32(writer, block_crc(writer->data, writer->size));
}

int graph_file_write(const char *dir, const struct task_graph *graph, struct sheaf_error *error)
{
    struct byte_writer encoded = {0};
    struct byte_writer present = {0};
    char *path = path_of(dir);
    int code = 0;
    encode(&encoded, graph);
    bool is_there = read_bytes(path, &present, NULL) == 0 && present.size == encoded.size &&
                    memcmp(present.data, encoded.data, encoded.size) == 0;
    if (!is_there) {
        const struct atomic_file file = {
            .path = path, .data = encoded.data, .size = encoded.size, .mode = 0600};
        code = atomic_file_write(&file, error);
    }
    free(path);
    byte_writer_close(&present);
    byte_writer_close(&encoded);
    return code;
}

static struct task_graph *get_graph(struct byte_reader *reader)
{
    uint32_t task_count = byte_reader_get_u32(reader);
    uint32_t edge_count = byte_reader_get_u32(reader);
    uint64_t size_bytes_min =
        (uint64_t)edge_count * EDGE_BYTES + (uint64_t)task_count * NAME_BYTES_MIN;
    if (reader->failed || byte_reader_left(reader) < size_bytes_min)
        return NULL;
    struct task_edge *edges = memory_allocate_zeroed(edge_count + (size_t)1, sizeof *edges);
    bool is_good = true;
    for (uint32_t i = 0; i < edge_count; i++) {
        edges[i].before = byte_reader_get_u32(reader);
        uint32_t after = byte_reader_get_u32(reader);
        edges[i].after = after & ~edge_for_end;
        edges[i].is_for_end = (after & edge_for_end) != 0;
        is_good = is_good && edges[i].before < task_count && edges[i].after < task_count;
    }
    struct task_cycle cycle = {0};
    struct task_graph *graph =
        is_good ? task_graph_create(task_count, edges, edge_count, &cycle) : NULL;
    free(cycle.tasks);
    free(edges);
    return graph;
}

static bool get_names(struct byte_reader *reader, struct graph_file *file)
{
    uint32_t task_count = file->graph->task_count;
    file->names = memory_allocate_zeroed(task_count, sizeof *file->names);
    for (uint32_t task = 0; task < task_count; task++) {
        file->names[task] = byte_reader_get_string(reader);
        if (file->names[task] == NULL)
            return false;
    }
    file->graph->names = (const char *const *)file->names;
    return true;
}

static bool parse(const struct byte_writer *bytes, struct graph_file *file)
{
    if (bytes->size < GRAPH_MAGIC_BYTES + CRC_BYTES)
        return false;
    size_t size = bytes->size - CRC_BYTES;
    struct byte_reader crc = byte_reader_of(bytes->data + size, CRC_BYTES);
    struct byte_reader reader = byte_reader_of(bytes->data, size);
    const unsigned char *magic = byte_reader_get(&reader, GRAPH_MAGIC_BYTES);
    if (memcmp(magic, GRAPH_MAGIC, GRAPH_MAGIC_BYTES) != 0 ||
        byte_reader_get_u32(&crc) != block_crc(bytes->data, size))
        return false;
    uint64_t fingerprint = byte_reader_get_u64(&reader);
    file->graph = get_graph(&reader);
    return file->graph != NULL && file->graph->fingerprint == fingerprint &&
           get_names(&reader, file) && byte_reader_is_complete(&reader);
}

int graph_file_read(const char *dir, struct graph_file *file, struct sheaf_error *error)
{
    char *path = path_of(dir);
    struct byte_writer bytes = {0};
    struct graph_file read = {0};
    int code = read_bytes(path, &bytes, error);
    if (code == 0 && !parse(&bytes, &read))
        code = sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "%s cannot be understood: the next run writes it again", path);
    if (code == 0)
        *file = read;
    else
        graph_file_close(&read);
    byte_writer_close(&bytes);
    free(path);
    return code;
}

void graph_file_close(struct graph_file *file)
{
    for (uint32_t task = 0; file->names != NULL && task < file->graph->task_count; task++)
        free(file->names[task]);
    free(file->names);
    task_graph_destroy(file->graph);
    *file = (struct graph_file){0};
}
