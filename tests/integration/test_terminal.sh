#!/usr/bin/env bash
# test_terminal.sh - names, commands and failure texts with control bytes: nothing that goes to a
# terminal holds any, but what the user asked for byte for byte, and not to a terminal.
. "$abs_top_srcdir/tests/integration/lib.sh"

# ESC, a C1 control character of two bytes, a byte that is no UTF-8, DEL, a line feed.
hostile=$'\e]0;owned\a\xc2\x9b31m\xff\x7f'
dir=$work/$hostile.sheaf

# is_harmless FILE...: UTF-8 without control characters but line feeds.
is_harmless()
{
    local file
    for file in "$@"; do
        ! LC_ALL=C grep -aqP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$file" &&
            iconv -f utf-8 -t utf-8 "$file" >/dev/null 2>&1 ||
            { cat -v "$file" && fail "is not harmless" || return 1; }
    done
}

# says WORD STATUS COMMAND...: what it prints, harmless, holds the word; it ends so.
says()
{
    local word=$1 status=$2 got=0
    shift 2
    "$@" >out 2>err </dev/null || got=$?
    [ $got = "$status" ] || { cat -v out err && fail "$*: exit status $got" || return 1; }
    is_harmless out err && grep -qF -- "$word" out err ||
        { cat -v out err && fail "$(echo "$*" | cat -v): no $word" || return 1; }
}

# shown COMMAND...: what it prints to a terminal, in the file `shown`.
shown()
{
    local words
    printf -v words '%q ' "$@"
    script -qec "$words" /dev/null </dev/null | tr -d '\r' >shown
}

given_run()
{
    printf 'echo %s >&2; exit 3\necho fine\n' "'$hostile'" >"$hostile"
    says '\x1B]0;owned\x07' 1 "$sheaf" run --attempts 1 "$hostile" --dir "$dir"
}

run_tells_harmlessly()
{
    given_run || return 1
    says '\xC2\x9B31m' 2 "$sheaf" run "nowhere$hostile" &&
        says '\xFF' 2 "$sheaf" run -c "echo {}" -p "a$hostile" &&
        says '\x1B' 2 "$sheaf" run "--$hostile" &&
        says '\x1B' 2 "$sheaf" "$hostile" &&
        says '\x1B' 2 "$sheaf" submit "$hostile.yaml" &&
        says '\x1B' 2 "$sheaf" run "$hostile" --dir "$dir" --shell sh
}

inquiries_tell_harmlessly()
{
    says '\x1B' 0 "$sheaf" status "$dir" || return 1
    says '\x1B' 0 "$sheaf" report "$dir" && says '\x1B' 0 "$sheaf" explain "$dir" --task 0 &&
        says '"count"' 0 "$sheaf" report --json "$dir" || return 1
    says 'job' 0 "$sheaf" status --json "$dir" &&
        says '\xC2\x9B31m' 0 "$sheaf" journal dump "$dir" &&
        says 'facts' 0 "$sheaf" journal verify "$dir" || return 1
    says '\x1B' 2 "$sheaf" status "none$hostile" && says '\x1B' 2 "$sheaf" report "none$hostile" &&
        says '\x1B' 2 "$sheaf" explain "none$hostile" --task 0 &&
        says '\x1B' 2 "$sheaf" explain "$dir" "--$hostile" &&
        says '\x1B' 4 "$sheaf" journal dump "none$hostile" &&
        says '\x1B' 2 "$sheaf" output "--$hostile" || return 1
    mkdir -p "place$hostile"
    "$sheaf" doctor "place$hostile" >out 2>err
    is_harmless out err && grep -qF 'place\x1B' out || { cat -v out && return 1; }
    says '\x1B' 2 "$sheaf" doctor "--$hostile"
}

names_in_a_job_file_are_told_harmlessly()
{
    cat >names.yaml <<'END'
tasks:
  - {name: "a\x9b31m", command: "exit 3"}
  - {name: b, command: "true", after: ["a\x9b31m"]}
END
    says '0' 1 "$sheaf" run names.yaml --attempts 1 --dir names || return 1
    says 'a\xC2\x9B31m' 0 "$sheaf" explain names --task 0 &&
        says 'a\xC2\x9B31m' 0 "$sheaf" report names &&
        says 'a\xC2\x9B31m' 0 "$sheaf" journal dump names || return 1
    printf 'tasks: [{name: "a\x1b[31m", command: x}]\n' >names.yaml
    says 'names.yaml:1: ' 2 "$sheaf" run names.yaml
}

# Without a launcher, ranks write to the terminal.
ranks_tell_harmlessly()
{
    local mpirun=(timeout 120 mpirun --oversubscribe -n 2)
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    "${mpirun[@]}" "$sheaf" run "nowhere$hostile" >out 2>err
    is_harmless out err && grep -qF 'nowhere\x1B' err || { cat -v err && return 1; }
    cat >stages.yaml <<'END'
stages: [{name: a, command: 'exit 3', split: {range: 1}, limits: {attempts: 1}}]
END
    "${mpirun[@]}" "$sheaf" run stages.yaml --dir "stages$hostile" >out 2>err
    is_harmless out err && grep -qF 'stages\x1B' err || { cat -v err && return 1; }
}

trial_and_dry_run_are_exact_but_on_a_terminal()
{
    local text=$'\e[31m\xc2\x9b\xff'
    printf 'printf %%s "%s"; printf %%s "%s" >&2\n' "$text" "$text" >list
    "$sheaf" try list --task 0 -q >out 2>err || { cat -v err && return 1; }
    printf %s "$text" | cmp - out && printf %s "$text" | cmp - err || return 1
    says 'nothing\x1B' 2 "$sheaf" try "nothing$hostile.so" --task 0 || return 1
    "$sheaf" run --dry-run list >out 2>err && cmp list out || { cat -v err && return 1; }
    is_harmless err || return 1
    command -v script >/dev/null || { echo "# no script(1): no terminal to try" && return; }
    shown "$sheaf" try list --task 0 && is_harmless shown &&
        [ "$(grep -oF '\x1B[31m\xC2\x9B\xFF' shown | wc -l)" -ge 2 ] ||
        { cat -v shown && return 1; }
    shown "$sheaf" run --dry-run list && is_harmless shown && grep -qF '"\x1B[31m' shown ||
        { cat -v shown && return 1; }
}

# An earlier build wrote other fields, and the file may be lost: the journal knows the figures.
status_is_told_without_its_file()
{
    printf 'echo 1\nfalse\n' >two
    "$sheaf" run -q --attempts 1 two --dir plain 2>err
    cp plain/status.json kept
    local file
    for file in old gone; do
        rm plain/status.json
        [ $file = gone ] || sed 's/tasks_running/tasks_in_flight/' kept >plain/status.json
        "$sheaf" status plain >out 2>err || { cat err && return 1; }
        grep -qx 'done       1 of 2 tasks' out && grep -qx 'state      failed' out &&
            grep -q 'status.json is .*: these figures are the journal' err ||
            { cat out err && return 1; }
        "$sheaf" status --json plain 2>err | grep -q '"tasks_failed": 1' || return 1
    done
    cat >parts.yaml <<'END'
stages:
  - {name: a, command: 'echo a', split: {range: 2}}
  - {name: b, command: 'echo b', split: {range: 1}, after: [a]}
END
    "$sheaf" run -q parts.yaml --dir parts >out && rm parts/status.json || return 1
    "$sheaf" status parts >out 2>err && grep -qx 'done       3 of 3 tasks' out &&
        grep -qx 'state      finished' out || { cat out err && return 1; }
}

for name in \
    run_tells_harmlessly \
    inquiries_tell_harmlessly \
    names_in_a_job_file_are_told_harmlessly \
    ranks_tell_harmlessly \
    trial_and_dry_run_are_exact_but_on_a_terminal \
    status_is_told_without_its_file; do
    check $name $name
done
finish
