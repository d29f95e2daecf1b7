/* spawner_setup.c - hands the job over to the spawner through anonymous memory. */
#include "spawner_setup.h"

#include "disk.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t fewest_cores(const struct slot_set_options *options)
{
    uint32_t fewest = slot_place_core_count(&options->places[0]);
    for (uint32_t i = 1; i < options->slot_count; i++)
        if (slot_place_core_count(&options->places[i]) < fewest)
            fewest = slot_place_core_count(&options->places[i]);
    return fewest;
}

int spawner_setup_write(const struct slot_set_options *options, struct sheaf_error *error)
{
    struct byte_writer writer = {0};
    job_encode(options->job, &writer);
    byte_writer_put_u8(&writer, options->has_merge);
    byte_writer_put_u32(&writer, fewest_cores(options));
    byte_writer_put_u8(&writer, options->run_dir != NULL);
    if (options->run_dir != NULL)
        byte_writer_put_string(&writer, options->run_dir);
    byte_writer_put_string(&writer,
                           options->mpi_environment != NULL ? options->mpi_environment : "");
    byte_writer_put_u32(&writer, options->slot_count);
    byte_writer_put_u64(&writer, options->world);
    byte_writer_put_u8(&writer, options->has_past);
    int descriptor = memfd_create("sheaf-job", MFD_CLOEXEC);
    int code = descriptor;
    if (descriptor < 0) {
        code = sheaf_error_set_errno(error, errno, "cannot hand the job to the spawner");
    } else if (disk_write_all(disk_system(), descriptor, writer.data, writer.size) != 0) {
        code = sheaf_error_set_errno(error, errno, "cannot hand the job to the spawner");
        close(descriptor);
    }
    byte_writer_close(&writer);
    return code;
}

static int decode(struct byte_reader *reader, struct spawner_setup *setup,
                  struct sheaf_error *error)
{
    struct spawner_setup decoded = {0};
    int code = job_decode(reader, &decoded.job, error);
    if (code != 0)
        return code;
    decoded.has_merge = byte_reader_get_bool(reader);
    decoded.core_count = byte_reader_get_u32(reader);
    if (byte_reader_get_bool(reader))
        decoded.run_dir = byte_reader_get_string(reader);
    decoded.mpi_environment = byte_reader_get_string(reader);
    decoded.slot_count = byte_reader_get_u32(reader);
    decoded.world = byte_reader_get_u64(reader);
    decoded.has_past = byte_reader_get_bool(reader);
    if (!byte_reader_is_complete(reader)) {
        job_close(&decoded.job);
        free(decoded.run_dir);
        free(decoded.mpi_environment);
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED, "the job's encoding is not complete");
    }
    *setup = decoded;
    return 0;
}

int spawner_setup_read(int descriptor, struct spawner_setup *setup, struct sheaf_error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0 || status.st_size <= 0)
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED, "the job's encoding is missing");
    size_t size = (size_t)status.st_size;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
        return sheaf_error_set_errno(error, errno, "cannot read the job");
    struct byte_reader reader = byte_reader_of(data, size);
    int code = decode(&reader, setup, error);
    munmap(data, size);
    return code;
}
