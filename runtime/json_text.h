/* json_text.h - JSON as text that does a terminal no harm. */
#ifndef SHEAF_JSON_TEXT_H
#define SHEAF_JSON_TEXT_H

/* In printable ASCII and line feeds, without one at the end. Returns a string the caller owns; NULL
 * when memory is short. */
struct json_t;
char *json_text_format(const struct json_t *json);

#endif
