/* command_line.h - puts a command into words that can be typed into a shell. */
#ifndef SHEAF_COMMAND_LINE_H
#define SHEAF_COMMAND_LINE_H

/* "mpirun -n 4 'my program'". Returns a string the caller owns. */
char *command_line_format(char *const *words, int word_count);

/* Leaves out --fresh, which would delete the results, in place. Returns how many words are left. */
int command_line_drop_fresh(char **words, int word_count);

/* "sheaf run 'my job.yaml' -n 4": the command that continues a run. Leaves out --fresh. Returns
 * a string the caller owns. */
char *command_line_to_continue(char *const *arguments, int argument_count);

#endif
