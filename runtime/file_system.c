/* file_system.c - tells file systems by their magic numbers. */
#include "file_system.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/statfs.h>

/* As in statfs(2) and <linux/magic.h>. */
static const struct {
    uint32_t magic;
    const char *name;
    enum file_system_trait trait;
} file_systems[] = {
    {0xef53, "ext4", FILE_SYSTEM_LOCAL},
    {0x58465342, "XFS", FILE_SYSTEM_LOCAL},
    {0x9123683e, "Btrfs", FILE_SYSTEM_LOCAL},
    {0x2fc12fc1, "ZFS", FILE_SYSTEM_LOCAL},
    {0x794c7630, "overlay", FILE_SYSTEM_LOCAL},
    {0xf2f52010, "F2FS", FILE_SYSTEM_LOCAL},
    {0x01021994, "tmpfs", FILE_SYSTEM_VOLATILE},
    {0x858458f6, "ramfs", FILE_SYSTEM_VOLATILE},
    {0x6969, "NFS", FILE_SYSTEM_NFS},
    {0x517b, "SMB", FILE_SYSTEM_NFS},
    {0xff534d42, "CIFS", FILE_SYSTEM_NFS},
    {0xfe534d42, "SMB2", FILE_SYSTEM_NFS},
    {0x0bd00bd0, "Lustre", FILE_SYSTEM_SHARED},
    {0x47504653, "GPFS", FILE_SYSTEM_SHARED},
    {0x19830326, "BeeGFS", FILE_SYSTEM_SHARED},
    {0x00c36400, "Ceph", FILE_SYSTEM_SHARED},
    {0x01161970, "GFS2", FILE_SYSTEM_SHARED},
    {0x65735546, "FUSE", FILE_SYSTEM_SHARED},
    {0x01021997, "9p", FILE_SYSTEM_SHARED},
};

int file_system_find(const char *path, struct file_system *found)
{
    struct statfs status;
    if (statfs(path, &status) != 0)
        return -1;
    *found = (struct file_system){
        .name = "of an unknown type",
        .trait = FILE_SYSTEM_LOCAL,
        .free_bytes = (double)status.f_bavail * (double)status.f_bsize,
    };
    for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++)
        if (file_systems[i].magic == (uint32_t)status.f_type) {
            found->name = file_systems[i].name;
            found->trait = file_systems[i].trait;
        }
    return 0;
}
