/* huge_pages.c - has the C library take large memory in huge pages, from its start on. */
#include "huge_pages.h"

#include <stdlib.h>
#include <string.h>

#define VARIABLE "GLIBC_TUNABLES"
#define SETTING  "glibc.malloc.hugetlb=1"

bool huge_pages_request(void)
{
    const char *present = getenv(VARIABLE);
    if (present == NULL)
        return setenv(VARIABLE, SETTING, 1) == 0;
    if (strcmp(present, SETTING) == 0)
        unsetenv(VARIABLE); /* the second start: it has taken effect */
    return false;
}

void huge_pages_give_up(void)
{
    const char *present = getenv(VARIABLE);
    if (present != NULL && strcmp(present, SETTING) == 0)
        unsetenv(VARIABLE);
}
