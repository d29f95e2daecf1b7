/* submit.c - `sheaf submit`: hands a job to Slurm, which runs it in rounds until it is done. */
#include "submit.h"

#include "../scheduler/memory.h"
#include "batch_script.h"
#include "command_line.h"
#include "continued_command.h"
#include "print_foreign.h"
#include "run_job.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct submission {
    bool is_print;
    bool wants_help;
    char **sbatch_words; /* "sbatch", its options, NULL */
    int sbatch_word_count;
    char **run_words; /* "run", options, the job */
    int run_word_count;
};

static const char help[] =
    "Usage: sheaf submit [--print] [sbatch options] JOB\n"
    "       sheaf submit [--print] [sbatch options] -- [options of sheaf run] JOB\n"
    "\n"
    "Writes a batch script for the job and submits it to Slurm. When the time limit is near, "
    "Sheaf\n"
    "stops in time and the batch job is requeued, so that it ends after as many rounds as it "
    "takes.\n"
    "\n"
    "  --print    only show the script; to submit it later: sbatch FILE\n"
    "  -h, --help this text\n"
    "\n"
    "Exit status: sbatch's; 2 wrong usage or job; 4 sbatch cannot be started.\n";

static int usage(struct sheaf_error *error, const char *what)
{
    return sheaf_error_set(error, SHEAF_ERROR_USAGE, "%s (see `sheaf submit --help`)", what);
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* All words before "--" are sbatch's, but our own two options; without "--", all before the last.
 */
static int sort_words(int argc, char **argv, struct submission *submission,
                      struct sheaf_error *error)
{
    int separator = 1;
    while (separator < argc && strcmp(argv[separator], "--") != 0)
        separator++;
    bool is_separated = separator < argc;
    int sbatch_end = is_separated ? separator : argc - 1;
    if (argc > 1 && is_one_of(argv[argc - 1], "--help", "-h"))
        submission->wants_help = true;
    for (int i = 1; i < sbatch_end; i++) {
        if (strchr(argv[i], '\n') != NULL)
            return usage(error, "an option of sbatch must not contain a line break");
        if (strcmp(argv[i], "--print") == 0)
            submission->is_print = true;
        else if (is_one_of(argv[i], "--help", "-h"))
            submission->wants_help = true;
        else
            submission->sbatch_words[submission->sbatch_word_count++] = argv[i];
    }
    for (int i = is_separated ? separator + 1 : argc - 1; i > 0 && i < argc; i++)
        submission->run_words[submission->run_word_count++] = argv[i];
    bool has_job =
        submission->run_word_count > 1 && (is_separated || submission->run_words[1][0] != '-');
    if (!has_job && !submission->wants_help)
        return usage(error, "which job? It is the last word");
    return 0;
}

/* The options of the run, or those that continue it, whose words `continued` owns. */
static int read_options(const struct submission *submission, struct continued_command *continued,
                        struct run_options *options, struct sheaf_error *error)
{
    int code = options_parse(submission->run_word_count, submission->run_words, options, error);
    if (code != 0 || options->wants_help || !continued_command_is_asked(options))
        return code;
    code = continued_command_make(options, continued, error);
    options_close(options);
    return code == 0 ? options_parse(continued->word_count, continued->words, options, error)
                     : code;
}

static int check_options(const struct run_options *options, struct sheaf_error *error)
{
    if (options->only == NULL && !options->retries_failed && options->rerun_stage_count == 0)
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                           "--only, --retry-failed and --rerun-stage are for one run, and this "
                           "would be several rounds: put `sheaf run` with them into a script "
                           "of your own");
}

/* What is wrong with the job is better known now than when it starts at night. */
static int read_job(struct submission *submission, struct batch_script *script,
                    struct sheaf_error *error)
{
    struct run_options options;
    struct continued_command continued = {0};
    struct job job = {.name = NULL};
    int code = read_options(submission, &continued, &options, error);
    if (code != 0) {
        continued_command_close(&continued);
        return code;
    }
    code = check_options(&options, error);
    submission->wants_help |= options.wants_help;
    if (code == 0 && !options.wants_help)
        code = run_job_read(&options, &job, error);
    if (code == 0 && !options.wants_help)
        code = run_job_check(&options, &job, error);
    if (code == 0 && !options.wants_help) {
        script->job_name = memory_copy_string(job.name);
        script->run_directory = run_job_directory(&options, job.name);
        script->is_fresh = options.is_fresh;
    }
    job_close(&job);
    options_close(&options);
    continued_command_close(&continued);
    return code;
}

static int find_places(struct batch_script *script, struct sheaf_error *error)
{
    script->program = realpath("/proc/self/exe", NULL);
    script->working_directory = getcwd(NULL, 0);
    if (script->program == NULL || script->working_directory == NULL)
        return sheaf_error_set_errno(error, errno,
                                     "cannot tell where this program and this directory are");
    return 0;
}

/* sbatch reads the script from its standard input. Returns only when it cannot be started. */
static int become_sbatch(const struct submission *submission, const struct batch_script *script,
                         struct sheaf_error *error)
{
    int descriptor = memfd_create("script", 0);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w+") : NULL;
    if (file == NULL)
        return sheaf_error_set_errno(error, errno, "cannot write the batch script");
    batch_script_write(script, file);
    if (fflush(file) != 0 || lseek(descriptor, 0, SEEK_SET) != 0 ||
        dup2(descriptor, STDIN_FILENO) < 0)
        return sheaf_error_set_errno(error, errno, "cannot write the batch script");
    execvp("sbatch", submission->sbatch_words);
    return sheaf_error_set_errno(error, errno,
                                 "cannot start sbatch: is this a host from which jobs are "
                                 "submitted? (--print shows the script)");
}

static int submit(struct submission *submission, struct batch_script *script,
                  struct sheaf_error *error)
{
    /* Before the job is read: to continue one enters the directory where it was begun. */
    int code = find_places(script, error);
    if (code == 0 && !submission->wants_help)
        code = read_job(submission, script, error);
    if (code == 0 && submission->wants_help) {
        fputs(help, stdout);
        return 0;
    }
    if (code != 0)
        return code;
    script->sbatch_words = submission->sbatch_words + 1;
    script->sbatch_word_count = submission->sbatch_word_count - 1;
    script->run_words = submission->run_words + 1;
    script->run_word_count =
        command_line_drop_beginning(submission->run_words + 1, submission->run_word_count - 1);
    if (!submission->is_print)
        return become_sbatch(submission, script, error);
    batch_script_write(script, stdout);
    return 0;
}

int submit_command(int argc, char **argv)
{
    char sbatch[] = "sbatch";
    char run[] = "run";
    struct submission submission = {
        .sbatch_words = memory_allocate_zeroed((size_t)argc + 2, sizeof(char *)),
        .run_words = memory_allocate_zeroed((size_t)argc + 2, sizeof(char *)),
    };
    struct batch_script script = {.job_name = NULL};
    struct sheaf_error error;
    submission.sbatch_words[submission.sbatch_word_count++] = sbatch;
    submission.run_words[submission.run_word_count++] = run;
    int code = sort_words(argc, argv, &submission, &error);
    if (code == 0)
        code = submit(&submission, &script, &error);
    int status = code == 0 ? 0 : print_failure(&error);
    batch_script_close(&script);
    free(submission.sbatch_words);
    free(submission.run_words);
    return status;
}
