/* fuzz_hosts.c - any text is a host file, or refused with its name and the line; what is taken from
 * it is a name that ssh takes for nothing else. */
#include "../../runtime/hosts.h"
#include "../../scheduler/check.h"
#include "folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const struct host_list *list)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._:%[]@-";
    for (size_t i = 0; i < list->count; i++) {
        const char *name = list->hosts[i].name;
        const char *after_user = strrchr(name, '@');
        CHECK(name[0] != '\0' && name[0] != '-' && name[strspn(name, allowed)] == '\0');
        CHECK(after_user == NULL || (after_user[1] != '\0' && after_user[1] != '-'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[512];
    struct run_options options = {.hostfile = path};
    struct host_list list;
    struct sheaf_error error = {0};
    fuzz_folder_put("hosts", data, size);
    snprintf(path, sizeof path, "%s/hosts", fuzz_folder());
    int code = host_list_read(&options, &list, &error);
    CHECK(code <= 0);
    if (code < 0) {
        CHECK(error.text[0] != '\0');
        return 0;
    }
    check_names(&list);
    free(host_list_format(&list, false));
    free(host_list_format(&list, true));
    host_list_close(&list);
    return 0;
}
