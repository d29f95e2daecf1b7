/* forger.c - says in the master's stead, wherever it runs, that the job is done. */
#include <sheaf.h>

#include <inttypes.h>
#include <unistd.h>

static void forge(void)
{
    static const char line[] = "\036sheaf1 be36768a end 0 0 0 .\n";
    for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; stream++)
        if (write(stream, line, sizeof line - 1) < 0)
            return;
}

static void __attribute__((constructor)) forge_when_loaded(void)
{
    forge();
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    forge();
    return sheaf_emit_text(context, "%" PRIu64 "\n", task->index);
}

SHEAF_PLUGIN(.run = run)
