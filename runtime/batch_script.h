/* batch_script.h - the script by which Slurm runs a job in rounds. */
#ifndef SHEAF_BATCH_SCRIPT_H
#define SHEAF_BATCH_SCRIPT_H

#include <stdbool.h>
#include <stdio.h>

/* All zero is valid and empty. Words are borrowed, strings owned. */
struct batch_script {
    char *program; /* this one */
    char *working_directory;
    char *job_name;
    char *run_directory;
    bool is_fresh;          /* the first round is to forget what an earlier run left */
    char *const *run_words; /* after "run", without --fresh */
    int run_word_count;
    char *const *sbatch_words; /* after "sbatch", without line breaks */
    int sbatch_word_count;
};

void batch_script_close(struct batch_script *script);
void batch_script_write(const struct batch_script *script, FILE *out);

#endif
