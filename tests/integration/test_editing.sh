#!/usr/bin/env bash
# test_editing.sh - runs that are gone on with otherwise than by the same command: some tasks only,
# what failed tried again, and lists that were edited.
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

# ran_is WORD...: what has run since `ran` was emptied, in any order.
ran_is()
{
    diff <(printf '%s\n' "$@" | grep . | sort) <(sort ran) ||
        fail "something else has run" || return 1
    : >ran
}

edited_list_runs_what_is_new()
{
    new_run
    : >ran
    local line='echo %s; echo %s >>ran'
    printf "$line\\n" a a b b c c d d >tasks.txt
    run tasks.txt || { cat said && fail "failed" || return 1; }
    ran_is a b c d || return 1
    printf "$line\\n" d d x x b b b b c c >tasks.txt
    "$sheaf" run tasks.txt --dir "$dir" >printed 2>said ||
        { cat said && fail "the edited list failed" || return 1; }
    says 'the list has changed: 3 of its 5 tasks are done, 1 that were done are in it no more' &&
        printed_is 'd\nx\nb\nb\nc\n' && ran_is x b || return 1
    "$sheaf" output --task 4,2 "$dir" >printed && printed_is 'c\nb\n' || return 1
    "$sheaf" output --joblog "$dir" | tail -n +2 | cut -f 1,9 | cut -c 1-8 | diff - <(
        printf '%s\techo %s\n' 1 d 2 x 3 b 4 b 5 c
    )
}

stopped_run_goes_on_with_an_edited_list()
{
    new_run
    : >ran
    rm -f go_on
    printf 'echo %s; echo %s >>ran\n' 0 0 1 1 >tasks.txt
    echo 'until test -e go_on; do sleep 0.1; done' >>tasks.txt
    "$sheaf" run --quiet --range-max 1 tasks.txt --dir "$dir" >printed 2>said &
    local launcher=$!
    wait_for 60 tasks_done_are "$dir" 2 || fail "does not run" || return 1
    kill -KILL $launcher
    no_process_is_left "$dir" || return 1
    sed -i '3s/.*/echo mended/' tasks.txt
    ran_is 0 1 || return 1
    run tasks.txt || { cat said && fail "failed" || return 1; }
    printed_is '0\n1\nmended\n'
}

failed_lines_of_an_edited_list_are_tried_again()
{
    new_run
    : >ran
    printf '%s\n' 'echo 0; echo 0 >>ran' 'echo 1 >>ran; exit 1' >tasks.txt
    run --attempts 1 tasks.txt
    status_is 1 && ran_is 0 1 || return 1
    echo 'echo 2; echo 2 >>ran' >>tasks.txt
    run --attempts 1 tasks.txt
    status_is 1 && ran_is 1 2 || return 1
    sed -i 2d tasks.txt
    run --attempts 1 tasks.txt || { cat said && fail "failed" || return 1; }
    printed_is '0\n2\n' && ran_is ''
}

inputs_of_one_command_may_change()
{
    new_run
    : >ran
    local command='echo {}; echo {} >>ran'
    seq 3 | run --command "$command" - || { cat said && fail "failed" || return 1; }
    seq 2 4 | run --command "$command" - || { cat said && fail "other lines" || return 1; }
    printed_is '2\n3\n4\n' && ran_is 1 2 3 4 || return 1
    new_run
    command='echo {a}{b}; echo {a}{b} >>ran'
    run -c "$command" -p a=1,2 -p b=x,y || { cat said && fail "failed" || return 1; }
    ran_is 1x 1y 2x 2y || return 1
    run -c "$command" -p a=2,3 -p b=x || { cat said && fail "another grid" || return 1; }
    printed_is '2x\n3x\n' && ran_is 3x || return 1
    rm -rf files && mkdir files && echo 1 >files/1 && echo 2 >files/2
    new_run
    : >ran
    command='cat {}; echo {/} >>ran'
    run -c "$command" -i 'files/*' || { cat said && fail "failed" || return 1; }
    echo more >>files/1
    echo 3 >files/3
    run -c "$command" -i 'files/*' || { cat said && fail "other files" || return 1; }
    printed_is '1\nmore\n2\n3\n' && ran_is 1 2 1 3 || return 1
    new_run
    command='echo {}; echo {} >>ran'
    run -c "$command" -t 2 && run -c "$command" -t 3 || { cat said && fail "failed" || return 1; }
    printed_is '0\n1\n2\n' && ran_is 0 1 2
}

dry_run_tells_and_makes_nothing()
{
    mkdir -p dry && cd dry || return 1
    printf 'a b\n\n$(touch x)\n' |
        "$sheaf" run --dry-run -c 'echo {#} {}' - >../printed 2>../said ||
        { cat ../said && fail "failed" || return 1; }
    [ -z "$(ls -A)" ] || fail "something was made" || return 1
    cd .. || return 1
    printed_is "echo 1 'a b'\\necho 2 ''\\necho 3 '\$(touch x)'\\n" || return 1
    says 'in echo.sheaf: 3 tasks, of which 0 are done and 0 have failed; 3 would run' &&
        says '^sheaf: worker 1 on .*: slot 0 = cpu '
}

dry_run_knows_what_is_done()
{
    new_run
    : >ran
    printf '%s\n' 'echo 0' false 'echo 2' >tasks.txt
    run --attempts 1 tasks.txt
    status_is 1 || return 1
    run --dry-run tasks.txt || { cat said && fail "failed" || return 1; }
    printed_is '' && says '3 tasks, of which 2 are done and 1 have failed; 0 would run' || return 1
    run --dry-run --retry-failed --only 0-1 tasks.txt && printed_is 'false\n' || return 1
    printf '%s\n' 'echo 2' 'echo x >>ran' 'echo 0' >tasks.txt
    cp "$dir/identity" before
    run --dry-run tasks.txt && printed_is 'echo x >>ran\n' && says '1 would run' || return 1
    cmp before "$dir/identity" && ran_is '' || fail "something was done" || return 1
    run --dry-run -c 'echo {}' tasks.txt
    status_is 2 && says 'Use --dir to keep both'
}

# explained TASK TEXT...: all of which `sheaf explain` says.
explained()
{
    local task=$1 text
    shift
    "$sheaf" explain "$dir" --task "$task" >printed 2>said ||
        { cat said && fail "failed" || return 1; }
    for text in "$@"; do
        grep -q -- "$text" printed || { cat printed && fail "does not explain: $text" || return 1; }
    done
}

task_is_explained()
{
    local launcher
    new_run
    rm -f go_on
    printf '%s\n' 'echo one' 'echo why >&2; exit 3' \
        'until test -e go_on; do sleep 0.1; done' true >tasks.txt
    "$sheaf" run --quiet --attempts 1 --range-max 1 --workers 1 --slots 1 tasks.txt --dir "$dir" \
        >printed 2>said &
    launcher=$!
    wait_for 60 tasks_done_are "$dir" 2 || fail "does not run" || return 1
    wait_for 60 explained 2 'state *at worker 1' || { cat printed && return 1; }
    kill -KILL $launcher
    no_process_is_left "$dir" || return 1
    explained 0 'state *done' 'command *echo one' 'exit status 0' 'output *4 bytes' &&
        explained 1 'failed for good' 'exit status 3' 'assigned run of task 1 to worker 1' \
            'sheaf output --failed --stderr --task 1' 'retry-failed --only 1' &&
        explained 2 'was under way when the run ended' 'the same `sheaf run` continues' || return 1
    "$sheaf" explain "$dir" --task 4 >printed 2>said
    status_is 2 && says 'no task 4: the job has 4 tasks' || return 1
    "$sheaf" explain "$dir" >printed 2>said
    status_is 2 && says 'one run directory and one task'
}

open_task_is_explained()
{
    new_run
    printf 'true\ntrue\ntrue\n' >tasks.txt
    run tasks.txt --only 0
    status_is 3 && explained 2 'open: not started; 1 open tasks come before it' 'nothing goes on'
}

changed_plugin_is_refused()
{
    new_run
    cp "$TEST_PLUGINS/echo.so" changing.so
    run changing.so --tasks 3 || { cat said && fail "failed" || return 1; }
    run changing.so --tasks 4
    status_is 2 && says 'earlier version of job changing'
}

for name in \
    some_tasks_run_alone \
    tasks_that_are_not_there_are_refused \
    failed_tasks_are_tried_again_on_request \
    named_tasks_that_fail_make_a_failed_run \
    edited_list_runs_what_is_new \
    stopped_run_goes_on_with_an_edited_list \
    failed_lines_of_an_edited_list_are_tried_again \
    inputs_of_one_command_may_change \
    dry_run_tells_and_makes_nothing \
    dry_run_knows_what_is_done \
    task_is_explained \
    open_task_is_explained \
    changed_plugin_is_refused; do
    check $name $name
done
finish
