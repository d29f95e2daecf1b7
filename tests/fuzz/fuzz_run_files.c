/* fuzz_run_files.c - the small files of a run directory hold any bytes: each is read, or refused
 * with a reason.
 *
 * The first byte says which file, and, with its highest bit, that its checksum is to be right, so
 * that mutations reach what is behind it. */
#include "../../runtime/checked_file.h"
#include "../../runtime/graph_file.h"
#include "../../runtime/run_identity.h"
#include "../../runtime/stage_list.h"
#include "../../runtime/stage_result.h"
#include "../../runtime/status.h"
#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"
#include "folder.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WITH_CHECKSUM = 0x80 };

static void check_code(int code, const struct sheaf_error *error)
{
    CHECK(code <= 0 && (code == 0 || (error->code == code && error->text[0] != '\0')));
}

static void put_checked(const char *name, const uint8_t *data, size_t size, bool is_checked)
{
    if (is_checked && (size == 0 || data[size - 1] == '\n'))
        CHECK(checked_file_write(fuzz_folder(), name, data, size, NULL) == 0);
    else
        fuzz_folder_put(name, data, size);
}

static void read_identity(const uint8_t *data, size_t size, bool is_checked)
{
    struct run_identity identity;
    struct sheaf_error error = {0};
    put_checked("identity", data, size, is_checked);
    int code = run_identity_read(fuzz_folder(), &identity, &error);
    check_code(code, &error);
    CHECK(code != 0 || memchr(identity.job_name, '\0', sizeof identity.job_name) != NULL);
}

static void read_stages(const uint8_t *data, size_t size, bool is_checked)
{
    struct stage_list list = {0};
    struct sheaf_error error = {0};
    put_checked("stages.list", data, size, is_checked);
    check_code(stage_list_read(fuzz_folder(), &list, &error), &error);
    for (size_t i = 0; i < list.count; i++)
        CHECK(list.names[i][0] != '\0' && strchr(list.names[i], '/') == NULL);
    stage_list_close(&list);
}

static void read_graph(const uint8_t *data, size_t size, bool is_checked)
{
    unsigned char *bytes = memory_allocate(size + sizeof(uint32_t));
    memcpy(bytes, data, size);
    uint32_t sum = (uint32_t)crc32(0, data, (uInt)size);
    for (size_t i = 0; i < sizeof sum; i++)
        bytes[size + i] = (unsigned char)(sum >> (8 * i));
    fuzz_folder_put("graph", bytes, is_checked ? size + sizeof sum : size);
    free(bytes);
    struct graph_file file = {0};
    struct sheaf_error error = {0};
    check_code(graph_file_read(fuzz_folder(), &file, &error), &error);
    graph_file_close(&file);
}

static void read_status(const uint8_t *data, size_t size)
{
    struct status status = {0};
    struct sheaf_error error = {0};
    fuzz_folder_put("status.json", data, size);
    int code = status_read(fuzz_folder(), &status, &error);
    check_code(code, &error);
    if (code != 0)
        return;
    char *text = status_format_json(&status);
    CHECK(text != NULL);
    fuzz_folder_put("status.json", text, strlen(text));
    struct status again = {0};
    CHECK(status_read(fuzz_folder(), &again, NULL) == 0);
    CHECK(again.state == status.state && again.tasks.total == status.tasks.total &&
          again.exit_status == status.exit_status && strcmp(again.job, status.job) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool is_checked = (data[0] & WITH_CHECKSUM) != 0;
    switch (data[0] % 4) {
    case 0:
        read_identity(data + 1, size - 1, is_checked);
        break;
    case 1:
        read_stages(data + 1, size - 1, is_checked);
        break;
    case 2:
        read_graph(data + 1, size - 1, is_checked);
        break;
    default:
        read_status(data + 1, size - 1);
        break;
    }
    return 0;
}
