/* stored_command.h - the file DIR/command: the words that began the run of a directory, with what
 * they mean, so that `sheaf run DIR` can continue it. */
#ifndef SHEAF_STORED_COMMAND_H
#define SHEAF_STORED_COMMAND_H

#include "../jobs/job.h"
#include "options.h"

#define STORED_COMMAND_NAME "command"

enum stored_job {
    STORED_JOB_NONE = 1, /* a command without a list */
    STORED_JOB_FILE,     /* a job file; its text is stored */
    STORED_JOB_PLUGIN,
    STORED_JOB_LIST,  /* a list, which may be gone: its lines are the tasks' inputs */
    STORED_JOB_INPUT, /* a list that came on standard input: a file of the run directory */
};

/* All zero is empty. Owns everything. */
struct stored_command {
    enum stored_job kind;
    char *directory;  /* the working directory: relative names are relative to it */
    char *job_path;   /* absolute; NULL for NONE and INPUT */
    char *input_name; /* in the run directory; NULL but for INPUT */
    char *text;       /* of the job file; NULL but for FILE */
    char **words;     /* "--name=value": what the command line says of every run of the job */
    size_t word_count;
};

/* Appends what the file is to hold for the run of `job`, read as the options say. */
int stored_command_put(const struct run_options *options, const struct job *job,
                       struct byte_writer *writer, struct sheaf_error *error);
/* Overwrites *command. NOT_FOUND when there is no file, DAMAGED when it cannot be understood. */
int stored_command_read(const char *dir, struct stored_command *command, struct sheaf_error *error);
void stored_command_close(struct stored_command *command);

#endif
