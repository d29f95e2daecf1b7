#!/usr/bin/env bash
# test_cplusplus.sh - plug-ins in C++: no compiler warns of what the headers ask for, and what is
# thrown is told.
. "$abs_top_srcdir/tests/integration/lib.sh"

# compile SOURCE: no compiler, for no standard, warns of it; then as a user does it.
compile()
{
    local compiler standard
    for compiler in g++ clang++; do
        command -v $compiler >/dev/null || continue
        for standard in c++11 c++17 c++20; do
            $compiler -std=$standard -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
                -I"$abs_top_srcdir/jobs" -fsyntax-only "$1" ||
                fail "$compiler for $standard" || return 1
        done
    done
    c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$abs_top_srcdir/jobs" -fPIC -shared \
        -o "$(basename "$1" .cpp).so" "$1"
}

table_of_sheaf_h_compiles_without_a_warning()
{
    cat >table.cpp <<'END_OF_SOURCE'
#include <sheaf.h>
static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    return sheaf_emit_text(context, "%u\n", task->attempt);
}
SHEAF_PLUGIN(.run = run)
END_OF_SOURCE
    compile table.cpp || return 1
    [ "$("$sheaf" try table.so --tasks 3 --task 2)" = 1 ] || fail "does not run"
}

example_in_cplusplus_runs()
{
    compile "$examples/lengths.cpp" || return 1
    cp -r "$examples/lengths.yaml" "$examples/data" .
    "$sheaf" run -q lengths.yaml >printed || fail "exit status $?" || return 1
    cat data/*.txt | tr -s ' \t' '\n\n' | grep . |
        awk '{ count[length($0)]++ } END { for (i in count) print i, count[i] }' | sort -n |
        diff - printed || fail "wrong lengths" || return 1
    rm lengths.so # that which was built with the others will do
    SHEAF_PLUGIN_PATH=$abs_top_builddir/examples "$sheaf" run -q --dir built lengths.yaml >same &&
        cmp printed same || fail "the built one" || return 1
    compile "$examples/lengths.cpp" || return 1
    printf 'short\n%040d\n' 0 >data/island.txt
    "$sheaf" run -q --fresh lengths.yaml >printed 2>said && fail "a text is not one" && return 1
    grep -q 'a word of 40 letters: is this a text?' said ||
        { cat said && fail "the reason is not told"; }
}

# Each hook, both kinds of it, and what is thrown in them: `throw_in` names one.
given_hooks()
{
    cat >hooks.cpp <<'END_OF_SOURCE'
#include <sheaf.hpp>
#include <stdexcept>

static void meet(sheaf_context *context, const std::string &hook)
{
    if (sheaf_parameter_exists(context, "throw_in") &&
        hook == sheaf_parameter_string(context, "throw_in"))
        throw std::runtime_error("thrown in " + hook);
}

static void prepare(sheaf_context *context, void **shared)
{
    meet(context, "prepare");
    *shared = new std::string("shared");
}

static int open_it(sheaf_context *context, void **local)
{
    meet(context, "open");
    *local = new std::string("local");
    return 0;
}

static void close_it(sheaf_context *context, void *local)
{
    delete static_cast<std::string *>(local);
    meet(context, "close");
}

static int split(sheaf_context *context)
{
    meet(context, "split");
    sheaf::add_task(context, "one");
    sheaf::add_task(context, "two");
    return 0;
}

static void run(sheaf_context *context, const sheaf_task *task)
{
    meet(context, "run");
    if (sheaf_parameter_exists(context, "number"))
        throw 1;
    if (sheaf_parameter_exists(context, "known"))
        sheaf::check(sheaf_fail(context, "known to sheaf"));
    sheaf::emit(context, *sheaf::shared<std::string>(context) + " " +
                             *sheaf::local<std::string>(context) + " " + sheaf::text(task->input));
}

static int merge(sheaf_context *context, sheaf_bytes left, sheaf_bytes right)
{
    meet(context, "merge");
    sheaf::emit(context, sheaf::text(left) + ", " + sheaf::text(right));
    return 0;
}

static void finish(sheaf_context *context, sheaf_bytes result)
{
    meet(context, "finish");
    sheaf::emit(context, sheaf::text(result) + "\n");
}

SHEAF_PLUGIN_OF(sheaf::hooks()
                    .prepare<prepare>()
                    .open<open_it>()
                    .close<close_it>()
                    .split<split>()
                    .run<run>()
                    .merge<merge>()
                    .finish<finish>())
END_OF_SOURCE
    printf 'plugin: hooks.so\nsplit: plugin\n' >hooks.yaml
    printf 'parameters: {%s}\n' "${1-}" >>hooks.yaml
}

every_hook_may_throw_what_it_likes()
{
    given_hooks
    compile hooks.cpp || return 1
    "$sheaf" run -q hooks.yaml >printed || fail "exit status $?" || return 1
    diff <(echo "shared local one, shared local two") printed || return 1
    local hook
    for hook in prepare open split run merge finish; do
        given_hooks "throw_in: $hook"
        case $hook in
        merge | finish) "$sheaf" run -q --fresh hooks.yaml --attempts 1 >printed 2>said ;;
        *) "$sheaf" try hooks.yaml --task 0 >printed 2>said ;;
        esac && fail "$hook: status 0" && return 1
        grep -q "thrown in $hook" said || { cat said && fail "$hook: not told"; } || return 1
    done
}

what_is_no_standard_exception_is_told_too()
{
    given_hooks "number: 1"
    "$sheaf" try hooks.yaml --task 0 >printed 2>&1
    grep -q 'an exception that is no std::exception' printed || { cat printed; return 1; }
    given_hooks "known: 1"
    "$sheaf" try hooks.yaml --task 0 >printed 2>&1
    grep -q 'known to sheaf' printed || { cat printed && fail "the first reason is gone"; }
}

check table_of_sheaf_h_compiles_without_a_warning table_of_sheaf_h_compiles_without_a_warning
check example_in_cplusplus_runs example_in_cplusplus_runs
check every_hook_may_throw_what_it_likes every_hook_may_throw_what_it_likes
check what_is_no_standard_exception_is_told_too what_is_no_standard_exception_is_told_too
finish
