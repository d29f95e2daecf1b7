#!/usr/bin/env bash
# test_install.sh - what `make install` has put somewhere works there: after another prefix was
# chosen for a tree that was built before, and after the whole of it was moved.
. "$abs_top_srcdir/tests/integration/lib.sh"

unset SHEAF_PLUGIN_PATH # as for a user who has installed Sheaf and set nothing

# What is built here, in a tree of its own, so that nothing happens to this one.
copy_of_the_build()
{
    mkdir tree
    (cd "$abs_top_builddir" && tar -cf - --exclude=./.git --exclude='./tests/unit/test_*' \
        --exclude='./build-[cot]*' --exclude='*.log' --exclude='./tests/integration/*' .) |
        tar -xf - -C tree
}

installs_under()
{
    local configure=./configure prefix=$1
    [ -x tree/configure ] || configure=$abs_top_srcdir/configure
    (
        cd tree || exit 1
        eval "set -- $(./config.status --config)"
        "$configure" -q "$@" --prefix="$prefix" && make -s install
    ) >installed 2>&1 || { tail installed && fail "cannot be installed under $prefix"; }
}

# examples_run_from PREFIX: copied, and run by the installed program.
examples_run_from()
{
    rm -rf copied
    cp -r "$1/share/sheaf/examples" copied
    (
        cd copied || exit 1
        "$1/bin/sheaf" run -q primes.yaml --tasks 100 -p limit=1e6 >primes &&
            "$1/bin/sheaf" run -q wordcount.yaml >words
    ) || fail "a copied example does not run" || return 1
    [ "$(cat copied/primes)" = 78498 ] || fail "wrong number of primes" || return 1
    [ "$(head -n 1 copied/words | grep -c the)" = 1 ] || fail "wrong words"
}

plugins_are_in()
{
    "$1/bin/sheaf" doctor | grep -qF "$1/lib/sheaf (installed)" ||
        { "$1/bin/sheaf" doctor && fail "plug-ins are not looked for in $1/lib/sheaf"; }
}

# field NAME FILE: a variable of a pkg-config file, without references to others.
field()
{
    sed -n "s/^$1[:=] *//p" "$2"
}

another_prefix_after_the_build_is_followed()
{
    copy_of_the_build
    installs_under "$work/one" || return 1
    plugins_are_in "$work/one" && examples_run_from "$work/one" || return 1
    local dates pc=$work/one/lib/pkgconfig/sheaf.pc
    [ "$(field plugindir "$pc")" = "$work/one/lib/sheaf" ] &&
        [ "$(field includedir "$pc")" = "$work/one/include" ] ||
        { cat "$pc" && fail "sheaf.pc names another prefix"; } || return 1
    [ -e "$work/one/include/sheaf.hpp" ] || fail "sheaf.hpp is missing" || return 1
    dates=$(sed -n 's/^\.Dd //p' "$work"/one/share/man/man*/sheaf*.[1357] | sort -u)
    [ "$(wc -l <<<"$dates")" = 1 ] && [[ $dates =~ ^[A-Z][a-z]+\ [0-9]+,\ 20[0-9]+$ ]] ||
        fail "dates of the manual pages: $dates"
}

prefix_on_the_command_line_of_make_is_followed()
{
    make -s -C tree install prefix="$work/two" libdir="$work/two/lib64" >installed 2>&1 ||
        { tail installed && fail "cannot be installed"; } || return 1
    "$work/two/bin/sheaf" doctor | grep -qF "$work/two/lib64/sheaf (installed)" ||
        fail "plug-ins are not looked for in lib64" || return 1
    [ "$(field plugindir "$work/two/lib64/pkgconfig/sheaf.pc")" = "$work/two/lib64/sheaf" ] ||
        fail "sheaf.pc names another directory"
}

moved_installation_works()
{
    mv "$work/one" "$work/three"
    plugins_are_in "$work/three" && examples_run_from "$work/three"
}

check another_prefix_after_the_build_is_followed another_prefix_after_the_build_is_followed
check prefix_on_the_command_line_of_make_is_followed \
    prefix_on_the_command_line_of_make_is_followed
check moved_installation_works moved_installation_works
finish
