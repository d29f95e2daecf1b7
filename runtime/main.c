/* main.c - the program: hands each command to the part that does it. */
#include "continued_command.h"
#include "doctor.h"
#include "explain_command.h"
#include "host_answer.h"
#include "huge_pages.h"
#include "installation.h"
#include "journal.h"
#include "launcher.h"
#include "options.h"
#include "output_command.h"
#include "print_foreign.h"
#include "process_title.h"
#include "rank.h"
#include "report_command.h"
#include "run_directory.h"
#include "run_place.h"
#include "session.h"
#include "spawner_again.h"
#include "stage_list.h"
#include "status_command.h"
#include "submit.h"
#include "task_mark.h"
#include "try.h"

#include "../jobs/suggest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static int run_command(int argc, char **argv)
{
    struct run_options options;
    struct continued_command continued = {0};
    struct sheaf_error error;
    if (options_parse(argc, argv, &options, &error) != 0)
        return print_failure(&error);
    if (options.is_shared)
        run_place_share();
    if (!options.wants_help && continued_command_is_asked(&options)) {
        int code = continued_command_make(&options, &continued, &error);
        options_close(&options);
        if (code == 0)
            code = options_parse(continued.word_count, continued.words, &options, &error);
        if (code != 0) {
            continued_command_close(&continued);
            return print_failure(&error);
        }
    }
    int status = 0;
    if (options.is_shared)
        run_place_share();
    if (options.wants_help)
        options_print_help(stdout);
    else if (options.is_dry && session_is_under_mpi())
        status = sheaf_error_set(&error, SHEAF_ERROR_USAGE,
                                 "--dry-run starts no rank: leave mpirun out");
    else if (session_is_under_mpi())
        status = rank_main(&options);
    else
        status = launcher_run(&options, &error);
    options_close(&options);
    continued_command_close(&continued);
    return status < 0 ? print_failure(&error) : status;
}

struct journal_request {
    bool is_verify;
    int exit_status;
};

static int look_at_journal(void *context, const char *run_dir, const char *stage,
                           struct sheaf_error *error)
{
    struct journal_request *request = context;
    char *dir = run_directory_join(run_dir, "journal");
    if (stage != NULL)
        printf("stage %s\n", stage);
    int code =
        request->is_verify ? journal_verify(dir, stdout, error) : journal_dump(dir, stdout, error);
    free(dir);
    if (code >= 0 || stage == NULL)
        return code;
    request->exit_status = print_failure(error); /* what another stage has stored may be whole */
    return 0;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const char journal_help[] =
    "Usage: sheaf journal verify [--stage NAME] DIR\n"
    "       sheaf journal dump [--stage NAME] DIR\n\n"
    "Checks what the run in DIR has stored, or prints it.\n\n"
    "  --stage NAME   only this stage of a job in stages\n"
    "  --shared-dir   believe a directory in which other users may write\n";

static int journal_command(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (is_help(argv[i]))
            return fputs(journal_help, stdout) < 0;
    bool has_stage = argc == 5 && strcmp(argv[2], "--stage") == 0;
    struct journal_request request = {.exit_status = 0};
    request.is_verify = argc > 2 && strcmp(argv[1], "verify") == 0;
    bool is_dump = argc > 2 && strcmp(argv[1], "dump") == 0;
    if ((!request.is_verify && !is_dump) || (argc != 3 && !has_stage)) {
        fputs(journal_help, stderr);
        return EXIT_USAGE;
    }
    struct sheaf_error error;
    int code = stage_list_visit(argv[argc - 1], has_stage ? argv[3] : NULL, look_at_journal,
                                &request, &error);
    return code < 0 ? print_failure(&error) : request.exit_status;
}

static int version_command(int argc, char **argv)
{
    printf("sheaf %s\n", SHEAF_VERSION);
    if (argc == 2 && strcmp(argv[1], HOST_ANSWER_OPTION) == 0)
        host_answer_give();
    return 0;
}

static int help_command(int argc, char **argv);

static const struct {
    const char *name;
    const char *arguments;
    const char *help;
    int (*command)(int argc, char **argv);
} commands[] = {
    {"run", "[options] JOB", "run a job, or continue it (sheaf run --help)", run_command},
    {"submit", "[options] JOB", "hand a job to Slurm, to run it in rounds", submit_command},
    {"try", "[options] JOB", "run one task here, to see what it does", try_command},
    {"status", "[--json] DIR", "where a run stands", status_command},
    {"report", "[--json] DIR", "what failed, why, and what to do about it", report_command},
    {"explain", "DIR --task I", "what became of a task, and why it waits", explain_command},
    {"output", "[options] DIR", "what the commands of a run have written", output_command},
    {"doctor", "[DIR]", "check whether this host can run jobs", doctor_command},
    {"journal", "verify|dump DIR", "check or print what a run has stored", journal_command},
    {"help", "[COMMAND]", "print this text, or how a command is used", help_command},
    {"version", "", "print the version (-V, --version)", version_command},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int unknown_command(const char *word)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *nearest = suggest_nearest(word, names, COMMANDS);
    print_harmless(stderr,
                   "sheaf: error: unknown command \"%.100s\"%s%s%s (`sheaf --help` lists them)\n",
                   word, nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "\"?" : "");
    return EXIT_USAGE;
}

/* Of the commands that look at a run: it means the same for all. Returns how many words are left.
 */
static int take_shared(const char *word, int argc, char **argv)
{
    static const char *const names[] = {"status", "report", "explain", "output", "journal"};
    bool is_taken = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is_taken |= strcmp(word, names[i]) == 0;
    int count = 0;
    for (int i = 0; i < argc; i++) {
        bool is_share = is_taken && i > 0 && strcmp(argv[i], "--shared-dir") == 0;
        if (is_share)
            run_place_share();
        else
            argv[count++] = argv[i];
    }
    argv[count] = NULL;
    return count;
}

static int dispatch(const char *word, int argc, char **argv)
{
    argc = take_shared(word, argc, argv);
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, word) == 0)
            return commands[i].command(argc, argv);
    return unknown_command(word);
}

static void print_commands(void)
{
    printf("Usage: sheaf COMMAND ...\n\n"
           "Runs a job as a bag of tasks over MPI, and goes on when parts of it are lost.\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-9s %-16s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    printf(
        "\n`sheaf help COMMAND` says how a command is used, `man sheaf-COMMAND` what it does.\n");
}

/* Of a command: what that prints when it is asked itself. */
static int help_command(int argc, char **argv)
{
    if (argc > 2) {
        print_harmless(stderr, "Usage: sheaf help [COMMAND]\n");
        return EXIT_USAGE;
    }
    if (argc == 2 && strcmp(argv[1], "help") != 0 && strcmp(argv[1], "version") != 0) {
        char *words[] = {argv[1], "--help", NULL};
        return dispatch(argv[1], 2, words);
    }
    print_commands();
    return 0;
}

/* Options that stand for commands. */
static const char *command_of(const char *word)
{
    if (is_help(word))
        return "help";
    return strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 ? "version" : word;
}

/* A rank needs some of what the kernel and the C library look at only when a program starts. It
 * goes on without, if need be. */
static void prepare_rank(char *const *argv)
{
    bool wants_start = huge_pages_request();
    wants_start |= task_mark_reserve();
    if (!wants_start)
        return;
    /* By its own name, which is how the process is listed. */
    char *program = realpath("/proc/self/exe", NULL);
    if (program != NULL)
        execv(program, argv);
    huge_pages_give_up();
    free(program);
}

int main(int argc, char **argv)
{
    if (session_is_under_mpi())
        prepare_rank(argv);
    process_title_keep(argc, argv);
    spawner_again_enter();
    int status =
        argc > 1 ? dispatch(command_of(argv[1]), argc - 1, argv + 1) : dispatch("help", 1, argv);
    /* What was printed counts only if it arrived. */
    if (fflush(stdout) != 0 && status == 0) {
        perror("sheaf: error: cannot write to standard output");
        status = 4;
    }
    return status;
}
