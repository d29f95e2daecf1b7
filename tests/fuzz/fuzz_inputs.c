/* fuzz_inputs.c - the files of the tasks' inputs hold any bytes: what is read is what the index
 * says, within the file, or the task is named.
 *
 * The first byte is the number of tasks; so many entries of the index follow, then the data. */
#include "../../runtime/input_store.h"
#include "../../scheduler/check.h"
#include "folder.h"

#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size < 1 + (size_t)(data[0] % 16) * INPUT_ENTRY_BYTES)
        return 0;
    size_t task_count = data[0] % 16;
    size_t index_bytes = task_count * INPUT_ENTRY_BYTES;
    size_t data_bytes = size - 1 - index_bytes;
    fuzz_folder_put("inputs.index", data + 1, index_bytes);
    fuzz_folder_put("inputs.data", data + 1 + index_bytes, data_bytes);
    uint32_t sum = (uint32_t)crc32(0, data + 1, (uInt)index_bytes);
    struct input_store *store;
    struct sheaf_error error = {0};
    if (input_store_open(fuzz_folder(), task_count, data_bytes, sum, &store, &error) < 0)
        return 0;
    for (uint64_t task = 0; task < task_count; task++) {
        struct byte_writer writer = {0};
        int code = input_store_read(store, (struct range){task, 1}, &writer, &error);
        CHECK(code <= 0 && (code < 0 || writer.size <= data_bytes + sizeof(uint32_t)));
        byte_writer_close(&writer);
    }
    CHECK(input_store_fit(store, (struct range){0, task_count}, UINT64_MAX) <= task_count);
    input_store_close(store);
    return 0;
}
