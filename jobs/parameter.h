/* parameter.h - typed parameters of a job, by name. */
#ifndef SHEAF_PARAMETER_H
#define SHEAF_PARAMETER_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"
#include "quantity.h"

enum parameter_type {
    PARAMETER_INTEGER = 1,
    PARAMETER_REAL = 2,
    PARAMETER_BOOLEAN = 3,
    PARAMETER_STRING = 4,
};

struct parameter {
    char *name;
    enum parameter_type type;
    int64_t integer; /* INTEGER; BOOLEAN as 0 or 1 */
    double real;     /* REAL */
    char *string;    /* STRING */
};

enum { PARAMETER_NAME_BYTES_MAX = 255, PARAMETER_COUNT_MAX = 4096 };

/* A letter or underscore, then letters, digits, '_', '-', '.'; PARAMETER_NAME_BYTES_MAX at most. */
bool parameter_name_is_valid(const char *name);

/* All zero is a valid empty list. Owns its elements; sorted by name. */
struct parameter_list {
    struct parameter *items;
    size_t count;
    size_t capacity;
};

void parameter_list_close(struct parameter_list *list);
/* May be NULL. */
const struct parameter *parameter_list_find(const struct parameter_list *list, const char *name);

/* What a user calls the type: "an integer", "a real number", ... Borrows a static. */
const char *parameter_type_name(enum parameter_type type);

/* Sets a parameter from text. A new name takes the type that the text looks like (42 or 1e9; 0.5 or
 * 1.0e9; true or false; else string); an existing one keeps its type, and text that does not fit is
 * an error that names parameter, type and text. Integers accept a point and a decimal exponent when
 * the value is whole (2.5e3) and underscores between digits (1_000_000). */
int parameter_list_set(struct parameter_list *list, const char *name, const char *text,
                       struct sheaf_error *error);
/* As above, with the type forced (a quoted YAML scalar is a string). */
int parameter_list_set_string(struct parameter_list *list, const char *name, const char *text,
                              struct sheaf_error *error);

void parameter_list_encode(const struct parameter_list *list, struct byte_writer *writer);
/* Overwrites *list. MALFORMED, and *list as it was, unless the bytes are what encode writes. */
int parameter_list_decode(struct byte_reader *reader, struct parameter_list *list,
                          struct sheaf_error *error);

#endif
