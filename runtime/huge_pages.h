/* huge_pages.h - has the C library take large memory in huge pages. */
#ifndef SHEAF_HUGE_PAGES_H
#define SHEAF_HUGE_PAGES_H

#include <stdbool.h>

/* Results pass through fresh memory several times on their way, and a page fault for each 4 KiB
 * costs more than the copying: collecting 2 million results of 64 bytes took three times as long.
 *
 * glibc reads the setting (glibc.malloc.hugetlb in its manual, since 2.35) when a program starts,
 * so the program has to be executed again, once, when this returns true. Call it before anything
 * was opened or begun. Does nothing where the user has set GLIBC_TUNABLES, and leaves no trace in
 * the environment that tasks see. */
bool huge_pages_request(void);
/* It was not executed again. */
void huge_pages_give_up(void);

#endif
