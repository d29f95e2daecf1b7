/* test_plugin.c - what is no plug-in is refused, with a text that says why. */
#include "../../jobs/plugin.h"
#include "scratch.h"
#include "slot_fixture.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check_refused(const char *path, const char *words)
{
    struct sheaf_error error = {0};
    const struct sheaf_plugin *table = NULL;
    assert_int_equal(plugin_load(path, &table, &error), SHEAF_ERROR_PLUGIN);
    assert_null(table);
    assert_int_equal(error.code, SHEAF_ERROR_PLUGIN);
    if (strstr(error.text, path) == NULL || strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not name \"%s\" and \"%s\"", error.text, path, words);
}

static void a_plugin_loads_with_its_hooks(void **state)
{
    (void)state;
    struct sheaf_error error = {0};
    const struct sheaf_plugin *table = NULL;
    assert_int_equal(plugin_load(plugin_path("noop"), &table, &error), 0);
    assert_non_null(table->run);
    assert_non_null(table->merge);
    assert_null(table->split);
}

static void a_missing_file_is_refused(void **state)
{
    (void)state;
    check_refused("/nonexistent/plugin.so", "No such file");
}

static void a_text_file_is_refused(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path path = scratch_write(&scratch, "job.so", "not a library\n", 14);
    check_refused(path.text, "cannot be loaded: file too short; build it with");
    scratch_remove(&scratch);
}

static void a_library_without_a_table_is_refused(void **state)
{
    (void)state;
    check_refused(plugin_path("no_table"), "no table");
}

static void another_interface_version_is_refused_with_both_numbers(void **state)
{
    (void)state;
    check_refused(plugin_path("wrong_version"), "interface version 2, this sheaf speaks version 1");
}

static void a_table_without_run_is_refused(void **state)
{
    (void)state;
    check_refused(plugin_path("no_run"), "no run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_loads_with_its_hooks),
        cmocka_unit_test(a_missing_file_is_refused),
        cmocka_unit_test(a_text_file_is_refused),
        cmocka_unit_test(a_library_without_a_table_is_refused),
        cmocka_unit_test(another_interface_version_is_refused_with_both_numbers),
        cmocka_unit_test(a_table_without_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
