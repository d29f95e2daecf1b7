/* rb.h - libbsd's red-black trees, generated as functions private to one file. */
#ifndef SHEAF_RB_H
#define SHEAF_RB_H

#include <bsd/sys/tree.h>

/* RB_GENERATE_STATIC without its `__unused`, which libbsd does not define on Linux. */
#define RB_GENERATE_PRIVATE(name, type, field, compare)                                            \
    RB_GENERATE_INTERNAL(name, type, field, compare, __attribute__((unused)) static)

/* Three-way comparison of unsigned keys. */
#define RB_COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

#endif
