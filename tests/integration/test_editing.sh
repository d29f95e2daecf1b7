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
    status_is 1 && says '--retry-failed tries it again' || return 1
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
    # Nothing has the time to give it back.
    kill -KILL $(pids_of "$dir") $launcher
    no_process_is_left "$dir" || return 1
    explained 0 'state *done' 'command *echo one' 'exit status 0' 'output *4 bytes' &&
        explained 1 'failed for good' 'exit status 3' 'assigned run of task 1 to worker 1' \
            'sheaf output --failed --stderr --task 1' 'retry-failed --only 1' &&
        explained 2 'was under way when the run ended' "\`sheaf run $dir\` continues" || return 1
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

# kept_as_it_was COMMAND...: it is refused (status 2), and nothing of the run directory changes.
kept_as_it_was()
{
    local before
    before=$(find "$dir" -type f ! -name launcher -exec cksum {} + | sort)
    "$@"
    status_is 2 || return 1
    find "$dir" -type f ! -name launcher -exec cksum {} + | sort | diff <(echo "$before") - ||
        fail "the run directory has changed"
}

# run_input LINES ARGUMENT...: the lines come on standard input.
run_input()
{
    local lines=$1
    shift
    printf "$lines" | run --output result -c 'echo {}; echo {} >>ran' - "$@"
}

list_that_would_take_all_away_is_refused()
{
    new_run
    : >ran
    run_input '1\n2\n3\n' || { cat said && fail "failed" || return 1; }
    kept_as_it_was run_input '' && says 'the list is empty, and .* 3 results of 3 tasks' &&
        says '`sheaf run .*` goes on' && ! grep -q -e --fresh -e '--prune' said || return 1
    kept_as_it_was run_input '4\n5\n' && says 'nothing in common' || return 1
    kept_as_it_was run_input '4\n5\n' --dry-run && says 'nothing in common' || return 1
    diff result <(seq 3) && ran_is 1 2 3 || return 1
    run_input '4\n' --force && diff result <(echo 4) || { cat said && return 1; }
    run_input '1\n2\n3\n' && diff result <(seq 3) || { cat said && return 1; }
    ran_is 4
}

results_of_lines_that_are_gone_come_back()
{
    local command='echo {}; echo {} >>ran'
    new_run
    : >ran
    seq 4 >l1
    seq 3 6 >l2
    run -c "$command" l1 && ran_is 1 2 3 4 || { cat said && return 1; }
    "$sheaf" run -c "$command" l2 --dir "$dir" >printed 2>said && ran_is 5 6 &&
        says '2 that were done are in it no more; their results are kept (--prune' &&
        printed_is '3\n4\n5\n6\n' || { cat said && return 1; }
    "$sheaf" run -c "$command" l1 --dir "$dir" >printed 2>said && ran_is '' &&
        says '2 results are back from earlier lists' && printed_is '1\n2\n3\n4\n' ||
        { cat said && return 1; }
    run -c "$command" l2 --prune && printed_is '3\n4\n5\n6\n' && ran_is '' ||
        { cat said && return 1; }
    run -c "$command" l1 && ran_is 1 2 || { cat said && return 1; }
    new_run
    run -c "$command" -t 4 && ran_is 0 1 2 3 && run -c "$command" -t 2 &&
        run -c "$command" -t 4 && ran_is '' || { cat said && return 1; }
}

lists_of_one_name_are_told_apart()
{
    mkdir -p one two
    : >ran
    printf 'echo %s; echo %s >>ran\n' 0 0 1 1 >one/tasks.txt
    printf 'echo %s; echo %s >>ran\n' 0 0 2 2 >two/tasks.txt
    "$sheaf" run --quiet one/tasks.txt >printed 2>said || { cat said && return 1; }
    dir=$work/tasks.sheaf
    kept_as_it_was "$sheaf" run --quiet two/tasks.txt 2>said && says 'one/tasks.txt' &&
        says 'two/tasks.txt' && ran_is 0 1 || return 1
    "$sheaf" run --quiet two/tasks.txt --dir two.sheaf >printed 2>said && printed_is '0\n2\n' &&
        ran_is 0 2 || { cat said && return 1; }
    mv one three
    sed -i 's/1/3/g' three/tasks.txt
    "$sheaf" run --quiet three/tasks.txt >printed 2>said && printed_is '0\n3\n' && ran_is 3 ||
        { cat said && return 1; }
}

run_directory_continues_what_it_holds()
{
    new_run
    : >ran
    rm -f go_on
    printf '%s\n' 'echo 0; echo 0 >>ran' 'until test -e go_on; do sleep 0.1; done; echo 1' |
        "$sheaf" run --grace 0s --output result - --dir "$dir" >printed 2>said &
    local launcher=$!
    wait_for 60 tasks_done_are "$dir" 1 || { cat said; return 1; }
    kill -TERM $launcher
    wait $launcher
    status_is 3 && says "To continue: sheaf run $dir\$" || return 1
    touch go_on
    (cd / && "$sheaf" run "$dir" --quiet) >printed 2>said </dev/null && diff result <(seq 0 1) &&
        ran_is 0 || { cat said; return 1; }
    : >tasks.txt
    for i in 1 2 3; do echo "echo $i; echo $i >>ran" >>tasks.txt; done
    new_run
    run tasks.txt --only 1
    status_is 3 && sed -i 2,3d tasks.txt || return 1
    "$sheaf" run --quiet "$dir" --only 0 2>said
    status_is 3 && says "To run them as well: sheaf run $dir\$" && rm tasks.txt || return 1
    (cd / && "$sheaf" run --quiet "$dir") >printed 2>said && printed_is '1\n2\n3\n' &&
        ran_is 1 2 3 || { cat said; return 1; }
    "$sheaf" run --quiet "$dir" >printed 2>said && printed_is '1\n2\n3\n' || { cat said; return 1; }
    "$sheaf" run "$dir" --fresh 2>said
    status_is 2 && says 'deletes what is stored there' || return 1
    rm "$dir/command"
    "$sheaf" run "$dir" 2>said
    status_is 2 && says 'Repeat that command once' || return 1
    "$sheaf" run / 2>said
    status_is 2 && says 'no run has begun there'
}

lost_inputs_are_told_with_what_is_stored()
{
    new_run
    : >ran
    rm -rf files && mkdir files && echo 1 >files/1 && echo 2 >files/2
    local command='cat {}; echo {/} >>ran'
    run -c "$command" -i 'files/*' && ran_is 1 2 || { cat said && return 1; }
    mv files kept && mkdir files
    kept_as_it_was run -c "$command" -i 'files/*' && says 'no file matches' &&
        says "$dir holds 2 results of 2 tasks: nothing was changed" &&
        says "\`sheaf run $dir\` goes on with the list that is stored" || return 1
    "$sheaf" run --quiet "$dir" >printed && printed_is '1\n2\n' && rm -r files && mv kept files &&
        run -c "$command" -i 'files/*' && printed_is '1\n2\n' && ran_is '' ||
        { cat said && return 1; }
    new_run
    printf 'echo 1\n' >tasks.txt
    run tasks.txt && rm tasks.txt || { cat said && return 1; }
    kept_as_it_was run tasks.txt && says "$dir holds 1 result of 1 task:" || return 1
    kept_as_it_was run -c 'echo {}' tasks.txt && says "\`sheaf run $dir\` goes on"
}

# What is run, and in what order, is what is stored; also for a list with barriers.
changed_list_does_not_change_the_run_that_is_continued()
{
    local line='echo %s; echo %s >>ran'
    new_run
    : >ran
    printf "$line\\n" a a >tasks.txt
    echo '#DISBATCH BARRIER CHECK' >>tasks.txt
    printf "$line\\n" b b >>tasks.txt
    run tasks.txt --only 0
    status_is 3 && ran_is a || return 1
    printf "$line\\n" c c >>tasks.txt
    "$sheaf" run --quiet "$dir" --dry-run >printed 2>said &&
        printed_is 'true\necho b; echo b >>ran\n' &&
        says '3 tasks, of which 1 are done' || { cat printed said; return 1; }
    rm tasks.txt
    "$sheaf" run --quiet "$dir" --dry-run --only 2 >printed 2>said &&
        printed_is 'echo b; echo b >>ran\n' || { cat said; return 1; }
    "$sheaf" run --quiet "$dir" --dry-run --only 3 >printed 2>said
    status_is 2 && says 'the job has 3 tasks' || return 1
    "$sheaf" run --quiet "$dir" >printed 2>said && printed_is 'a\nb\n' && ran_is b ||
        { cat said; return 1; }
}

inquiries_say_how_to_continue()
{
    new_run
    printf '%s\n' 'echo 0' false 'echo 2' >tasks.txt
    run --attempts 1 tasks.txt --only 0
    status_is 3 || return 1
    "$sheaf" status "$dir" >printed
    grep -qx "continue   sheaf run $dir" printed || { cat printed; return 1; }
    "$sheaf" report "$dir" >printed
    grep -q "nobody works on the job: \`sheaf run $dir\` continues it" printed ||
        { cat printed; return 1; }
    explained 2 "\`sheaf run $dir\` continues" || return 1
    "$sheaf" run --quiet --attempts 1 "$dir" >printed 2>said
    status_is 1 || return 1
    "$sheaf" report "$dir" >printed
    grep -q "\`sheaf run $dir --retry-failed\` goes on with what failed" printed ||
        { cat printed; return 1; }
    explained 1 "\`sheaf run $dir --retry-failed --only 1\` tries it again" || return 1
    cat >stages.yaml <<'END'
stages: [{name: a, command: 'test -e go_on', split: {range: 1}, limits: {attempts: 1}}]
END
    rm -f go_on
    new_run
    run stages.yaml
    status_is 1 || return 1
    "$sheaf" report "$dir" >printed
    grep -q "\`sheaf run $dir --retry-failed\` goes on with what failed" printed ||
        { cat printed; return 1; }
    "$sheaf" explain "$dir" --stage a --task 0 >printed
    grep -q "\`sheaf run $dir --retry-failed\` tries what failed again" printed ||
        { cat printed; return 1; }
    touch go_on
    "$sheaf" run --quiet "$dir" --retry-failed 2>said || { cat said; return 1; }
}

second_command_is_refused_until_the_first_has_printed()
{
    local launcher
    new_run
    mkfifo pipe
    printf '%s\n' 'seq 100000' 'echo A' >a
    printf '%s\n' 'seq 100000' 'echo B' >b
    "$sheaf" run --quiet a --dir "$dir" >pipe 2>first.said &
    launcher=$!
    exec 7<pipe
    wait_for 60 grep -qs '"state": "finished"' "$dir/status.json" || { cat first.said; return 1; }
    run b
    status_is 4 && says "in use by another .sheaf run. on .*, process $launcher:" || return 1
    run a
    status_is 4 && says 'in use by another' || return 1
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 60 mpirun --oversubscribe \
        -n 2 "$sheaf" run b --dir "$dir" >printed 2>said
    status_is 4 && says 'in use by another' || return 1
    cat <&7 >printed
    exec 7<&-
    wait $launcher || { cat first.said; fail "the first failed"; return 1; }
    diff printed <(seq 100000; echo A) >diff ||
        { head diff; fail "not what the first made"; return 1; }
    run b && diff printed <(seq 100000; echo B) >diff || { cat said; head diff; return 1; }
}

merged_lists_grow()
{
    local job=(-c 'echo {}; echo {} >>ran' --merge-command 'cat {left} {right}')
    new_run
    : >ran
    seq 4 >list
    run "${job[@]}" list && ran_is 1 2 3 4 || { cat said && return 1; }
    seq 6 >list
    "$sheaf" run "${job[@]}" list --dir "$dir" >printed 2>said && ran_is 5 6 &&
        printed_is '1\n2\n3\n4\n5\n6\n' && says '4 of its 6 tasks are done' ||
        { cat said && return 1; }
    seq 7 >list
    "$sheaf" run "${job[@]}" list --dir "$dir" >printed 2>said && ran_is 7 &&
        printed_is '1\n2\n3\n4\n5\n6\n7\n' && says '6 of its 7 tasks are done' ||
        { cat said && return 1; }
    (echo 0; seq 7) >list
    "$sheaf" run "${job[@]}" list --dir "$dir" >printed 2>said &&
        printed_is '0\n1\n2\n3\n4\n5\n6\n7\n' || { cat said && return 1; }
    : >ran
    seq 6 >list
    kept_as_it_was run "${job[@]}" list && says 'merged with others: nothing was changed'
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
    list_that_would_take_all_away_is_refused \
    results_of_lines_that_are_gone_come_back \
    lists_of_one_name_are_told_apart \
    run_directory_continues_what_it_holds \
    lost_inputs_are_told_with_what_is_stored \
    changed_list_does_not_change_the_run_that_is_continued \
    inquiries_say_how_to_continue \
    second_command_is_refused_until_the_first_has_printed \
    merged_lists_grow \
    changed_plugin_is_refused; do
    check $name $name
done
finish
