/* fuzz_message.c - the message decoder meets any bytes: what it accepts, it encodes again alike. */
#include "../../runtime/message.h"
#include "../../scheduler/check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message;
    if (message_decode(data, size, &message, NULL) < 0)
        return 0;
    /* cpu sets may come with members in any order or twice, and job files' values in other forms:
     * what is encoded from them is their normal form, which must decode to itself. */
    struct byte_writer first = {0};
    message_encode(&message, &first);
    struct message again;
    CHECK(message_decode(first.data, first.size, &again, NULL) == 0);
    struct byte_writer second = {0};
    message_encode(&again, &second);
    CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    byte_writer_close(&first);
    byte_writer_close(&second);
    message_close(&message);
    message_close(&again);
    return 0;
}
