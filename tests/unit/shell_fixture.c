/* shell_fixture.c - real shells for tests of commands. */
#include "shell_fixture.h"

#include "../../scheduler/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct byte_writer shell_run(const struct command_words *words)
{
    char *arguments[16] = {NULL};
    struct byte_writer printed = {0};
    int ends[2];
    for (size_t i = 0; i < words->argument_count && i < 15; i++)
        arguments[i] = (char *)words->bytes.data + words->starts[i];
    CHECK(pipe(ends) == 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        for (size_t i = 0; i < words->variable_count; i++)
            putenv((char *)words->bytes.data + words->starts[words->argument_count + i]);
        execvp(arguments[0], arguments);
        _exit(127);
    }
    close(ends[1]);
    for (;;) {
        unsigned char buffer[4096];
        ssize_t got = read(ends[0], buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        byte_writer_put(&printed, buffer, (size_t)got);
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    return printed;
}

uint64_t shell_random(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *random >> 33;
}

size_t shell_make_value(uint64_t *random, char *value, size_t size_max)
{
    static const char *const pieces[] = {
        " ",
        "'",
        "\"",
        "\n",
        "$(touch broken)",
        "`touch broken`",
        "a[$(touch broken)]",
        "x[`touch broken`]=1",
        "1+${a[$(touch broken)]}",
        "let",
        "1",
        "-",
        "--",
        "\\",
        "*",
        "?",
        "[a]",
        "{}",
        "{.}",
        "${HOME}",
        "$HOME",
        ";touch broken;",
        "&&",
        "|",
        "\xff\xfe",
        "\xc3\x28",
        "a",
        ".x",
        "/",
        "~",
        "#",
        "\t",
        "\r",
        "!",
        "(",
        ")",
        "<",
        ">",
        "=",
        "%s",
        "\xe2\x82\xac",
        "\x01",
    };
    size_t size = 0;
    size_t count = 1 + shell_random(random) % 6;
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[shell_random(random) % (sizeof pieces / sizeof *pieces)];
        size_t length = strlen(piece);
        if (size + length > size_max)
            break;
        memcpy(value + size, piece, length);
        size += length;
    }
    return size;
}
