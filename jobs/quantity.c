/* quantity.c - reads numbers that people write, exactly: only reals go through floating point. */
#include "quantity.h"

#include "../scheduler/memory.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

__extension__ typedef unsigned __int128 uint128;

/* The value is digits * 10^scale, negated if is_negative. */
struct decimal {
    bool is_negative;
    bool has_point;
    bool has_exponent;
    bool is_too_large; /* digits would need more than 64 bits */
    uint64_t digits;
    int64_t scale;
};

static void add_digit(struct decimal *decimal, char digit)
{
    uint64_t digits;
    if (__builtin_mul_overflow(decimal->digits, 10U, &digits) ||
        __builtin_add_overflow(digits, (unsigned)(digit - '0'), &digits))
        decimal->is_too_large = true;
    else
        decimal->digits = digits;
}

/* Reads digits with single underscores between them; returns where they end, `text` if none. */
static const char *scan_digits(const char *text, struct decimal *decimal, int64_t *count)
{
    const char *at = text;
    while (isdigit((unsigned char)*at) ||
           (*at == '_' && at > text && at[-1] != '_' && isdigit((unsigned char)at[1]))) {
        if (*at != '_') {
            add_digit(decimal, *at);
            (*count)++;
        }
        at++;
    }
    return at;
}

/* [e[+-]digits]. Exponents beyond four digits are cut to 9999: out of range for every reader. */
static const char *scan_exponent(const char *text, struct decimal *decimal)
{
    if (*text != 'e' && *text != 'E')
        return text;
    const char *at = text + 1;
    bool is_negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    if (!isdigit((unsigned char)*at))
        return text;
    int64_t exponent = 0;
    for (; isdigit((unsigned char)*at); at++)
        exponent = exponent < 1000 ? exponent * 10 + (*at - '0') : 9999;
    decimal->scale += is_negative ? -exponent : exponent;
    decimal->has_exponent = true;
    return at;
}

/* Returns where the number at the start of `text` ends, NULL when there is none. */
static const char *scan_decimal(const char *text, struct decimal *decimal)
{
    *decimal = (struct decimal){0};
    const char *at = text;
    if (*at == '-' || *at == '+')
        decimal->is_negative = *at++ == '-';
    int64_t whole_count = 0;
    int64_t fraction_count = 0;
    const char *first = at;
    at = scan_digits(at, decimal, &whole_count);
    if (*first == '0' && whole_count > 1)
        return NULL;
    if (*at == '.') {
        decimal->has_point = true;
        at = scan_digits(at + 1, decimal, &fraction_count);
        decimal->scale = -fraction_count;
    }
    if (whole_count + fraction_count == 0)
        return NULL;
    return scan_exponent(at, decimal);
}

/* True when all of `text` is one number. */
static bool read_decimal(const char *text, struct decimal *decimal)
{
    const char *end = scan_decimal(text, decimal);
    return end != NULL && *end == '\0';
}

/* The magnitude times `unit`, rounded down unless it must be exact. */
static bool decimal_times(const struct decimal *decimal, uint64_t unit, bool is_exact,
                          uint64_t *product)
{
    if (decimal->is_too_large)
        return false;
    uint128 value = (uint128)decimal->digits * unit;
    int64_t scale = decimal->scale;
    for (; scale < 0 && value > 0; scale++) {
        if (is_exact && value % 10 != 0)
            return false;
        value /= 10;
    }
    for (; scale > 0 && value > 0 && value <= UINT64_MAX; scale--)
        value *= 10;
    if (value > UINT64_MAX)
        return false;
    *product = (uint64_t)value;
    return true;
}

/* The value as a whole number from -2^63 to 2^63 - 1. */
static bool decimal_to_integer(const struct decimal *decimal, int64_t *value)
{
    uint64_t magnitude;
    uint64_t magnitude_max = (uint64_t)INT64_MAX + decimal->is_negative;
    if (!decimal_times(decimal, 1, true, &magnitude) || magnitude > magnitude_max)
        return false;
    *value = decimal->is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

enum number_form number_form_of(const char *text)
{
    struct decimal decimal;
    int64_t value;
    if (!read_decimal(text, &decimal))
        return NUMBER_FORM_NONE;
    if (decimal.has_point || (decimal.has_exponent && !decimal_to_integer(&decimal, &value)))
        return NUMBER_FORM_REAL;
    return NUMBER_FORM_INTEGER;
}

int parse_integer(const char *text, int64_t *value, struct sheaf_error *error)
{
    struct decimal decimal;
    if (!read_decimal(text, &decimal))
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "expected an integer such as 42, -7 or 1e9, found \"%.100s\"", text);
    if (!decimal_to_integer(&decimal, value))
        return sheaf_error_set(
            error, SHEAF_ERROR_JOB,
            "expected a whole number from -2^63 to 2^63 - 1, such as 42 or 1e9, found \"%.100s\"",
            text);
    return 0;
}

int parse_real(const char *text, double *value, struct sheaf_error *error)
{
    if (number_form_of(text) == NUMBER_FORM_NONE)
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "expected a real number such as 0.5 or 1e-9, found \"%.100s\"",
                               text);
    char *plain = memory_copy_string(text);
    size_t size = 0;
    for (const char *at = text; *at != '\0'; at++)
        if (*at != '_')
            plain[size++] = *at;
    plain[size] = '\0';
    double parsed = strtod(plain, NULL);
    free(plain);
    if (!isfinite(parsed))
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "expected a real number below 1.8e308, found \"%.100s\"", text);
    *value = parsed;
    return 0;
}

int parse_count(const char *text, uint64_t *count, struct sheaf_error *error)
{
    struct decimal decimal;
    uint64_t parsed;
    if (!read_decimal(text, &decimal) || decimal.is_negative ||
        !decimal_times(&decimal, 1, true, &parsed))
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "expected a count such as 1000, 1_000 or 1e6, found \"%.100s\"",
                               text);
    *count = parsed;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

#define KIB ((uint64_t)1024)

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"K", KIB},
    {"KB", KIB},
    {"KiB", KIB},
    {"M", KIB *KIB},
    {"MB", KIB *KIB},
    {"MiB", KIB *KIB},
    {"G", KIB *KIB *KIB},
    {"GB", KIB *KIB *KIB},
    {"GiB", KIB *KIB *KIB},
    {"T", KIB *KIB *KIB *KIB},
    {"TB", KIB *KIB *KIB *KIB},
    {"TiB", KIB *KIB *KIB *KIB},
    {NULL, 0},
};

#define SECOND_NS ((uint64_t)1000000000)

/* No "m": it would be taken for minutes by some and for milliseconds by others. */
static const struct unit duration_units[] = {
    {"", SECOND_NS},
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", SECOND_NS},
    {"min", 60 * SECOND_NS},
    {"h", 3600 * SECOND_NS},
    {"d", 24 * 3600 * SECOND_NS},
    {NULL, 0},
};

static bool parse_with_unit(const char *text, const struct unit *units, uint64_t *value)
{
    struct decimal decimal;
    const char *suffix = scan_decimal(text, &decimal);
    if (suffix == NULL || decimal.is_negative)
        return false;
    while (*suffix == ' ')
        suffix++;
    for (const struct unit *unit = units; unit->name != NULL; unit++)
        if (strcasecmp(suffix, unit->name) == 0)
            return decimal_times(&decimal, unit->factor, false, value);
    return false;
}

int parse_size(const char *text, uint64_t *size_bytes, struct sheaf_error *error)
{
    if (!parse_with_unit(text, size_units, size_bytes))
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "expected a size such as 4096, 64K, 2 MiB or 1.5G, found \"%.100s\"",
                               text);
    return 0;
}

int parse_duration(const char *text, uint64_t *duration_ns, struct sheaf_error *error)
{
    if (!parse_with_unit(text, duration_units, duration_ns))
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "expected a duration such as 500ms, 10s, 5min or 2h (units: ns, us, "
                               "ms, s, min, h, d), found \"%.100s\"",
                               text);
    return 0;
}

/* The units ascend; among equal ones the first is the shortest. */
static void format_with_unit(uint64_t value, const struct unit *units, const char *smallest,
                             char text[QUANTITY_TEXT_BYTES])
{
    const char *name = smallest;
    uint64_t factor = 1;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (unit->factor > factor && value >= unit->factor && value % unit->factor == 0 &&
            unit->name[0] != '\0') {
            name = unit->name;
            factor = unit->factor;
        }
    }
    snprintf(text, QUANTITY_TEXT_BYTES, "%" PRIu64 "%s", value / factor, name);
}

void format_size(uint64_t size_bytes, char text[QUANTITY_TEXT_BYTES])
{
    format_with_unit(size_bytes, size_units, "", text);
}

void format_duration(uint64_t duration_ns, char text[QUANTITY_TEXT_BYTES])
{
    format_with_unit(duration_ns, duration_units, "ns", text);
}
