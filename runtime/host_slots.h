/* host_slots.h - how many tasks each host may run at a time, where the user has said so. */
#ifndef SHEAF_HOST_SLOTS_H
#define SHEAF_HOST_SLOTS_H

#include "hosts.h"

/* Reads what follows a host's name in a line of a hostfile: 0 in *slots when it says nothing of
 * them, true in *has_more when it says something else. Returns what is wrong with it, or NULL. */
const char *host_slots_read(const char *text, uint32_t *slots, bool *has_more);
/* Likewise what follows "HOST:" in --host. */
const char *host_slots_read_number(const char *text, size_t size, uint32_t *slots);

bool host_slots_are_said(const struct host_list *list);
/* The ranks that each host that can be used gets: in turn, the master's first, and no more workers
 * than the slots that the user has said, while there is room elsewhere. */
void host_slots_deal(struct host_list *list, uint32_t ranks);

/* "a=4,b=1": what the user has said, for host_slots_find on another host. The caller owns it. NULL:
 * nothing. */
char *host_slots_format(const struct host_list *list);
/* The slots of the host that calls itself `host`, by such a text (NULL: none); 0 = not said. */
uint32_t host_slots_find(const char *text, const char *host);

#endif
