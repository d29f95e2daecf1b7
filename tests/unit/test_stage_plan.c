/* test_stage_plan.c - stages are read from a job file, ordered, and refused where they make no
 * sense. */
#include "../../jobs/stage_plan.h"
#include "job_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct job read_stages(const struct scratch *scratch, const char *text)
{
    struct job job = read_good(scratch, text);
    assert_non_null(job.plan);
    return job;
}

static void assert_stages_refused(const struct scratch *scratch, const char *text,
                                  const char *expected)
{
    assert_refused(scratch, text, expected);
    assert_int_equal(error.code, SHEAF_ERROR_JOB);
}

/* The order in which the stages run, as their names; '!' after a name makes that stage fail. */
static void assert_order(const struct job *job, const char *failing, const char *expected)
{
    enum stage_state states[STAGES_MAX] = {STAGE_WAITING};
    char order[200] = "";
    for (size_t next; (next = stage_plan_next(job->plan, states)) < job->plan->count;) {
        const char *name = job->plan->stages[next].name;
        snprintf(order + strlen(order), sizeof order - strlen(order), "%s ", name);
        states[next] = strcmp(name, failing) == 0 ? STAGE_FAILED : STAGE_DONE;
    }
    assert_string_equal(order, expected);
}

static void stage_runs_after_those_that_it_names(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = read_stages(&scratch, "stages:\n"
                                           "  - {name: d, command: x, after: [b, c]}\n"
                                           "  - {name: b, command: x, after: a}\n"
                                           "  - {name: c, command: x, after: [a, a]}\n"
                                           "  - {name: a, command: x}\n");
    assert_order(&job, "", "a b c d ");
    assert_true(stage_plan_is_after(job.plan, 0, 3));
    assert_false(stage_plan_is_after(job.plan, 1, 2));
    assert_true(stage_plan_is_last(job.plan, 0));
    assert_false(stage_plan_is_last(job.plan, 3));
    job_close(&job);
    scratch_remove(&scratch);
}

static void higher_priority_goes_first_and_then_the_place_in_the_file(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = read_stages(&scratch, "command: x\n"
                                           "stages:\n"
                                           "  - {name: late, priority: -1}\n"
                                           "  - {name: one}\n"
                                           "  - {name: two}\n"
                                           "  - {name: first, priority: 7}\n"
                                           "  - {name: then, priority: 9, after: first}\n");
    assert_order(&job, "", "first then one two late ");
    job_close(&job);
    scratch_remove(&scratch);
}

static void stage_after_a_failed_one_does_not_run_and_others_do(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = read_stages(&scratch, "command: x\n"
                                           "stages:\n"
                                           "  - {name: a}\n"
                                           "  - {name: b, after: a}\n"
                                           "  - {name: c, after: b}\n"
                                           "  - {name: d}\n");
    assert_order(&job, "a", "a d ");
    job_close(&job);
    scratch_remove(&scratch);
}

static void settings_at_the_top_are_defaults(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = read_stages(&scratch, "plugin: p.so\n"
                                           "split: {range: 5}\n"
                                           "parameters: {a: 1, b: 2}\n"
                                           "limits: {attempts: 7, timeout: 3s}\n"
                                           "resources: {cores: 2}\n"
                                           "output: o.txt\n"
                                           "stages:\n"
                                           "  - {name: one}\n"
                                           "  - name: two\n"
                                           "    command: echo\n"
                                           "    split: {range: 9}\n"
                                           "    parameters: {b: 3}\n"
                                           "    limits: {attempts: 1}\n");
    const struct job *one = &job.plan->stages[0].job;
    const struct job *two = &job.plan->stages[1].job;
    assert_non_null(one->plugin_path);
    assert_int_equal(one->split.tasks, 5);
    assert_int_equal(parameter_list_find(&one->parameters, "b")->integer, 2);
    assert_int_equal(one->limits.attempts_max, 7);
    assert_null(two->plugin_path);
    assert_string_equal(two->command.text, "echo");
    assert_int_equal(two->split.tasks, 9);
    assert_int_equal(parameter_list_find(&two->parameters, "a")->integer, 1);
    assert_int_equal(parameter_list_find(&two->parameters, "b")->integer, 3);
    assert_int_equal(two->limits.attempts_max, 1);
    assert_int_equal(two->limits.task_timeout_ns, UINT64_C(3000000000));
    assert_int_equal(two->resources.cores, 2);
    assert_string_equal(two->output_path, "-");
    assert_string_equal(strrchr(job.output_path, '/'), "/o.txt");
    job_close(&job);
    scratch_remove(&scratch);
}

static void command_without_inputs_is_one_task(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = read_stages(&scratch, "stages:\n"
                                           "  - {name: a, command: x}\n");
    assert_int_equal(job.plan->stages[0].job.split.kind, SPLIT_RANGE);
    assert_int_equal(job.plan->stages[0].job.split.tasks, 1);
    job_close(&job);
    scratch_remove(&scratch);
}

static void results_stand_where_they_are_named(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = read_stages(&scratch, "stages:\n"
                                           "  - {name: a, command: x}\n"
                                           "  - {name: b, command: x, after: a}\n"
                                           "  - name: c\n"
                                           "    command: 'x {a.result}'\n"
                                           "    split: {files: ['{b.result}', z.txt]}\n"
                                           "    after: b\n"
                                           "  - name: d\n"
                                           "    command: x\n"
                                           "    after: c\n");
    char first[] = "/r/a*";
    char second[] = "/r/[b]";
    char third[] = "/r/c";
    char *results[] = {first, second, third, NULL};
    assert_int_equal(stage_plan_resolve(job.plan, 2, results, &error), 0);
    const struct job *c = &job.plan->stages[2].job;
    assert_string_equal(c->split.patterns[0], "/r/\\[b\\]");
    assert_string_equal(strrchr(c->split.patterns[1], '/'), "/z.txt");
    assert_int_equal(c->split.result_count, 1);
    assert_string_equal(c->split.result_paths[0], "/r/[b]");
    assert_string_equal(parameter_list_find(&c->parameters, "a.result")->string, "/r/a*");
    assert_string_equal(parameter_list_find(&c->parameters, "b.result")->string, "/r/[b]");
    const bool *reads = job.plan->stages[3].reads;
    assert_true(!reads[0] && !reads[1] && reads[2]); /* what it does not name is not its input */
    job_close(&job);
    scratch_remove(&scratch);
}

static void cycle_is_printed(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    assert_stages_refused(
        &scratch,
        "command: x\n"
        "stages:\n"
        "  - {name: start}\n"
        "  - {name: end, after: a}\n"
        "  - {name: a, after: [start, b]}\n"
        "  - {name: b, after: c}\n"
        "  - {name: c, after: a}\n",
        "5: stages wait for each other in a circle: a after b after c after a; take one "
        "\"after\" out");
    assert_stages_refused(
        &scratch, "command: x\nstages:\n  - {name: a, after: a}\n",
        "3: stages wait for each other in a circle: a after a; take one \"after\" out");
    scratch_remove(&scratch);
}

static void unknown_and_double_names_are_refused(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    assert_stages_refused(&scratch,
                          "command: x\nstages:\n  - {name: clean}\n  - {name: b, after: claen}\n",
                          "4: there is no stage \"claen\"; did you mean \"clean\"?");
    assert_stages_refused(&scratch, "command: x\nstages:\n  - {name: a}\n  - {name: a}\n",
                          "4: two stages have the name \"a\" (the first on line 3)");
    assert_stages_refused(&scratch, "command: x\nstages:\n  - {priority: 1}\n",
                          "3: a stage needs a name, such as \"- name: count\"");
    assert_stages_refused(
        &scratch, "command: x\nstages:\n  - {name: a/b}\n",
        "3: the name of a stage must be a letter or '_', then letters, digits, '_' and "
        "'-' (64 at most), found \"a/b\"");
    assert_stages_refused(
        &scratch, "stages:\n  - {name: a}\n",
        "2: the job needs a plug-in or a command; add a line \"plugin: FILE.so\" or "
        "\"command: PROGRAM {}\"");
    assert_stages_refused(
        &scratch, "stages: []\n",
        "1: stages must be a list of 1 to 256 stages, each with a name, found a list");
    scratch_remove(&scratch);
}

static void result_of_a_stage_that_need_not_be_done_is_refused(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    assert_stages_refused(
        &scratch,
        "stages:\n"
        "  - {name: a, command: x}\n"
        "  - name: b\n"
        "    command: 'cat {a.result}'\n",
        "4: stage \"b\" reads {a.result}, but need not come after it; add \"after: a\"");
    assert_stages_refused(&scratch,
                          "stages:\n"
                          "  - {name: first, command: x}\n"
                          "  - name: b\n"
                          "    after: first\n"
                          "    command: x\n"
                          "    split: {lines: '{frist.result}'}\n",
                          "6: there is no stage \"frist\"; did you mean \"first\"?");
    assert_stages_refused(&scratch,
                          "stages:\n"
                          "  - {name: a, command: x}\n"
                          "  - {name: b, after: a, command: x, split: {files: 'd/{a.result}'}}\n",
                          "3: \"{a.result}\" is a whole path; it cannot be a part of one");
    assert_stages_refused(&scratch,
                          "stages:\n"
                          "  - {name: a, command: x}\n"
                          "  - {name: b, after: a, command: x, parameters: {a.result: 1}}\n",
                          "3: the parameter \"a.result\" has the name of a stage's result; give it "
                          "another");
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stage_runs_after_those_that_it_names),
        cmocka_unit_test(higher_priority_goes_first_and_then_the_place_in_the_file),
        cmocka_unit_test(stage_after_a_failed_one_does_not_run_and_others_do),
        cmocka_unit_test(settings_at_the_top_are_defaults),
        cmocka_unit_test(command_without_inputs_is_one_task),
        cmocka_unit_test(results_stand_where_they_are_named),
        cmocka_unit_test(cycle_is_printed),
        cmocka_unit_test(unknown_and_double_names_are_refused),
        cmocka_unit_test(result_of_a_stage_that_need_not_be_done_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
