/* command_line.h - puts a command into words that can be typed into a shell. */
#ifndef SHEAF_COMMAND_LINE_H
#define SHEAF_COMMAND_LINE_H

#include <stdbool.h>

/* "mpirun -n 4 'my program'". Returns a string the caller owns. */
char *command_line_format(char *const *words, int word_count);

/* Leaves out what is for the beginning of a run, in place: --fresh, which would delete the results,
 * and --retry-failed. Returns how many words are left. */
int command_line_drop_beginning(char **words, int word_count);
/* The same for --only and its list. */
int command_line_drop_only(char **words, int word_count);

/* "sheaf run 'my job.yaml' -n 4": the command that continues a run, or, when is_for_all, runs the
 * tasks as well that --only left out. Returns a string the caller owns. */
char *command_line_to_continue(char *const *arguments, int argument_count, bool is_for_all);

/* "sheaf run 'my job.sheaf'": continues the run of a directory, by what is stored there. Returns a
 * string the caller owns. */
char *command_line_to_continue_run(const char *dir);

#endif
