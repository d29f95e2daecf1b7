/* huge_pages.c - has the C library take large memory in huge pages, from its start on. */
#include "huge_pages.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "GLIBC_TUNABLES"
#define SETTING  "glibc.malloc.hugetlb=1"

void huge_pages_request(char *const *argv)
{
    const char *present = getenv(VARIABLE);
    if (present != NULL) {
        if (strcmp(present, SETTING) == 0)
            unsetenv(VARIABLE); /* the second start: it has taken effect */
        return;
    }
    /* By its own name, which is how the process is listed. */
    char *program = realpath("/proc/self/exe", NULL);
    if (program != NULL && setenv(VARIABLE, SETTING, 1) == 0)
        execv(program, argv);
    unsetenv(VARIABLE); /* it goes on without */
    free(program);
}
