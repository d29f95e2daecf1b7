/* node_table.h - the nodes that workers said they are on: names, and when each was last heard. */
#ifndef SHEAF_NODE_TABLE_H
#define SHEAF_NODE_TABLE_H

#include "fact.h"
#include "id_map.h"

#include <bsd/sys/queue.h>

struct known_node {
    char host[FACT_HOST_BYTES_MAX]; /* not NUL-terminated */
    uint32_t host_size;
    bool has_master;
    uint64_t heard_ns; /* any of its workers */
    SLIST_ENTRY(known_node) next;
};

/* All zero is valid and empty. Owns its nodes: as many as ever said hello in this run. */
struct node_table {
    struct id_map by_number;
    SLIST_HEAD(, known_node) nodes;
};

void node_table_close(struct node_table *table);
/* Returns the node of this number, made if it is not there; borrowed, and valid until close. */
struct known_node *node_table_get(struct node_table *table, uint32_t number);
/* Sets its name, cut to FACT_HOST_BYTES_MAX. `host` may be NULL: unknown. */
void known_node_name(struct known_node *node, const char *host);

#endif
