/* coding.h - how what facts and messages have in common is written as bytes and read strictly. */
#ifndef SHEAF_CODING_H
#define SHEAF_CODING_H

#include "fact.h"

void coding_put_range(struct byte_writer *writer, struct range range);
/* Each sets `failed` when it reads a value that nobody writes. */
struct range coding_get_range(struct byte_reader *reader);
enum work coding_get_work(struct byte_reader *reader);
enum cause coding_get_cause(struct byte_reader *reader);

#endif
