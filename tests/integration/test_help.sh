#!/usr/bin/env bash
# test_help.sh - every command helps, and every command, option and word has its place in the man
# pages.
. "$abs_top_srcdir/tests/integration/lib.sh"

man=$abs_top_srcdir/man
commands=$("$sheaf" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
documented=$(grep -vE '^(help|version)$' <<<"$commands")

# prints_help COMMAND WORD...: this is how the command is used, on standard output alone.
prints_help()
{
    local command=$1
    shift
    "$sheaf" "$@" >out 2>said || { cat said && fail "sheaf $*: status $?"; } || return 1
    head -n 1 out | grep -q "^Usage: sheaf $command" && [ ! -s said ] ||
        { cat out said && fail "sheaf $*: no help"; }
}

every_command_helps()
{
    [ "$(wc -l <<<"$documented")" -ge 9 ] || fail "commands are missing: $documented" || return 1
    local command
    for command in $documented; do
        prints_help $command $command -h && prints_help $command $command --help &&
            prints_help $command help $command || return 1
    done
    for command in help -h --help; do
        prints_help COMMAND $command || return 1
    done
    "$sheaf" help nonsense >out 2>said
    [ $? = 2 ] && [ ! -s out ] && grep -q 'unknown command "nonsense"' said ||
        { cat out said && fail "help for what is not there"; }
}

version_has_three_names()
{
    "$sheaf" version >out && grep -qE '^sheaf [0-9]+\.[0-9]+' out || { cat out; return 1; }
    local name
    for name in -V --version; do
        "$sheaf" $name | diff out - || fail "$name prints another version" || return 1
    done
}

wrong_usage_helps_on_standard_error()
{
    local command
    for command in $documented; do
        [ $command != doctor ] || continue # it needs no arguments
        "$sheaf" $command >out 2>said </dev/null
        [ $? = 2 ] && [ ! -s out ] && [ -s said ] ||
            { cat out said && fail "sheaf $command, and nothing else"; } || return 1
    done
}

# The long options that the help of a command lists are in its page.
options_are_in_the_pages()
{
    local command option missing=''
    for command in $documented; do
        for option in $("$sheaf" $command --help | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
            [ $option = --help ] || # all have it, as sheaf(1) says
                grep -qE -- "-${option#--}( |,|\$)" "$man/sheaf-$command.1" ||
                missing="$missing $command:$option"
        done
    done
    [ -z "$missing" ] || fail "not in the pages:$missing"
}

man_page_of_run_lists_what_its_help_lists()
{
    "$sheaf" run --help | grep -oE -- '--[a-z-]+' | sort -u >options
    sed -n 's/^\.It Fl //p' "$man/sheaf-run.1" | tr ' ' '\n' |
        sed -n 's/^-\([a-z-][a-z-]*\)$/--\1/p' | sort -u >listed
    [ -s options ] || fail "no options" || return 1
    diff options listed || fail "sheaf run --help (<) and sheaf-run.1 (>) differ"
}

main_page_names_all_commands_and_pages()
{
    local command page missing=''
    for command in $commands; do
        [ "$(grep -cx "\.Cm $command" "$man/sheaf.1")" -ge 1 ] &&
            grep -qx "\.It Cm $command" "$man/sheaf.1" || missing="$missing $command"
    done
    for command in $documented; do
        [ -e "$man/sheaf-$command.1" ] || missing="$missing sheaf-$command.1"
    done
    for page in "$man"/sheaf-*.[1357]; do
        page=$(basename "$page")
        sed -n '/^\.Sh SEE ALSO/,$p' "$man/sheaf.1" |
            grep -qE "^\.Xr ${page%.*} ${page##*.}( ,)?$" || missing="$missing $page"
        grep -q "man/$page" "$abs_top_srcdir/Makefile.am" || missing="$missing Makefile:$page"
    done
    [ -z "$missing" ] || fail "missing:$missing"
}

pages_have_examples_and_no_date_of_their_own()
{
    local page
    for page in "$man"/*.[1357]; do
        [ "$(sed -n 's/^\.Dd //p' "$page")" = @DATE@ ] || fail "$page: a date" || return 1
        case $page in *.7) continue ;; esac
        sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$page" | grep -qE '^(\.Dl|\.Bd)' ||
            fail "$page: no example" || return 1
    done
}

# What is said to users: the words of the design, and those that messages use.
glossary_has_the_words()
{
    local word missing=''
    for word in accepted assignment attempt benched checkpoint copy executor fact grace \
        incarnation job journal launcher master order 'plug-in' range rank report result round \
        'run directory' slot snapshot spawner split stage start task walltime worker; do
        grep -qE "^\.It $word( |$)" "$man/sheaf-glossary.7" || missing="$missing $word"
    done
    [ -z "$missing" ] || fail "not in the glossary:$missing"
    sed -n 's/^\.It //p' "$man/sheaf-glossary.7" | LC_ALL=C sort -c || fail "not in order"
}

# As they are installed. A delimiter that mdoc takes for one of its own leaves its quotes.
pages_are_well_formed()
{
    mkdir dated
    local page
    for page in "$man"/*.[1357]; do
        sed 's/@DATE@/January 1, 2026/' "$page" >"dated/$(basename "$page")"
    done
    mandoc -Tlint -Wwarning dated/* || return 1
    for page in dated/*; do
        mandoc -Tutf8 "$page" | sed 's/.\x08//g' |
            grep -nE '[‘“][^’”]*[[({][’”][])}]' &&
            fail "$page: brackets beside their quotes" && return 1
    done
    return 0
}

check every_command_helps every_command_helps
check version_has_three_names version_has_three_names
check wrong_usage_helps_on_standard_error wrong_usage_helps_on_standard_error
check options_are_in_the_pages options_are_in_the_pages
check man_page_of_run_lists_what_its_help_lists man_page_of_run_lists_what_its_help_lists
check main_page_names_all_commands_and_pages main_page_names_all_commands_and_pages
check pages_have_examples_and_no_date_of_their_own pages_have_examples_and_no_date_of_their_own
check glossary_has_the_words glossary_has_the_words
if command -v mandoc >/dev/null; then
    check pages_are_well_formed pages_are_well_formed
else
    echo "ok pages_are_well_formed # SKIP mandoc is not installed"
fi
finish
