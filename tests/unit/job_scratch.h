/* job_scratch.h - job files in a folder of the test's own: read, or refused by their line. */
#ifndef SHEAF_TEST_JOB_SCRATCH_H
#define SHEAF_TEST_JOB_SCRATCH_H

#include "../../jobs/job.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What the last job that was refused is refused for. */
static struct sheaf_error error;

/* A folder with the plug-in p.so. */
static inline struct scratch given_folder(void)
{
    struct scratch scratch = given_scratch();
    scratch_write(&scratch, "p.so", "plug-in", 7);
    return scratch;
}

static inline int read_text(const struct scratch *scratch, const char *text, struct job *job)
{
    struct scratch_path path = scratch_write(scratch, "j.yaml", text, strlen(text));
    return job_read(path.text, job, &error);
}

static inline struct job read_good(const struct scratch *scratch, const char *text)
{
    struct job job;
    if (read_text(scratch, text, &job) != 0)
        fail_msg("%s", error.text);
    return job;
}

/* The error's text must be "FOLDER/j.yaml:" and then `expected`. */
static inline void assert_refused(const struct scratch *scratch, const char *text,
                                  const char *expected)
{
    struct job job;
    int code = read_text(scratch, text, &job);
    if (code == 0) {
        job_close(&job);
        fail_msg("accepted: %s", text);
    }
    assert_int_equal(sheaf_error_exit_status(code), 2);
    assert_int_equal(error.code, code);
    struct scratch_path path = scratch_path(scratch, "j.yaml:");
    if (strncmp(error.text, path.text, strlen(path.text)) != 0)
        fail_msg("no place: %s", error.text);
    assert_string_equal(error.text + strlen(path.text), expected);
}

#endif
