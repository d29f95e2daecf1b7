/* submit.h - `sheaf submit`: hands a job to Slurm, which runs it in rounds until it is done. */
#ifndef SHEAF_SUBMIT_H
#define SHEAF_SUBMIT_H

/* argv[0] is "submit". Returns the exit status, unless sbatch takes this process's place. */
int submit_command(int argc, char **argv);

#endif
