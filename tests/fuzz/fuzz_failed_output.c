/* fuzz_failed_output.c - records of failed commands are any bytes: what is whole before the first
 * nonsense is found, and nothing else happens. */
#include "../../runtime/failed_output.h"
#include "../../scheduler/check.h"
#include "folder.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct failed_outputs *outputs;
    struct sheaf_error error = {0};
    fuzz_folder_put(FAILED_OUTPUT_FOLDER "/host.1.0", data, size);
    int code = failed_outputs_read(fuzz_folder(), &outputs, &error);
    CHECK(code <= 0);
    if (code < 0)
        return 0;
    for (uint64_t task = 0; task < 4; task++) {
        const struct command_record *record = failed_outputs_find(outputs, task);
        CHECK(record == NULL || record->task == task);
    }
    failed_outputs_close(outputs);
    return 0;
}
