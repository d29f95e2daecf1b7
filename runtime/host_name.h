/* host_name.h - which words may be the name of a host.
 *
 * A name becomes a word of ssh's (or srun's) command line: one that begins with '-' would be an
 * option there, and options of ssh run commands on this host. */
#ifndef SHEAF_HOST_NAME_H
#define SHEAF_HOST_NAME_H

#include "../scheduler/error.h"

#include <stddef.h>

struct host_place {
    const char *source; /* "--host", or the path of a file */
    size_t line;        /* 0: not a line of a file */
};

/* INPUT, with the place, unless the bytes are a name: letters, digits and any of ._:%[]- of which
 * the last may not come first; "USER@" may precede it, and one of mpirun's signs + and ^. */
int host_name_check(const char *name, size_t size, const struct host_place *place,
                    struct sheaf_error *error);
/* Likewise for what follows the name in a line of a hostfile: words as "slots=4", without quotes,
 * other marks or control characters, which mpirun might read in another way. */
int host_name_check_rest(const char *text, size_t size, const struct host_place *place,
                         struct sheaf_error *error);

#endif
