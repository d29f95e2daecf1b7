/* shell_fixture.h - real shells for tests of commands, and values that harm careless ones. */
#ifndef SHEAF_TEST_SHELL_FIXTURE_H
#define SHEAF_TEST_SHELL_FIXTURE_H

#include "../../jobs/command_template.h"

/* Runs the words and returns what they print, owned by the caller. */
struct byte_writer shell_run(const struct command_words *words);
uint64_t shell_random(uint64_t *random);
/* Makes a value of the kinds that break scripts: no NUL, all else. What an evaluation of it would
 * run makes the file `broken`. Returns its size. */
size_t shell_make_value(uint64_t *random, char *value, size_t size_max);

#endif
