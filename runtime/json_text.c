/* json_text.c - writes JSON in printable ASCII alone. */
#include "json_text.h"

#include "../scheduler/memory.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char delete_escaped[] = "\\u007F";

char *json_text_format(const struct json_t *json)
{
    char *dumped = json_dumps(json, JSON_INDENT(1) | JSON_ENSURE_ASCII);
    if (dumped == NULL)
        return NULL;
    size_t count = 0; /* of the one control character that stays as it is */
    for (const char *at = dumped; *at != '\0'; at++)
        count += *at == '\x7f';
    char *text = memory_allocate(strlen(dumped) + count * strlen(delete_escaped) + 1);
    char *end = text;
    for (const char *at = dumped; *at != '\0'; at++) {
        if (*at == '\x7f')
            end = stpcpy(end, delete_escaped);
        else
            *end++ = *at;
    }
    *end = '\0';
    free(dumped);
    return text;
}
