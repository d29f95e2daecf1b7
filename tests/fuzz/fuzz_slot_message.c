/* fuzz_slot_message.c - what an executor wrote to its memory is any bytes: orders, reports, and the
 * ring that carries them. The first byte says which. */
#include "../../runtime/ring.h"
#include "../../runtime/slot_message.h"
#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_order(const uint8_t *data, size_t size)
{
    struct byte_reader reader = byte_reader_of(data, size);
    struct slot_order order;
    if (!slot_order_decode(&reader, &order))
        return;
    struct byte_writer writer = {0};
    slot_order_encode(&order, &writer);
    CHECK(writer.size == SLOT_ORDER_HEADER_BYTES);
    byte_writer_close(&writer);
}

static void read_report(const uint8_t *data, size_t size)
{
    static struct partial partials[FACT_PARTIALS_MAX];
    struct byte_reader reader = byte_reader_of(data, size);
    struct slot_report report;
    if (!slot_report_decode(&reader, partials, &report))
        return;
    CHECK(report.partial_count <= FACT_PARTIALS_MAX && report.body_size <= size &&
          report.text_size <= size);
    for (uint32_t i = 0; report.kind == SLOT_REPORT_DONE && i < report.partial_count; i++)
        CHECK(partials[i].offset_bytes + partials[i].size_bytes <= report.body_size);
}

/* The ring as ring_init makes it, with any bytes over its beginning. */
static void read_ring(const uint8_t *data, size_t size)
{
    static struct ring ring;
    struct ring_message message = {0};
    ring_init(&ring);
    memcpy(&ring, data, size < sizeof ring ? size : sizeof ring);
    for (int i = 0; i < 4 && ring_is_intact(&ring); i++)
        if (ring_read_message(&ring, &message, RING_FRAGMENTS) == RING_DAMAGED)
            break;
    ring_message_close(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0:
        read_order(data + 1, size - 1);
        break;
    case 1:
        read_report(data + 1, size - 1);
        break;
    default:
        read_ring(data + 1, size - 1);
        break;
    }
    return 0;
}
