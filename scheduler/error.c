/* error.c - sets and describes operating errors. */
#include "error.h"

#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_status;
    const char *meaning;
} error_table[SHEAF_ERROR_COUNT] = {
#define X(name, status, text) {#name, status, text},
    SHEAF_ERRORS(X)
#undef X
};

static int error_index(int code)
{
    CHECK(code < 0 && -code - 1 < (int)SHEAF_ERROR_COUNT);
    return -code - 1;
}

int sheaf_error_set(struct sheaf_error *error, int code, const char *format, ...)
{
    CHECK(code < 0);
    if (error == NULL)
        return code;
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

static int code_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return SHEAF_ERROR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return SHEAF_ERROR_PERMISSION;
    case ENOENT:
        return SHEAF_ERROR_NOT_FOUND;
    default:
        return SHEAF_ERROR_IO;
    }
}

int sheaf_error_set_errno(struct sheaf_error *error, int errno_value, const char *format, ...)
{
    int code = code_of_errno(errno_value);
    if (error == NULL)
        return code;
    va_list arguments;
    va_start(arguments, format);
    error->code = code;
    int length = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof error->text)
        snprintf(error->text + length, sizeof error->text - (size_t)length, ": %s",
                 strerror(errno_value));
    return code;
}

const char *sheaf_error_name(int code)
{
    return error_table[error_index(code)].name;
}

const char *sheaf_error_meaning(int code)
{
    return error_table[error_index(code)].meaning;
}

int sheaf_error_exit_status(int code)
{
    return code == 0 ? 0 : error_table[error_index(code)].exit_status;
}
