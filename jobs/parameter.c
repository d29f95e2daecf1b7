/* parameter.c - typed parameters of a job, in a list sorted by name. */
#include "parameter.h"

#include "../scheduler/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool parameter_name_is_valid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > PARAMETER_NAME_BYTES_MAX)
        return false;
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (size_t i = 1; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && strchr("_-.", name[i]) == NULL)
            return false;
    return true;
}

static void parameter_close(struct parameter *parameter)
{
    free(parameter->name);
    free(parameter->string);
}

void parameter_list_close(struct parameter_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        parameter_close(&list->items[i]);
    free(list->items);
    *list = (struct parameter_list){0};
}

/* Index of the first parameter whose name is not less than `name`. */
static size_t lower_bound(const struct parameter_list *list, const char *name)
{
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->items[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct parameter *parameter_list_find(const struct parameter_list *list, const char *name)
{
    size_t i = lower_bound(list, name);
    if (i < list->count && strcmp(list->items[i].name, name) == 0)
        return &list->items[i];
    return NULL;
}

const char *parameter_type_name(enum parameter_type type)
{
    switch (type) {
    case PARAMETER_INTEGER:
        return "an integer";
    case PARAMETER_REAL:
        return "a real number";
    case PARAMETER_BOOLEAN:
        return "true or false";
    case PARAMETER_STRING:
        return "a string";
    }
    return "of an unknown type";
}

static enum parameter_type type_of_text(const char *text)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return PARAMETER_BOOLEAN;
    switch (number_form_of(text)) {
    case NUMBER_FORM_INTEGER:
        return PARAMETER_INTEGER;
    case NUMBER_FORM_REAL:
        return PARAMETER_REAL;
    case NUMBER_FORM_NONE:
        break;
    }
    return PARAMETER_STRING;
}

/* Fills the value of `parameter`, whose type is set. */
static int parse_value(struct parameter *parameter, const char *text, struct sheaf_error *error)
{
    switch (parameter->type) {
    case PARAMETER_INTEGER:
        return parse_integer(text, &parameter->integer, error);
    case PARAMETER_REAL:
        return parse_real(text, &parameter->real, error);
    case PARAMETER_BOOLEAN:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return sheaf_error_set(error, SHEAF_ERROR_JOB,
                                   "expected true or false, found \"%.100s\"", text);
        parameter->integer = strcmp(text, "true") == 0;
        return 0;
    case PARAMETER_STRING:
        parameter->string = memory_copy_string(text);
        return 0;
    }
    return sheaf_error_set(error, SHEAF_ERROR_MALFORMED, "unknown parameter type %d",
                           (int)parameter->type);
}

/* Replaces the parameter of the same name, or inserts; takes over what `parameter` points to. */
static void put(struct parameter_list *list, struct parameter *parameter)
{
    size_t i = lower_bound(list, parameter->name);
    if (i < list->count && strcmp(list->items[i].name, parameter->name) == 0) {
        parameter_close(&list->items[i]);
        list->items[i] = *parameter;
        return;
    }
    void *items = list->items;
    memory_grow(&items, &list->capacity, list->count + 1, sizeof *list->items);
    list->items = items;
    memmove(&list->items[i + 1], &list->items[i], (list->count - i) * sizeof *list->items);
    list->items[i] = *parameter;
    list->count++;
}

static int set(struct parameter_list *list, const char *name, enum parameter_type type,
               const char *text, struct sheaf_error *error)
{
    bool is_new = parameter_list_find(list, name) == NULL;
    if (!parameter_name_is_valid(name))
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "\"%.100s\" cannot name a parameter: start with a letter or '_', "
                               "go on with letters, digits, '_', '-' or '.', %d bytes at most",
                               name, PARAMETER_NAME_BYTES_MAX);
    if (is_new && list->count >= PARAMETER_COUNT_MAX)
        return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                               "a job can have %d parameters, and \"%s\" would be one more",
                               PARAMETER_COUNT_MAX, name);
    struct parameter parameter = {.type = type};
    struct sheaf_error cause;
    int code = parse_value(&parameter, text, &cause);
    if (code != 0)
        return sheaf_error_set(error, code, "parameter \"%s\" is %s: %s%s", name,
                               parameter_type_name(type), cause.text,
                               is_new ? "; in quotes it would be a string" : "");
    parameter.name = memory_copy_string(name);
    put(list, &parameter);
    return 0;
}

int parameter_list_set(struct parameter_list *list, const char *name, const char *text,
                       struct sheaf_error *error)
{
    const struct parameter *existing = parameter_list_find(list, name);
    return set(list, name, existing != NULL ? existing->type : type_of_text(text), text, error);
}

int parameter_list_set_string(struct parameter_list *list, const char *name, const char *text,
                              struct sheaf_error *error)
{
    return set(list, name, PARAMETER_STRING, text, error);
}

void parameter_list_encode(const struct parameter_list *list, struct byte_writer *writer)
{
    byte_writer_put_u32(writer, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct parameter *parameter = &list->items[i];
        byte_writer_put_string(writer, parameter->name);
        byte_writer_put_u8(writer, (uint8_t)parameter->type);
        uint64_t real_bits;
        memcpy(&real_bits, &parameter->real, sizeof real_bits);
        switch (parameter->type) {
        case PARAMETER_INTEGER:
        case PARAMETER_BOOLEAN:
            byte_writer_put_u64(writer, (uint64_t)parameter->integer);
            break;
        case PARAMETER_REAL:
            byte_writer_put_u64(writer, real_bits);
            break;
        case PARAMETER_STRING:
            byte_writer_put_string(writer, parameter->string);
            break;
        }
    }
}

/* Fills `parameter`; what it points to is to be closed also when false comes back. */
static bool decode_parameter(struct byte_reader *reader, struct parameter *parameter)
{
    parameter->name = byte_reader_get_string(reader);
    parameter->type = byte_reader_get_u8(reader);
    uint64_t bits;
    switch (parameter->type) {
    case PARAMETER_INTEGER:
    case PARAMETER_BOOLEAN:
        parameter->integer = (int64_t)byte_reader_get_u64(reader);
        break;
    case PARAMETER_REAL:
        bits = byte_reader_get_u64(reader);
        memcpy(&parameter->real, &bits, sizeof bits);
        break;
    case PARAMETER_STRING:
        parameter->string = byte_reader_get_string(reader);
        break;
    default:
        return false;
    }
    if (parameter->type == PARAMETER_BOOLEAN && parameter->integer != !!parameter->integer)
        return false;
    return !reader->failed && parameter_name_is_valid(parameter->name);
}

int parameter_list_decode(struct byte_reader *reader, struct parameter_list *list,
                          struct sheaf_error *error)
{
    struct parameter_list decoded = {0};
    uint32_t count = byte_reader_get_u32(reader);
    bool is_good = !reader->failed && count <= PARAMETER_COUNT_MAX;
    for (uint32_t i = 0; is_good && i < count; i++) {
        struct parameter parameter = {0};
        is_good = decode_parameter(reader, &parameter) &&
                  (i == 0 || strcmp(decoded.items[i - 1].name, parameter.name) < 0);
        if (is_good)
            put(&decoded, &parameter);
        else
            parameter_close(&parameter);
    }
    if (!is_good) {
        parameter_list_close(&decoded);
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED,
                               "the parameters of an encoded job cannot be understood");
    }
    *list = decoded;
    return 0;
}
