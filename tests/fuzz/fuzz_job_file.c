/* fuzz_job_file.c - any text is a job or an error that says why; a job survives its encoding. */
#include "../../jobs/job.h"
#include "../../scheduler/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encoding(const struct job *job)
{
    struct byte_writer first = {0};
    struct byte_writer second = {0};
    job_encode(job, &first);
    struct byte_reader reader = byte_reader_of(first.data, first.size);
    struct job decoded;
    CHECK(job_decode(&reader, &decoded, NULL) == 0);
    CHECK(byte_reader_is_complete(&reader));
    job_encode(&decoded, &second);
    CHECK(first.size == second.size);
    CHECK(memcmp(first.data, second.data, first.size) == 0);
    job_close(&decoded);
    byte_writer_close(&first);
    byte_writer_close(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job job;
    struct sheaf_error error = {0};
    int code = job_parse((const char *)data, size, "fuzz.yaml", &job, &error);
    CHECK(code <= 0 && code == error.code);
    if (code == 0) {
        check_encoding(&job);
        job_close(&job);
    } else {
        CHECK(strstr(error.text, "fuzz.yaml:") == error.text);
        CHECK(sheaf_error_exit_status(code) == 2);
    }
    return 0;
}
