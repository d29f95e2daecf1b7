/* test_command_list.c - lists of commands: directives for disBatch, and barriers as dependencies.
 */
#include "../../jobs/job.h"
#include "../../jobs/split.h"
#include "../../scheduler/memory.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sheaf_error error;

static struct job given_list(struct scratch *scratch, const char *text)
{
    struct job job;
    *scratch = given_scratch();
    struct scratch_path path = scratch_write(scratch, "list", text, strlen(text));
    if (job_read(path.text, &job, &error) != 0)
        fail_msg("%s", error.text);
    return job;
}

/* The commands of a list, each ended by '|'. */
static const char *commands_of(const char *list)
{
    static char commands[4096];
    struct scratch scratch;
    struct job job = given_list(&scratch, list);
    struct split_walk *walk;
    struct byte_reader input;
    size_t length = 0;
    assert_int_equal(split_walk_create(&job.split, &walk, &error), 0);
    commands[0] = '\0';
    while (split_walk_next(walk, &input, &error) == 1)
        length += (size_t)snprintf(commands + length, sizeof commands - length, "%.*s|",
                                   (int)input.size, (const char *)input.data);
    split_walk_destroy(walk);
    job_close(&job);
    scratch_remove(&scratch);
    return commands;
}

static void assert_refused(const char *list, const char *why)
{
    struct scratch scratch = given_scratch();
    struct scratch_path path = scratch_write(&scratch, "list", list, strlen(list));
    struct job job;
    assert_int_equal(job_read(path.text, &job, &error), SHEAF_ERROR_INPUT);
    assert_int_equal(sheaf_error_exit_status(error.code), 2);
    if (strstr(error.text, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, why);
    scratch_remove(&scratch);
}

static void prefix_and_suffix_hold_until_the_next_ones(void **state)
{
    (void)state;
    assert_string_equal(commands_of("a\n"
                                    "#DISBATCH PREFIX ( cd x ; \n"
                                    "#DISBATCH SUFFIX  ) &> log\n"
                                    "b 1\n"
                                    "# c\n"
                                    "\n"
                                    "#disbatch PREFIX not one\n"
                                    "#DISBATCH prefix p-\r\n"
                                    "d\n"
                                    "#DISBATCH PREFIX\n"
                                    "#DISBATCH SUFFIX\n"
                                    "e"),
                        "a|( cd x ; b 1 ) &> log|p-d ) &> log|e|");
}

static void repeat_makes_tasks_with_an_index_each(void **state)
{
    (void)state;
    assert_string_equal(commands_of("#DISBATCH REPEAT 2 start 100 step 50  x $I\n"
                                    "#DISBATCH REPEAT 0 x\n"
                                    "y\n"
                                    "#DISBATCH SUFFIX  >z\n"
                                    "#DISBATCH REPEAT 2\n"),
                        "export DISBATCH_REPEAT_INDEX=100 DISBATCH_REPEAT_INDEX_ZP=000100;  x $I|"
                        "export DISBATCH_REPEAT_INDEX=150 DISBATCH_REPEAT_INDEX_ZP=000150;  x $I|"
                        "y|"
                        "export DISBATCH_REPEAT_INDEX=0 DISBATCH_REPEAT_INDEX_ZP=000000;  >z|"
                        "export DISBATCH_REPEAT_INDEX=1 DISBATCH_REPEAT_INDEX_ZP=000001;  >z|");
    assert_string_equal(commands_of("#DISBATCH REPEAT 1 starting now\n"),
                        "export DISBATCH_REPEAT_INDEX=0 DISBATCH_REPEAT_INDEX_ZP=000000; "
                        "starting now|");
}

static void line_number_is_told_to_those_who_ask(void **state)
{
    (void)state;
    assert_string_equal(commands_of("\nx\ny $DISBATCH_STREAM_INDEX\n"),
                        "x|export DISBATCH_STREAM_INDEX=3 DISBATCH_STREAM_INDEX_ZP=000003; "
                        "y $DISBATCH_STREAM_INDEX|");
}

/* Two edges a command, however many there are on both sides. */
static void barrier_is_a_task_between_those_before_and_those_behind(void **state)
{
    (void)state;
    struct scratch scratch;
    struct job job = given_list(&scratch, "a\nb\nc\n#DISBATCH BARRIER\n#DISBATCH BARRIER CHECK\n"
                                          "#DISBATCH REPEAT 2 d\ne\n");
    assert_int_equal(job.split.kind, SPLIT_TASKS);
    const struct task_table *table = job.split.table;
    assert_int_equal(table->count, 8);
    assert_string_equal(table->commands[2], "c");
    assert_string_equal(table->commands[3], "true");
    assert_string_equal(table->names[2], "");
    assert_string_equal(table->names[3], "barrier on line 4");
    const uint32_t predecessor_counts[] = {0, 0, 0, 3, 1, 1, 1, 1};
    assert_memory_equal(table->graph->predecessor_counts, predecessor_counts,
                        sizeof predecessor_counts);
    const uint32_t successors[] = {3, 3, 3, 4, 5, 6, 7};
    assert_int_equal(table->graph->edge_count, 7);
    assert_memory_equal(table->graph->successors, successors, sizeof successors);
    const bool kinds[] = {true, true, true, false, false, false, false};
    assert_memory_equal(table->graph->is_for_end, kinds, sizeof kinds);
    job_close(&job);
    scratch_remove(&scratch);
    job = given_list(&scratch, "#DISBATCH BARRIER\na\n#DISBATCH BARRIER\n");
    assert_int_equal(job.split.table->count, 3);
    assert_int_equal(job.split.table->graph->edge_count, 3);
    job_close(&job);
    scratch_remove(&scratch);
}

/* A barrier waits for ends, and so that a check in vain keeps all behind it from running, for the
 * success of the barrier before it. */
static void barrier_waits_for_ends_and_a_check_for_successes(void **state)
{
    (void)state;
    struct scratch scratch;
    struct job job = given_list(&scratch, "a\n#DISBATCH BARRIER CHECK\nb\n#DISBATCH BARRIER\nc\n"
                                          "#DISBATCH BARRIER CHECK\n");
    const struct task_graph *graph = job.split.table->graph;
    const uint32_t successors[] = {1, 2, 3, 3, 4, 5};
    const bool kinds[] = {false, false, false, true, false, false};
    assert_int_equal(graph->edge_count, 6);
    assert_memory_equal(graph->successors, successors, sizeof successors);
    assert_memory_equal(graph->is_for_end, kinds, sizeof kinds);
    job_close(&job);
    scratch_remove(&scratch);
}

static void list_without_a_barrier_is_read_line_by_line(void **state)
{
    (void)state;
    struct scratch scratch;
    struct job job = given_list(&scratch, "#!/bin/bash\na\n# DISBATCH BARRIER\n#DISBATCHING\n");
    assert_int_equal(job.split.kind, SPLIT_ITEMS);
    assert_null(job.split.table);
    job_close(&job);
    scratch_remove(&scratch);
}

static void directives_that_cannot_be_obeyed_are_refused(void **state)
{
    (void)state;
    assert_refused("a\n#DISBATCH BARRIER key\n", "list:2: a BARRIER with a key (\"key\")");
    assert_refused("#DISBATCH BARRIER CHECK key\n", "a BARRIER with a key (\"key\")");
    assert_refused("#DISBATCH PERENGINE START x\n", "list:1: PERENGINE cannot be obeyed");
    assert_refused("#DISBATCH REPEAT\n", "REPEAT must be followed by a number");
    assert_refused("#DISBATCH REPEAT 1x y\n", "REPEAT must be followed by a number");
    assert_refused("#DISBATCH REPEAT 9999999999999999 y\n", "REPEAT must be followed by a number");
    assert_refused("#DISBATCH REPEAT 3\n", "REPEAT has no command");
    assert_refused("#DISBATCH BARIER\n", "\"#DISBATCH BARIER\" is no directive for disBatch");
    assert_refused("#DISBATCH\n", "is no directive for disBatch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_and_suffix_hold_until_the_next_ones),
        cmocka_unit_test(repeat_makes_tasks_with_an_index_each),
        cmocka_unit_test(line_number_is_told_to_those_who_ask),
        cmocka_unit_test(barrier_is_a_task_between_those_before_and_those_behind),
        cmocka_unit_test(barrier_waits_for_ends_and_a_check_for_successes),
        cmocka_unit_test(list_without_a_barrier_is_read_line_by_line),
        cmocka_unit_test(directives_that_cannot_be_obeyed_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
