/* check.h - assertions on programmer errors; kept in every build.
 *
 * An operating error (disk full, peer lost, bad input) is never a CHECK: it is a code and a text in
 * a struct sheaf_error. */
#ifndef SHEAF_CHECK_H
#define SHEAF_CHECK_H

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__, __func__))

_Noreturn void check_failed(const char *condition, const char *file, int line,
                            const char *function);

#endif
