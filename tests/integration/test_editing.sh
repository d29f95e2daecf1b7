#!/usr/bin/env bash
# test_editing.sh - runs of command jobs that are gone on with: some tasks only, and what failed
# tried again.
. "$abs_top_srcdir/tests/integration/lib.sh"

# run ARGUMENT...: in the run directory $dir.
run()
{
    "$sheaf" run --quiet "$@" --dir "$dir" >printed 2>said
}

new_run()
{
    dir=$(mktemp -u "$work/run.XXXXXX")
}

printed_is()
{
    diff -a <(printf "$1") printed || { cat said && fail "printed something else"; }
}

# status_is STATUS: of the command before.
status_is()
{
    local status=$?
    [ $status = "$1" ] || { cat said && fail "exit status $status instead of $1"; }
}

says()
{
    grep -q -- "$1" said || { cat said && fail "does not say: $1"; }
}

some_tasks_run_alone()
{
    new_run
    printf 'echo %s; echo %s >>ran\n' 0 0 1 1 2 2 3 3 4 4 >tasks.txt
    rm -f ran
    run tasks.txt --only 3,0-1
    status_is 3 || return 1
    says '2 others are not done' && says "To run them as well: sheaf run --quiet .* tasks.txt\$" ||
        return 1
    [ ! -s printed ] && [ ! -e "$dir/output" ] || fail "there is output" || return 1
    diff <(sort ran) <(printf '0\n1\n3\n') || return 1
    "$sheaf" output --task 3 "$dir" >printed && printed_is '3\n' || return 1
    run tasks.txt --only=3
    status_is 3 || return 1
    run tasks.txt || { cat said && fail "failed" || return 1; }
    printed_is '0\n1\n2\n3\n4\n' && diff <(sort ran) <(printf '0\n1\n2\n3\n4\n')
}

tasks_that_are_not_there_are_refused()
{
    new_run
    printf 'true\ntrue\n' >tasks.txt
    run tasks.txt --only 2
    status_is 2 && says 'no task 2: the job has 2 tasks' || return 1
    run tasks.txt --only 3-1
    status_is 2 && says 'such as 3-10,17'
}

failed_tasks_are_tried_again_on_request()
{
    new_run
    rm -f mended
    printf '%s\n' 'echo 0' 'echo x >>tried; test -e mended && echo 1' 'echo 2' >tasks.txt
    run --attempts 2 tasks.txt
    status_is 1 && says '--retry-failed tries them again' || return 1
    run --attempts 2 tasks.txt
    status_is 1 && says '1 of 3 tasks failed' || return 1
    [ "$(wc -l <tried)" = 2 ] || fail "tried without a request" || return 1
    run --attempts 2 tasks.txt --retry-failed
    status_is 1 || return 1
    [ "$(wc -l <tried)" = 4 ] || fail "not as many attempts as at first" || return 1
    touch mended
    run --retry-failed tasks.txt || { cat said && fail "failed" || return 1; }
    printed_is '0\n1\n2\n' || return 1
    [ ! -e "$dir/output.incomplete" ] || fail "the incomplete output is still there" || return 1
    "$sheaf" journal dump "$dir" | grep -q 'what failed is open again' || fail "no fact of it"
}

named_tasks_that_fail_make_a_failed_run()
{
    new_run
    printf '%s\n' false true true >tasks.txt
    run --attempts 1 tasks.txt --only 0
    status_is 1 && says '1 of the tasks that --only names failed' || return 1
    run --attempts 1 tasks.txt --only 1
    status_is 3
}

for name in \
    some_tasks_run_alone \
    tasks_that_are_not_there_are_refused \
    failed_tasks_are_tried_again_on_request \
    named_tasks_that_fail_make_a_failed_run; do
    check $name $name
done
finish
