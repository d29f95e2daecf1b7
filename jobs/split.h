/* split.h - the built-in splits: a job's tasks and their input bytes, one by one.
 *
 * LINES cuts each file into ceil(size / block) blocks, an empty file into none; so there may be no
 * task at all. FILES gives each task the path, without a newline. PRODUCT gives each task a line
 * `name=value` for each axis. ITEMS gives each task a line, without the newline; TASKS its command.
 * BLOCKS cuts each file exactly at line ends: no task is empty. */
#ifndef SHEAF_SPLIT_H
#define SHEAF_SPLIT_H

#include "job.h"

struct split_walk;

/* Starts to walk the tasks of a split other than PLUGIN. LINES and FILES match their patterns here
 * and fail with the first that matches nothing or cannot be read. LIMIT when there would be more
 * than SHEAF_TASKS_MAX tasks. The walk borrows `split`. */
int split_walk_create(const struct split *split, struct split_walk **walk,
                      struct sheaf_error *error);
void split_walk_destroy(struct split_walk *walk);

/* Number of tasks, known from the start; has_input is false for RANGE only. */
uint64_t split_walk_task_count(const struct split_walk *walk);
bool split_walk_has_input(const struct split_walk *walk);

/* The next task's stored input, borrowed until the next call. 1 = one, 0 = no more. For LINES and
 * BLOCKS this is a descriptor (path, offset, size), not the text; for FILES the path and which
 * version of the file it is. INPUT when a list of ITEMS cannot be read any more, or has changed
 * since the start. */
int split_walk_next(struct split_walk *walk, struct byte_reader *input, struct sheaf_error *error);

/* The part of a stored input that stays when the file that it names is changed. Borrows. */
struct byte_reader split_input_name(enum split_kind kind, struct byte_reader stored);

/* In an executor: turns a stored input into what the plug-in sees. For LINES and BLOCKS reads the
 * block: the lines that *start* within [offset, offset + size) of the file, whole. Others pass
 * through. *bytes is borrowed from `scratch` or `stored`. A file that vanished, shrank or cannot be
 * read is an error that names it. */
int split_materialize(enum split_kind kind, struct byte_reader stored, struct byte_writer *scratch,
                      struct byte_reader *bytes, struct sheaf_error *error);

#endif
