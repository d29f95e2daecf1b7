/* fuzz_world_record.c - the record of a world is any text: it is refused, or encoded again alike.
 */
#include "../../runtime/world_record.h"
#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = memory_allocate(size + 1);
    struct world_record record = {.base = ""};
    struct world_record again = {.base = ""};
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (world_record_decode(text, &record)) {
        struct byte_writer writer = {0};
        if (world_record_encode(&record, &writer)) {
            byte_writer_put_u8(&writer, '\0');
            CHECK(world_record_decode((char *)writer.data, &again));
            CHECK(again.owner == record.owner && again.owner_start == record.owner_start &&
                  strcmp(again.session, record.session) == 0 &&
                  strcmp(again.number, record.number) == 0);
        }
        byte_writer_close(&writer);
    }
    free(text);
    return 0;
}
