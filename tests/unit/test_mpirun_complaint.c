/* test_mpirun_complaint.c - of all that mpirun prints one line says what is wrong. */
#include "../../runtime/mpirun_complaint.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static const char dashes[] = "--------------------------------------------------------------------";

/* What is found in the lines, which end with NULL. */
static struct mpirun_complaint complaint_of(const char *const *lines)
{
    struct mpirun_complaint complaint = {.text = ""};
    for (; *lines != NULL; lines++)
        mpirun_complaint_feed(&complaint, *lines, strlen(*lines));
    return complaint;
}

static void check_complaint(const char *const *lines, const char *text)
{
    assert_string_equal(complaint_of(lines).text, text);
}

static void silence_is_no_complaint(void **state)
{
    (void)state;
    static const char *const lines[] = {"", dashes, "  ", NULL};
    assert_int_equal(complaint_of(lines).grade, COMPLAINT_NONE);
}

static void sentence_in_a_frame_is_found_whole(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "[vm:7] [[1,0],0] ORTE_ERROR_LOG: Not found in file x.c at line 3",
        dashes,
        "An ORTE daemon has unexpectedly failed after launch and before",
        "communicating back to mpirun. This could be caused by a number",
        "of factors.",
        dashes,
        NULL};
    check_complaint(lines, "An ORTE daemon has unexpectedly failed after launch and before "
                           "communicating back to mpirun. This could be caused by a number "
                           "of factors");
}

static void cause_counts_more_than_what_follows_from_it(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "ssh: Could not resolve hostname nowhere: Name or service not known", dashes,
        "ORTE was unable to reliably start one or more daemons.", dashes, NULL};
    static const char *const later[] = {
        "ORTE was unable to reliably start one or more daemons.",
        "sheaf: error while loading shared libraries: libhwloc.so.15: cannot open shared object",
        NULL};
    check_complaint(lines, "ssh: Could not resolve hostname nowhere: Name or service not known");
    check_complaint(
        later, "sheaf: error while loading shared libraries: libhwloc.so.15: cannot open shared "
               "object");
}

static void inner_error_is_better_than_nothing(void **state)
{
    (void)state;
    static const char *const lines[] = {"[vm:7] PMIX ERROR: ERROR in file a.c", "[vm:7] more",
                                        NULL};
    check_complaint(lines, "[vm:7] PMIX ERROR: ERROR in file a.c");
}

static void hang_that_is_known_is_told_in_plain_words(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "[vm:7] [[1,0],0] ORTE_ERROR_LOG: The system limit on number of pipes a process can open "
        "was reached in file iof.c at line 123",
        NULL};
    struct mpirun_complaint complaint = complaint_of(lines);
    assert_true(complaint.is_fatal);
    assert_non_null(strstr(complaint.text, "ulimit -n"));
}

static void host_that_it_is_about_is_found(void **state)
{
    (void)state;
    static const char *const lines[] = {"[n7:12] [[1,0],2] ORTE_ERROR_LOG: Error in file a.c",
                                        "[[1,0],1] and more", "Local host: n7.x.org", dashes, NULL};
    struct mpirun_complaint complaint = complaint_of(lines);
    assert_string_equal(complaint.host, "n7");
    assert_false(complaint.has_several_hosts);
    static const char *const others[] = {"  Node: n7", "[n8:12] x", NULL};
    assert_true(complaint_of(others).has_several_hosts);
    char own[200] = "[";
    gethostname(own + 1, sizeof own - 10);
    strcat(own, ":12] x");
    const char *const own_lines[] = {own, NULL};
    assert_string_equal(complaint_of(own_lines).host, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_no_complaint),
        cmocka_unit_test(sentence_in_a_frame_is_found_whole),
        cmocka_unit_test(cause_counts_more_than_what_follows_from_it),
        cmocka_unit_test(inner_error_is_better_than_nothing),
        cmocka_unit_test(host_that_it_is_about_is_found),
        cmocka_unit_test(hang_that_is_known_is_told_in_plain_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
