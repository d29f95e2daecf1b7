/* test_task_graph.c - which tasks come after which others, and circles among them. */
#include "../../scheduler/task_graph.h"
#include "seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(edges) ((uint32_t)(sizeof(edges) / sizeof *(edges)))

static struct task_graph *created(uint32_t task_count, const struct task_edge *edges,
                                  uint32_t edge_count)
{
    struct task_cycle cycle;
    struct task_graph *graph = task_graph_create(task_count, edges, edge_count, &cycle);
    assert_non_null(graph);
    return graph;
}

static void assert_successors(const struct task_graph *graph, uint32_t task, const char *expected)
{
    char text[64] = "";
    for (uint32_t at = graph->successor_starts[task]; at < graph->successor_starts[task + 1]; at++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%u ", graph->successors[at]);
    assert_string_equal(text, expected);
}

static void each_task_knows_those_after_it(void **state)
{
    (void)state;
    const struct task_edge edges[] = {
        {2, 3, false}, {0, 2, false}, {1, 3, false}, {0, 1, false}, {0, 3, false}};
    struct task_graph *graph = created(5, edges, COUNT_OF(edges));
    assert_successors(graph, 0, "1 2 3 ");
    assert_successors(graph, 1, "3 ");
    assert_successors(graph, 2, "3 ");
    assert_successors(graph, 3, "");
    assert_successors(graph, 4, "");
    const uint32_t counts[] = {0, 1, 1, 3, 0};
    assert_memory_equal(graph->predecessor_counts, counts, sizeof counts);
    task_graph_destroy(graph);
}

static void the_order_of_edges_does_not_count(void **state)
{
    (void)state;
    const struct task_edge edges[] = {{0, 1, false}, {0, 2, false}, {1, 2, false}};
    const struct task_edge turned[] = {{1, 2, false}, {0, 2, false}, {0, 1, false}};
    const struct task_edge others[] = {{0, 1, false}, {1, 2, false}, {1, 2, false}};
    struct task_graph *graph = created(3, edges, COUNT_OF(edges));
    struct task_graph *same = created(3, turned, COUNT_OF(turned));
    struct task_graph *other = created(3, others, COUNT_OF(others));
    struct task_graph *larger = created(4, edges, COUNT_OF(edges));
    assert_true(graph->fingerprint == same->fingerprint);
    assert_true(graph->fingerprint != other->fingerprint);
    assert_true(graph->fingerprint != larger->fingerprint);
    task_graph_destroy(graph);
    task_graph_destroy(same);
    task_graph_destroy(other);
    task_graph_destroy(larger);
}

static void a_circle_is_named(void **state)
{
    (void)state;
    /* 1 after 3 after 2 after 1; 4 waits for them, 0 does not. */
    const struct task_edge edges[] = {{0, 1, false}, {3, 1, false}, {2, 3, false},
                                      {1, 2, false}, {3, 4, false}, {0, 4, false}};
    struct task_cycle cycle = {0};
    assert_null(task_graph_create(5, edges, COUNT_OF(edges), &cycle));
    const uint32_t expected[] = {1, 3, 2};
    assert_int_equal(cycle.count, 3);
    assert_memory_equal(cycle.tasks, expected, sizeof expected);
    free(cycle.tasks);
}

static void a_task_after_itself_is_a_circle(void **state)
{
    (void)state;
    const struct task_edge edge = {1, 1, false};
    struct task_cycle cycle = {0};
    assert_null(task_graph_create(2, &edge, 1, &cycle));
    assert_int_equal(cycle.count, 1);
    assert_int_equal(cycle.tasks[0], 1);
    free(cycle.tasks);
}

static bool has_edge(const struct task_edge *edges, uint32_t count, struct task_edge wanted)
{
    for (uint32_t i = 0; i < count; i++)
        if (edges[i].before == wanted.before && edges[i].after == wanted.after)
            return true;
    return false;
}

/* Also when two tasks are joined by both kinds. */
static void edges_know_their_kind_whatever_their_order_was(void **state)
{
    (void)state;
    const struct task_edge edges[] = {{0, 1, true}, {0, 1, false}, {1, 2, false}, {0, 2, true}};
    const struct task_edge turned[] = {{0, 2, true}, {1, 2, false}, {0, 1, false}, {0, 1, true}};
    const struct task_edge others[] = {{0, 1, true}, {0, 1, false}, {1, 2, true}, {0, 2, true}};
    struct task_graph *graph = created(3, edges, COUNT_OF(edges));
    struct task_graph *same = created(3, turned, COUNT_OF(turned));
    struct task_graph *other = created(3, others, COUNT_OF(others));
    assert_successors(graph, 0, "1 1 2 ");
    const bool kinds[] = {false, true, true, false};
    assert_memory_equal(graph->is_for_end, kinds, sizeof kinds);
    assert_memory_equal(same->is_for_end, kinds, sizeof kinds);
    assert_true(graph->fingerprint == same->fingerprint);
    assert_true(graph->fingerprint != other->fingerprint);
    task_graph_destroy(graph);
    task_graph_destroy(same);
    task_graph_destroy(other);
}

static void every_circle_found_is_one(void **state)
{
    (void)state;
    enum { ROUNDS = 500, TASKS = 40, EDGES = 45 };
    unsigned seed = test_seed();
    uint32_t circle_count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct task_edge edges[EDGES];
        for (int i = 0; i < EDGES; i++)
            edges[i] = (struct task_edge){(uint32_t)rand_r(&seed) % TASKS,
                                          (uint32_t)rand_r(&seed) % TASKS, rand_r(&seed) % 2 == 0};
        struct task_cycle cycle;
        struct task_graph *graph = task_graph_create(TASKS, edges, EDGES, &cycle);
        task_graph_destroy(graph);
        if (graph != NULL)
            continue;
        circle_count++;
        for (uint32_t i = 0; i < cycle.count; i++) {
            const struct task_edge edge = {cycle.tasks[(i + 1) % cycle.count], cycle.tasks[i],
                                           false};
            assert_true(has_edge(edges, EDGES, edge));
        }
        free(cycle.tasks);
    }
    assert_true(circle_count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_knows_those_after_it),
        cmocka_unit_test(the_order_of_edges_does_not_count),
        cmocka_unit_test(a_circle_is_named),
        cmocka_unit_test(a_task_after_itself_is_a_circle),
        cmocka_unit_test(edges_know_their_kind_whatever_their_order_was),
        cmocka_unit_test(every_circle_found_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
