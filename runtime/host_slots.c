/* host_slots.c - how many tasks each host may run at a time, where the user has said so. */
#include "host_slots.h"

#include "../scheduler/memory.h"
#include "placement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const not_a_number =
    "the number of slots must be from 1 to 4096; leave it out for one a core";

const char *host_slots_read_number(const char *text, size_t size, uint32_t *slots)
{
    uint32_t number = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || number > PLACEMENT_SLOTS_MAX)
            return not_a_number;
        number = 10 * number + (uint32_t)(text[i] - '0');
    }
    if (number == 0 || number > PLACEMENT_SLOTS_MAX)
        return not_a_number;
    *slots = number;
    return NULL;
}

/* "slots=4", with blanks around the sign; other words pass. */
const char *host_slots_read(const char *text, uint32_t *slots, bool *has_more)
{
    static const char blanks[] = " \t\r";
    uint32_t said = 0;
    bool is_more = false;
    for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
        size_t size = strcspn(text, " \t\r=");
        bool is_slots = size == strlen("slots") && strncmp(text, "slots", size) == 0;
        text += size;
        const char *sign = text + strspn(text, blanks);
        if (*sign == '=')
            text = sign + 1 + strspn(sign + 1, blanks);
        size_t value_size = *sign == '=' ? strcspn(text, blanks) : 0;
        if (is_slots && *sign != '=')
            return "after \"slots\" comes \"=\" and a number";
        const char *problem = is_slots ? host_slots_read_number(text, value_size, &said) : NULL;
        if (problem != NULL)
            return problem;
        is_more |= !is_slots;
        text += value_size;
    }
    *slots = said;
    *has_more |= is_more;
    return NULL;
}

bool host_slots_are_said(const struct host_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->hosts[i].has_slots)
            return true;
    return false;
}

/* One rank more on the first host, from *next on, that has room; false when none has. */
static bool deal_one(struct host_list *list, size_t *next, bool has_limits)
{
    for (size_t tried = 0; tried < list->count; tried++) {
        struct host *host = &list->hosts[(*next + tried) % list->count];
        uint32_t workers = host->ranks - host->has_master;
        if (host->is_gone || (has_limits && host->has_slots && workers >= host->slots))
            continue;
        host->ranks++;
        *next = (*next + tried + 1) % list->count;
        return true;
    }
    return false;
}

void host_slots_deal(struct host_list *list, uint32_t ranks)
{
    size_t next = 0;
    for (size_t i = 0; i < list->count; i++) {
        list->hosts[i].ranks = 0;
        list->hosts[i].has_master = false;
    }
    if (ranks == 0 || !deal_one(list, &next, false))
        return;
    list->hosts[(next + list->count - 1) % list->count].has_master = true;
    bool has_room = true;
    for (uint32_t i = 1; i < ranks; i++) {
        has_room = has_room && deal_one(list, &next, true);
        if (!has_room)
            deal_one(list, &next, false);
    }
}

/* By which it knows itself: the user may have given an address, or another name. */
static const char *name_for_others(const struct host *host)
{
    return host->own_name != NULL && host->own_name[0] != '\0' ? host->own_name : host->name;
}

char *host_slots_format(const struct host_list *list)
{
    if (!host_slots_are_said(list))
        return NULL;
    size_t size_bytes = 1;
    for (size_t i = 0; i < list->count; i++)
        size_bytes += strlen(name_for_others(&list->hosts[i])) + sizeof "=4294967295,";
    char *text = memory_allocate(size_bytes);
    char *end = text;
    *end = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const struct host *host = &list->hosts[i];
        if (host->has_slots)
            end += sprintf(end, "%s%s=%" PRIu32, end > text ? "," : "", name_for_others(host),
                           host->slots);
    }
    return text;
}

uint32_t host_slots_find(const char *text, const char *host)
{
    uint32_t slots = 0;
    while (text != NULL && *text != '\0') {
        size_t size = strcspn(text, ",");
        size_t name_size = strcspn(text, "=");
        if (name_size < size && host_names_are_same(text, name_size, host) &&
            host_slots_read_number(text + name_size + 1, size - name_size - 1, &slots) == NULL)
            return slots;
        text += size + (text[size] == ',');
    }
    return 0;
}
