/* continued_command.h - `sheaf run DIR`: makes of a run directory the words that continue its run,
 * from wherever they are given. */
#ifndef SHEAF_CONTINUED_COMMAND_H
#define SHEAF_CONTINUED_COMMAND_H

#include "options.h"

/* All zero is empty. Owns. */
struct continued_command {
    char **words; /* "run", options, the job; for options_parse */
    int word_count;
};

/* Whether the job that is named is a directory. */
bool continued_command_is_asked(const struct run_options *options);
/* Reads what the directory knows of its command, adds the options that are given now, and enters
 * the working directory of the run. USAGE when it is no run directory, when it does not know its
 * command, or for an option that makes no sense here. */
int continued_command_make(const struct run_options *options, struct continued_command *command,
                           struct sheaf_error *error);
void continued_command_close(struct continued_command *command);

#endif
