/* executor_log.h - where the plug-in's own standard output and error go. */
#ifndef SHEAF_EXECUTOR_LOG_H
#define SHEAF_EXECUTOR_LOG_H

#include <stdint.h>

enum { EXECUTOR_LOG_PREPARE = -1 }; /* as `slot`: the spawner itself */
enum { EXECUTOR_LOG_BYTES_MAX = 16 << 20 };

/* Directs descriptors 1 and 2 to RUN_DIR/logs/executor-HOST-SPAWNER-SLOT.log (spawner-HOST-SPAWNER
 * for prepare), appending. Without a run directory, or when that fails, output goes to standard
 * error: standard output belongs to the job. */
void executor_log_open(const char *run_dir, long spawner, int64_t slot);
/* Of a log that takes more than EXECUTOR_LOG_BYTES_MAX of the disk the older part is freed, in
 * place: offsets in it stay as they are. */
void executor_log_limit(const char *run_dir, long spawner, int64_t slot);
/* Removes it again if nothing was written. */
void executor_log_drop_empty(const char *run_dir, long spawner, int64_t slot);

#endif
