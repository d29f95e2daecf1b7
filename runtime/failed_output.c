/* failed_output.c - keeps what failed commands wrote. */
#include "failed_output.h"

#include "disk.h"
#include "print_foreign.h"
#include "run_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static int open_file(const struct failed_output_place *place)
{
    char path[PATH_BYTES];
    if (run_place_open(place->run_dir, NULL) != 0) {
        errno = EPERM;
        return -1;
    }
    int length = snprintf(path, sizeof path, "%s/" FAILED_OUTPUT_FOLDER, place->run_dir);
    if (length < 0 || length >= (int)sizeof path ||
        (run_place_make_folder(path) != 0 && errno != EEXIST))
        return -1;
    length = snprintf(path, sizeof path, "%s/" FAILED_OUTPUT_FOLDER "/%s-%ld-%u", place->run_dir,
                      place->host, (long)place->spawner, place->slot);
    if (length < 0 || length >= (int)sizeof path)
        return -1;
    return run_place_open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
}

void failed_output_append(const struct failed_output_place *place,
                          const struct command_record *record)
{
    if (place->run_dir == NULL)
        return;
    struct command_record kept = *record;
    if (kept.out_bytes > FAILED_OUTPUT_BYTES_MAX) {
        kept.out += kept.out_bytes - FAILED_OUTPUT_BYTES_MAX;
        kept.out_bytes = FAILED_OUTPUT_BYTES_MAX;
    }
    struct byte_writer writer = {0};
    command_record_put_head(&kept, &writer);
    if (kept.out_bytes > 0)
        byte_writer_put(&writer, kept.out, kept.out_bytes);
    if (kept.err_bytes > 0)
        byte_writer_put(&writer, kept.err, kept.err_bytes);
    int file = open_file(place);
    if (file < 0 || disk_write_all(disk_system(), file, writer.data, writer.size) != 0)
        print_harmless(stderr,
                       "sheaf: the output of a failed task is lost: cannot write in %s/%s: %s\n",
                       place->run_dir, FAILED_OUTPUT_FOLDER, strerror(errno));
    if (file >= 0)
        close(file);
    byte_writer_close(&writer);
}
