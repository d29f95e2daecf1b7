/* fuzz_mpirun_output.c - what mpirun prints is any lines: noise is left out, a complaint is kept
 * within its bounds, and no more comes out than went in. */
#include "../../runtime/mpirun_complaint.h"
#include "../../runtime/noise.h"
#include "../../scheduler/check.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_bytes(void *context, const char *line, size_t size)
{
    size_t *count = context;
    CHECK(memchr(line, '\n', size) == NULL);
    *count += size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t passed = 0;
    struct mpirun_complaint complaint = {.grade = COMPLAINT_NONE};
    struct noise_filter *filter = noise_filter_create(count_bytes, &passed);
    const char *text = (const char *)data;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - text) - at : size - at;
        noise_filter_feed(filter, text + at, length);
        mpirun_complaint_feed(&complaint, text + at, length);
        noise_tells_of_lost_host(text + at, length);
        at += length + 1;
    }
    noise_filter_flush(filter);
    noise_filter_destroy(filter);
    CHECK(passed <= size);
    CHECK(memchr(complaint.text, '\0', sizeof complaint.text) != NULL);
    CHECK(memchr(complaint.host, '\0', sizeof complaint.host) != NULL);
    return 0;
}
