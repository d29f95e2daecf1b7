/* batch_script.c - writes the script by which Slurm runs a job in rounds. */
#include "batch_script.h"

#include "command_line.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* What Slurm is told unless the user says otherwise: the last one of each counts. The signal comes
 * up to a minute earlier than asked for. */
static const char directives[] = "#SBATCH --no-kill\n"
                                 "#SBATCH --requeue\n"
                                 "#SBATCH --open-mode=append\n"
                                 "#SBATCH --signal=B:TERM@120\n";

/* Variables sheaf, directory, again and fresh, and the function run_sheaf, come between. The shell
 * forgets the status of a process once it has told it, and a signal may end `wait` or come right
 * after it: so `wait` is repeated after each signal, and "not found" (127) changes nothing. */
static const char begin[] =
    "# Slurm signals this shell alone, when the time limit is near.\n"
    "child=\n"
    "signalled=no\n"
    "trap 'signalled=yes; [ -z \"$child\" ] || kill -TERM \"$child\"' TERM USR1\n"
    "\n";

static const char body[] =
    "tasks_ended() {\n"
    "    \"$sheaf\" status --json \"$directory\" 2>/dev/null |\n"
    "        awk -F: '/\"tasks_(done|failed|not_run)\":/ { count += $2 } END { print count + 0 }'\n"
    "}\n"
    "\n"
    "give_up() {\n"
    "    echo \"sheaf: error: $1. To continue: $again\" >&2\n"
    "    exit 3\n"
    "}\n"
    "\n"
    "before=0\n"
    "[ -n \"$fresh\" ] || before=$(tasks_ended)\n"
    "run_sheaf &\n"
    "child=$!\n"
    "[ $signalled = no ] || kill -TERM \"$child\"\n"
    "status=127\n"
    "while :; do\n"
    "    signalled=no\n"
    "    wait \"$child\"\n"
    "    got=$?\n"
    "    [ $got = 127 ] || status=$got\n"
    "    [ $signalled = yes ] || break\n"
    "done\n"
    "\n"
    "# 3: stopped, and can be continued. Everything else is the end.\n"
    "idle=slurm-$SLURM_JOB_ID.idle\n"
    "[ $status = 3 ] || { rm -f \"$idle\"; exit $status; }\n"
    "\n"
    "# What was cancelled must not come back. A busy controller may not answer at first; while it\n"
    "# sends the signal for the time limit, it calls the job SIGNALING.\n"
    "state=\n"
    "for attempt in 1 2 3; do\n"
    "    state=$(squeue -h -j \"$SLURM_JOB_ID\" -o %T) && [ \"$state\" != SIGNALING ] && break\n"
    "    sleep 2\n"
    "done\n"
    "case $state in\n"
    "RUNNING | SIGNALING) ;;\n"
    "*) give_up \"not requeued, as Slurm says that the job is ${state:-gone}\" ;;\n"
    "esac\n"
    "\n"
    "# Rounds that are too short for a single task would be repeated for ever.\n"
    "if [ \"$(tasks_ended)\" -gt \"$before\" ]; then\n"
    "    rm -f \"$idle\"\n"
    "elif printf . >>\"$idle\" && [ $(($(wc -c <\"$idle\"))) -ge 3 ]; then\n"
    "    rm -f \"$idle\"\n"
    "    give_up \"not requeued, as no task has ended in 3 rounds: give them more time (--time)\"\n"
    "fi\n"
    "\n"
    "for attempt in 1 2 3; do\n"
    "    scontrol requeue \"$SLURM_JOB_ID\" && exit 3\n"
    "    sleep 2\n"
    "done\n"
    "give_up \"Slurm does not requeue the job\"\n";

void batch_script_close(struct batch_script *script)
{
    free(script->program);
    free(script->working_directory);
    free(script->job_name);
    free(script->run_directory);
    *script = (struct batch_script){.job_name = NULL};
}

/* Slurm's own way of quoting: a blank needs quotes, and within these a backslash is special. */
static void write_sbatch_word(const char *word, FILE *out)
{
    bool is_quoted = *word == '\0' || word[strcspn(word, " \t\"'\\#")] != '\0';
    if (is_quoted)
        putc('"', out);
    for (; *word != '\0'; word++) {
        if (*word == '"' || *word == '\\')
            putc('\\', out);
        putc(*word, out);
    }
    if (is_quoted)
        putc('"', out);
}

static void write_directives(const struct batch_script *script, FILE *out)
{
    fputs("#SBATCH --job-name=", out);
    for (const char *at = script->job_name; *at != '\0'; at++)
        putc(isalnum((unsigned char)*at) || strchr("._-+", *at) != NULL ? *at : '_', out);
    putc('\n', out);
    fputs(directives, out);
    if (script->sbatch_word_count > 0)
        fputs("#SBATCH", out);
    for (int i = 0; i < script->sbatch_word_count; i++) {
        putc(' ', out);
        write_sbatch_word(script->sbatch_words[i], out);
    }
    if (script->sbatch_word_count > 0)
        putc('\n', out);
}

static void write_variable(const char *name, char *value, FILE *out)
{
    char *quoted = command_line_format(&value, 1);
    fprintf(out, "%s=%s\n", name, quoted);
    free(quoted);
}

/* The line that submits the job once more. */
static char *format_again(const struct batch_script *script)
{
    char *sbatch = command_line_format(script->sbatch_words, script->sbatch_word_count);
    char *run = command_line_format(script->run_words, script->run_word_count);
    char *again = NULL;
    if (asprintf(&again, "sheaf submit %s -- %s", sbatch, run) < 0)
        abort(); /* no memory */
    free(sbatch);
    free(run);
    return again;
}

void batch_script_write(const struct batch_script *script, FILE *out)
{
    char *again = format_again(script);
    char *run = command_line_format(script->run_words, script->run_word_count);
    fputs("#!/bin/sh\n"
          "# Runs a Sheaf job in rounds: stops when the time limit is near, and is requeued.\n",
          out);
    write_directives(script, out);
    putc('\n', out);
    fputs(begin, out);
    write_variable("sheaf", script->program, out);
    write_variable("directory", script->run_directory, out);
    write_variable("again", again, out);
    fprintf(out, "cd -- ");
    char *place = command_line_format(&(char *){script->working_directory}, 1);
    fprintf(out, "%s || exit 4\n", place);
    fprintf(out, "fresh=%s\n", script->is_fresh ? "--fresh" : "");
    if (script->is_fresh)
        fputs("[ \"${SLURM_RESTART_COUNT:-0}\" = 0 ] || fresh= # only in the first round\n", out);
    fprintf(out,
            "\n"
            "# Tasks that run at the signal may end, as far as the time limit allows.\n"
            "run_sheaf() {\n"
            "    exec \"$sheaf\" run --grace 2min $fresh %s\n"
            "}\n"
            "\n",
            run);
    fputs(body, out);
    free(place);
    free(again);
    free(run);
}
