/* test_graph_file.c - the graph of a run comes back from its file, or not at all. */
#include "../../runtime/graph_file.h"

#include "../../runtime/segment_file.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"top", "left", "", "bottom"};

enum { FILE_BYTES_MAX = 256 };

static struct task_graph *given_diamond(bool has_names)
{
    const struct task_edge edges[] = {{0, 1, false}, {0, 2, false}, {1, 3, false}, {2, 3, true}};
    struct task_cycle cycle;
    struct task_graph *graph = task_graph_create(4, edges, 4, &cycle);
    CHECK(graph != NULL);
    if (has_names)
        graph->names = names;
    return graph;
}

static void write_graph(const struct scratch *scratch, bool has_names)
{
    struct task_graph *graph = given_diamond(has_names);
    assert_int_equal(graph_file_write(scratch->path, graph, NULL), 0);
    task_graph_destroy(graph);
}

static size_t read_file(const struct scratch *scratch, unsigned char bytes[FILE_BYTES_MAX])
{
    FILE *file = fopen(scratch_path(scratch, "graph").text, "r");
    assert_non_null(file);
    size_t size = fread(bytes, 1, FILE_BYTES_MAX, file);
    assert_in_range(size, 1, FILE_BYTES_MAX - 1);
    fclose(file);
    return size;
}

static void graph_comes_back_with_its_names(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct task_graph *graph = given_diamond(true);
    struct graph_file file = {0};
    write_graph(&scratch, true);
    assert_int_equal(graph_file_read(scratch.path, &file, NULL), 0);
    assert_int_equal(file.graph->fingerprint, graph->fingerprint);
    assert_int_equal(file.graph->task_count, 4);
    assert_int_equal(file.graph->edge_count, 4);
    assert_memory_equal(file.graph->successors, graph->successors, 4 * sizeof *graph->successors);
    assert_memory_equal(file.graph->is_for_end, graph->is_for_end, 4 * sizeof *graph->is_for_end);
    assert_true(graph->is_for_end[3]);
    for (int i = 0; i < 4; i++)
        assert_string_equal(file.graph->names[i], names[i]);
    graph_file_close(&file);
    task_graph_destroy(graph);
    scratch_remove(&scratch);
}

static void graph_without_names_comes_back(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct graph_file file = {0};
    write_graph(&scratch, false);
    assert_int_equal(graph_file_read(scratch.path, &file, NULL), 0);
    assert_int_equal(file.graph->edge_count, 4);
    assert_string_equal(file.graph->names[3], "");
    graph_file_close(&file);
    scratch_remove(&scratch);
}

static void missing_graph_is_not_found(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct graph_file file = {0};
    assert_int_equal(graph_file_read(scratch.path, &file, NULL), SHEAF_ERROR_NOT_FOUND);
    assert_null(file.graph);
    scratch_remove(&scratch);
}

static void every_flipped_byte_and_every_cut_is_seen(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct graph_file file = {0};
    unsigned char bytes[FILE_BYTES_MAX];
    write_graph(&scratch, true);
    size_t size = read_file(&scratch, bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x40;
        scratch_write(&scratch, "graph", bytes, size);
        assert_int_equal(graph_file_read(scratch.path, &file, NULL), SHEAF_ERROR_DAMAGED);
        bytes[i] ^= 0x40;
        scratch_write(&scratch, "graph", bytes, i);
        assert_int_equal(graph_file_read(scratch.path, &file, NULL), SHEAF_ERROR_DAMAGED);
    }
    assert_null(file.graph);
    write_graph(&scratch, true); /* mends it */
    assert_int_equal(graph_file_read(scratch.path, &file, NULL), 0);
    graph_file_close(&file);
    scratch_remove(&scratch);
}

/* Numbers that a correct checksum does not make sensible. */
static void edges_out_of_range_are_refused(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct graph_file file = {0};
    unsigned char bytes[FILE_BYTES_MAX];
    write_graph(&scratch, false);
    size_t size = read_file(&scratch, bytes);
    const size_t first_edge = 8 + 8 + 4 + 4;
    for (size_t at = 8; at < first_edge + 8; at++) {
        unsigned char before = bytes[at];
        bytes[at] = 0xff;
        uint32_t crc = block_crc(bytes, size - 4);
        for (size_t i = 0; i < 4; i++)
            bytes[size - 4 + i] = (unsigned char)(crc >> (8 * i));
        scratch_write(&scratch, "graph", bytes, size);
        assert_int_equal(graph_file_read(scratch.path, &file, NULL), SHEAF_ERROR_DAMAGED);
        bytes[at] = before;
    }
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graph_comes_back_with_its_names),
        cmocka_unit_test(graph_without_names_comes_back),
        cmocka_unit_test(missing_graph_is_not_found),
        cmocka_unit_test(every_flipped_byte_and_every_cut_is_seen),
        cmocka_unit_test(edges_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
