/* node_table.c - nodes by their number. */
#include "node_table.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

void node_table_close(struct node_table *table)
{
    while (!SLIST_EMPTY(&table->nodes)) {
        struct known_node *first = SLIST_FIRST(&table->nodes);
        SLIST_REMOVE_HEAD(&table->nodes, next);
        free(first);
    }
    id_map_close(&table->by_number);
    *table = (struct node_table){0};
}

struct known_node *node_table_get(struct node_table *table, uint32_t number)
{
    struct known_node *node = id_map_find(&table->by_number, number);
    if (node == NULL) {
        node = memory_allocate_zeroed(1, sizeof *node);
        SLIST_INSERT_HEAD(&table->nodes, node, next);
        id_map_add(&table->by_number, number, node);
    }
    return node;
}

void known_node_name(struct known_node *node, const char *host)
{
    node->host_size = host != NULL ? (uint32_t)strnlen(host, sizeof node->host) : 0;
    if (node->host_size > 0)
        memcpy(node->host, host, node->host_size);
}
