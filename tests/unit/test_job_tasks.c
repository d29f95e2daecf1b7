/* test_job_tasks.c - tasks that a job file lists: what is read, and what is refused by its line. */
#include "../../jobs/job.h"
#include "../../jobs/split.h"
#include "../../scheduler/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sheaf_error error;

static struct job read_good(const char *text)
{
    struct job job;
    if (job_parse(text, strlen(text), "j.yaml", &job, &error) != 0)
        fail_msg("%s", error.text);
    return job;
}

static void assert_refused(const char *text, const char *expected)
{
    struct job job;
    assert_int_equal(job_parse(text, strlen(text), "j.yaml", &job, &error), SHEAF_ERROR_JOB);
    assert_int_equal(sheaf_error_exit_status(error.code), 2);
    assert_string_equal(error.text, expected);
}

static void listed_tasks_become_the_split(void **state)
{
    (void)state;
    struct job job = read_good("name: build\n"
                               "tasks:\n"
                               "  - {name: link, command: \"cc -o p a.o b.o\", after: [a.o, b.o]}\n"
                               "  - {name: a.o, command: cc -c a.c}\n"
                               "  - name: b.o\n"
                               "    command: cc -c b.c\n"
                               "    after: a.o\n"
                               "  - command: date\n");
    assert_int_equal(job.split.kind, SPLIT_TASKS);
    assert_true(job.command.is_there);
    assert_null(job.command.text);
    const struct task_table *table = job.split.table;
    assert_int_equal(table->count, 4);
    assert_string_equal(table->names[0], "link");
    assert_string_equal(table->names[3], "");
    assert_string_equal(table->commands[2], "cc -c b.c");
    const struct task_graph *graph = table->graph;
    const uint32_t counts[] = {2, 0, 1, 0};
    assert_memory_equal(graph->predecessor_counts, counts, sizeof counts);
    assert_int_equal(graph->edge_count, 3);
    assert_string_equal(graph->names[1], "a.o");
    job_close(&job);
}

static void the_input_of_a_listed_task_is_its_command(void **state)
{
    (void)state;
    struct job job = read_good("tasks: [{command: one}, {command: two three}]\n");
    struct split_walk *walk;
    struct byte_reader input;
    assert_null(job.split.table->graph);
    assert_int_equal(split_walk_create(&job.split, &walk, &error), 0);
    assert_int_equal(split_walk_task_count(walk), 2);
    assert_true(split_walk_has_input(walk));
    assert_int_equal(split_walk_next(walk, &input, &error), 1);
    assert_int_equal(input.size, 3);
    assert_memory_equal(input.data, "one", 3);
    assert_int_equal(split_walk_next(walk, &input, &error), 1);
    assert_int_equal(input.size, 9);
    assert_memory_equal(input.data, "two three", 9);
    assert_int_equal(split_walk_next(walk, &input, &error), 0);
    split_walk_destroy(walk);
    job_close(&job);
}

static void tasks_that_can_never_start_are_refused(void **state)
{
    (void)state;
    assert_refused("tasks:\n"
                   "  - {name: a, command: x, after: [b]}\n"
                   "  - {name: b, command: x, after: [c]}\n"
                   "  - {name: c, command: x, after: [d, a]}\n"
                   "  - {name: d, command: x}\n",
                   "j.yaml:2: tasks come after each other in a circle of 3: a after b after c "
                   "after a; none of them could ever start: take one \"after\" out");
    assert_refused("tasks:\n"
                   "  - {name: a, command: x}\n"
                   "  - {name: b, command: x, after: [a, b]}\n",
                   "j.yaml:3: task \"b\" is to come after itself; leave that out");
}

static void names_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    assert_refused("tasks:\n"
                   "  - {name: compile, command: x}\n"
                   "  - {name: link, command: x, after: [compil]}\n",
                   "j.yaml:3: no task is named \"compil\"; did you mean \"compile\"?");
    assert_refused(
        "tasks:\n"
        "  - {name: a, command: x}\n"
        "  - {name: b, command: x}\n"
        "  - {name: a, command: y}\n",
        "j.yaml:4: two tasks are named \"a\" (the first on line 2); each needs a name of "
        "its own");
    assert_refused("tasks:\n"
                   "  - {name: \"\", command: x}\n",
                   "j.yaml:2: the name of a task must be a text of one line and at most 200 bytes, "
                   "found \"\"");
}

static void other_shapes_are_refused(void **state)
{
    (void)state;
    assert_refused("tasks: []\n", "j.yaml:1: tasks must be a list of one task or more, such as - "
                                  "{name: a, command: \"make a\", after: [b]}, found a list");
    assert_refused("tasks:\n  - make a\n", "j.yaml:2: a task must be a mapping (lines of key: "
                                           "value), found \"make a\"");
    assert_refused("tasks:\n  - {name: a}\n",
                   "j.yaml:2: a task needs a command, such as {name: a, command: \"make a\", "
                   "after: [b]}");
    assert_refused("tasks:\n  - {command: x, needs: [b]}\n",
                   "j.yaml:2: unknown key \"needs\" in a task; it can have name, command, after");
    assert_refused("tasks:\n  - {command: x, after: {a: b}}\n",
                   "j.yaml:2: \"after\" of a task must be the names of other tasks, such as "
                   "[parse, check], found a mapping");
    assert_refused("tasks:\n  - {command: x, after: [[b]]}\n",
                   "j.yaml:2: each of \"after\" must be the name of a task, found a list");
    assert_refused("tasks: [{command: x}]\ncommand: \"y {}\"\n",
                   "j.yaml:1: the job has \"tasks\" and a command; tasks that are listed have a "
                   "command each, and nothing else");
    assert_refused("tasks: [{command: x}]\nsplit: {range: 3}\n",
                   "j.yaml:1: the job has \"tasks\" and a split; tasks that are listed have a "
                   "command each, and nothing else");
}

static void a_long_circle_is_cut(void **state)
{
    (void)state;
    enum { TASKS = 2000, TASK_BYTES = 80 };
    char *text = memory_allocate(TASKS * TASK_BYTES);
    size_t length = (size_t)sprintf(text, "tasks:\n");
    for (int i = 0; i < TASKS; i++)
        length += (size_t)sprintf(
            text + length, "  - {name: task-%d, command: x, after: task-%d}\n", i, (i + 1) % TASKS);
    struct job job;
    assert_int_equal(job_parse(text, length, "j.yaml", &job, &error), SHEAF_ERROR_JOB);
    const char *start = "j.yaml:2: tasks come after each other in a circle of 2000: task-0 after "
                        "task-1 after task-2 after ";
    const char *end = " after ... after task-0; none of them could ever start: take one \"after\" "
                      "out";
    assert_memory_equal(error.text, start, strlen(start));
    assert_string_equal(error.text + strlen(error.text) - strlen(end), end);
    free(text);
}

static void assert_same_identity(const char *text, const char *other, bool is_same)
{
    struct job job = read_good(text);
    struct job other_job = read_good(other);
    unsigned char identity[JOB_IDENTITY_BYTES];
    unsigned char other_identity[JOB_IDENTITY_BYTES];
    assert_int_equal(job_identity(&job, identity, &error), 0);
    assert_int_equal(job_identity(&other_job, other_identity, &error), 0);
    assert_int_equal(memcmp(identity, other_identity, sizeof identity) == 0, is_same);
    job_close(&job);
    job_close(&other_job);
}

static void the_identity_holds_commands_and_order_but_no_names(void **state)
{
    (void)state;
    const char *text = "tasks: [{name: a, command: x}, {name: b, command: y, after: a}]\n";
    assert_same_identity(
        text, "tasks: [{name: c, command: x}, {name: d, command: y, after: [c]}]\n", true);
    assert_same_identity(text, "tasks: [{name: a, command: x}, {name: b, command: y}]\n", false);
    assert_same_identity(text, "tasks: [{name: a, command: z}, {name: b, command: y, after: a}]\n",
                         false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listed_tasks_become_the_split),
        cmocka_unit_test(the_input_of_a_listed_task_is_its_command),
        cmocka_unit_test(tasks_that_can_never_start_are_refused),
        cmocka_unit_test(names_that_do_not_fit_are_refused),
        cmocka_unit_test(other_shapes_are_refused),
        cmocka_unit_test(a_long_circle_is_cut),
        cmocka_unit_test(the_identity_holds_commands_and_order_but_no_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
