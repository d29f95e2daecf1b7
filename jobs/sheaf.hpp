/* sheaf.hpp - Sheaf plug-ins in C++11 and later: what sheaf.h offers, and exceptions.
 *
 *     #include <sheaf.hpp>
 *
 *     static void run(sheaf_context *context, const sheaf_task *task)
 *     {
 *         sheaf::emit(context, std::to_string(task->index) + "\n");
 *     }
 *
 *     SHEAF_PLUGIN_OF(sheaf::hooks().run<run>())
 *
 * Build it with `c++ -shared -fPIC -o numbers.so numbers.cpp`.
 *
 * The functions have the parameters of those in sheaf.h. They may return nothing instead of 0, and
 * fail by an exception, whose what() becomes the text of the failure. No exception reaches Sheaf.
 */
#ifndef SHEAF_HPP
#define SHEAF_HPP

#include "sheaf.h"

#include <cstdio>
#include <exception>
#include <string>

namespace sheaf
{

/* A function of sheaf.h has failed, and Sheaf knows why. */
class failure : public std::exception
{
  public:
    explicit failure(int code) noexcept : returned(code)
    {
    }
    const char *what() const noexcept override
    {
        return "sheaf has failed the attempt";
    }
    int code() const noexcept
    {
        return returned;
    }

  private:
    int returned;
};

/* For what a function of sheaf.h returns. */
inline void check(int code)
{
    if (code != 0)
        throw failure(code);
}

inline void emit(sheaf_context *context, const void *data, std::size_t size)
{
    check(sheaf_emit(context, data, size));
}

inline void emit(sheaf_context *context, const std::string &text)
{
    emit(context, text.data(), text.size());
}

inline void add_task(sheaf_context *context, const std::string &input)
{
    check(sheaf_add_task(context, input.data(), input.size()));
}

/* A copy of the bytes. */
inline std::string text(const sheaf_bytes &bytes)
{
    return bytes.size > 0 ? std::string(static_cast<const char *>(bytes.data), bytes.size)
                          : std::string();
}

/* What open left in *local, and prepare in *shared. */
template <typename Type> Type *local(const sheaf_context *context)
{
    return static_cast<Type *>(sheaf_local(context));
}

template <typename Type> const Type *shared(const sheaf_context *context)
{
    return static_cast<const Type *>(sheaf_shared(context));
}

/* Within a handler: makes the exception that is being handled the reason of a failure. */
inline int fail_by_exception(sheaf_context *context) noexcept
{
    try {
        throw;
    } catch (const failure &known) {
        return known.code();
    } catch (const std::exception &exception) {
        return sheaf_fail(context, "%s", exception.what());
    } catch (...) {
        return sheaf_fail(context, "an exception that is no std::exception");
    }
}

/* A function of the user's, in one from which no exception comes. */
template <typename... Arguments> struct guarded {
    template <int (*function)(sheaf_context *, Arguments...)>
    static int call(sheaf_context *context, Arguments... arguments) noexcept
    {
        try {
            return function(context, arguments...);
        } catch (...) {
            return fail_by_exception(context);
        }
    }

    template <void (*function)(sheaf_context *, Arguments...)>
    static int call_void(sheaf_context *context, Arguments... arguments) noexcept
    {
        try {
            function(context, arguments...);
            return 0;
        } catch (...) {
            return fail_by_exception(context);
        }
    }

    /* For close, which cannot fail. */
    template <void (*function)(sheaf_context *, Arguments...)>
    static void call_last(sheaf_context *context, Arguments... arguments) noexcept
    {
        try {
            function(context, arguments...);
        } catch (const std::exception &exception) {
            std::fprintf(stderr, "close: %s\n", exception.what());
        } catch (...) {
            std::fprintf(stderr, "close: an exception that is no std::exception\n");
        }
    }
};

/* The table of a plug-in, from the functions that it has: hooks().run<run>().merge<merge>(). */
class hooks
{
    using task_call = guarded<const sheaf_task *>;
    using state_call = guarded<void **>;
    using result_call = guarded<sheaf_bytes>;
    using pair_call = guarded<sheaf_bytes, sheaf_bytes>;

  public:
    struct sheaf_plugin table;

    hooks() noexcept : table()
    {
        table.interface_version = SHEAF_INTERFACE_VERSION;
        table.size_bytes = sizeof table;
    }

    template <int (*function)(sheaf_context *, void **)> hooks &prepare() noexcept
    {
        table.prepare = state_call::call<function>;
        return *this;
    }
    template <void (*function)(sheaf_context *, void **)> hooks &prepare() noexcept
    {
        table.prepare = state_call::call_void<function>;
        return *this;
    }

    template <int (*function)(sheaf_context *, void **)> hooks &open() noexcept
    {
        table.open = state_call::call<function>;
        return *this;
    }
    template <void (*function)(sheaf_context *, void **)> hooks &open() noexcept
    {
        table.open = state_call::call_void<function>;
        return *this;
    }

    template <void (*function)(sheaf_context *, void *)> hooks &close() noexcept
    {
        table.close = guarded<void *>::call_last<function>;
        return *this;
    }

    template <int (*function)(sheaf_context *)> hooks &split() noexcept
    {
        table.split = guarded<>::call<function>;
        return *this;
    }
    template <void (*function)(sheaf_context *)> hooks &split() noexcept
    {
        table.split = guarded<>::call_void<function>;
        return *this;
    }

    template <int (*function)(sheaf_context *, const sheaf_task *)> hooks &run() noexcept
    {
        table.run = task_call::call<function>;
        return *this;
    }
    template <void (*function)(sheaf_context *, const sheaf_task *)> hooks &run() noexcept
    {
        table.run = task_call::call_void<function>;
        return *this;
    }

    template <int (*function)(sheaf_context *, sheaf_bytes, sheaf_bytes)> hooks &merge() noexcept
    {
        table.merge = pair_call::call<function>;
        return *this;
    }
    template <void (*function)(sheaf_context *, sheaf_bytes, sheaf_bytes)> hooks &merge() noexcept
    {
        table.merge = pair_call::call_void<function>;
        return *this;
    }

    template <int (*function)(sheaf_context *, sheaf_bytes)> hooks &finish() noexcept
    {
        table.finish = result_call::call<function>;
        return *this;
    }
    template <void (*function)(sheaf_context *, sheaf_bytes)> hooks &finish() noexcept
    {
        table.finish = result_call::call_void<function>;
        return *this;
    }
};

} // namespace sheaf

/* Defines the table that Sheaf looks up. */
#define SHEAF_PLUGIN_OF(...)                                                                       \
    SHEAF_EXPORT const struct sheaf_plugin sheaf_plugin;                                           \
    const struct sheaf_plugin sheaf_plugin = (__VA_ARGS__).table;

#endif
