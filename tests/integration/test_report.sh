#!/usr/bin/env bash
# test_report.sh - sheaf report tells of every failure: its cause, where, how often, and what to do.
. "$abs_top_srcdir/tests/integration/lib.sh"

# run_all NAME TASKS ARGUMENT...: a run of the plug-in `trouble`; exit status in `status`.
run_all()
{
    local name=$1 tasks=$2
    shift 2
    status=0
    timeout 120 "$sheaf" run "$TEST_PLUGINS/trouble.so" --tasks "$tasks" --workers 2 \
        --param where=run --dir "$work/$name" "$@" >"$name.out" 2>"$name.said" || status=$?
    "$sheaf" report "$work/$name" | tee "$name.report"
    "$sheaf" report --json "$work/$name" >"$name.json"
}

says()
{
    grep -qE -- "$2" "$1.report" || fail "the report does not say: $2"
}

failures_are_grouped_by_cause_and_host()
{
    run_all fail 50 --param how=fail
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    says fail '^done +0 of 50 tasks' &&
        says fail '^failed +50 tasks for good: 0-49$' &&
        says fail "^150 attempts failed on $(uname -n): reported a failure; 50 of" &&
        says fail '^    task [0-9]+, attempt 1, worker [12]: failed with number 42$' &&
        says fail '^    and 147 more$' && says fail '`sheaf try --task 0`, with' &&
        [ "$(grep -c '^    task ' fail.report)" = 3 ]
}

crash_is_told_with_its_signal()
{
    run_all crash 10 --param how=crash --param task=7
    says crash '^failed +1 task for good: 7$' && says crash '^done +9 of 10 tasks' &&
        says crash '^3 attempts failed on .*: was killed by signal 11 \(Segmentation fault\); 1 of'
}

last_lines_of_the_executor_are_shown()
{
    run_all print 10 --param how='print and fail' --param task=3
    says print '^      \| logs/executor-.*-[01].log, from byte [0-9]+:$' &&
        says print '^      \| said on standard error$' &&
        grep -q '"log": "logs/executor-.*:.nsaid on standard error"' print.json
}

# The beginning has the cause of a traceback, a panic or what a sanitizer tells.
both_ends_of_what_a_command_wrote_are_shown()
{
    printf '%s\n' 'echo cause >&2; seq -f "line %g" 40 >&2; exit 3' 'echo short >&2; exit 4' >list
    timeout 120 "$sheaf" run -q --attempts 1 list --dir both >out 2>said
    "$sheaf" report both | tee both.report
    says both '^    what task 0 wrote to standard error; all of it: .sheaf output --failed' &&
        diff <(grep '^      | ' both.report) <(printf '      | %s\n' cause 'line 1' 'line 2' \
            'line 3' 'line 4' '[...]' 'line 36' 'line 37' 'line 38' 'line 39' 'line 40') ||
        return 1
    "$sheaf" report --json both >both.json
    grep -qF '"log": "cause\nline 1\n' both.json && grep -qF '"log": ""' both.json
}

log_of_a_failed_prepare_is_shown()
{
    status=0
    timeout 120 "$sheaf" run "$TEST_PLUGINS/trouble.so" --tasks 3 --workers 1 --attempts 1 \
        --param where=prepare --param how='print and fail' --dir prepared >out 2>said || status=$?
    [ $status = 1 ] || { cat said && fail "exit status $status, not 1" && return 1; }
    "$sheaf" report prepared | tee prepared.report
    says prepared '^    what prepare wrote' &&
        says prepared '^      \| logs/spawner-.*.log, from byte 0:$' &&
        says prepared '^      \| said on standard error$' || return 1
    "$sheaf" report --json prepared | grep -q '"prepare_log": "logs/spawner-.*said on standard'
}

counts_outlive_a_restart()
{
    cp print.report before
    status=0
    timeout 120 "$sheaf" run "$TEST_PLUGINS/trouble.so" --tasks 10 --workers 2 --param where=run \
        --param how='print and fail' --param task=3 --dir "$work/print" >again.out 2>&1 || status=$?
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    "$sheaf" report "$work/print" >after
    same_bytes before after
}

clean_run_has_nothing_to_tell()
{
    run_all clean 10 --param how=none --param task=99
    [ $status = 0 ] || { fail "exit status $status, not 0"; return 1; }
    says clean '^nothing has failed$' && says clean '^done +10 of 10 tasks$'
}

# Rank 1 is stopped until it counts as lost. The job lasts until it is released.
lost_worker_is_counted_and_costs_no_attempt()
{
    local dir=$work/lost rank family
    "$sheaf" run "$TEST_PLUGINS/hold.so" --tasks 40 --range-max 1 --param "release=$work/release" \
        --workers 2 --slots 2 --lost-after 1s --dir "$dir" >lost.out 2>lost.said &
    local run=$!
    wait_for 60 tasks_done_are "$dir" 1 || { cat lost.said; return 1; }
    rank=$(pid_of_rank "$dir" 1) || { fail "no rank 1"; return 1; }
    family="$rank $(pgrep -P "$rank") $(executors_of "$rank")"
    kill -STOP $family
    wait_for 60 grep -q 'worker 1 .*is lost' lost.said || { cat lost.said; return 1; }
    wait_for 30 loss_is_reported "$dir" || { cat lost.report; fail "not reported"; return 1; }
    kill -CONT $family
    touch "$work/release"
    wait $run || { fail "exit status $?"; cat lost.said; return 1; }
    "$sheaf" report "$dir" | tee lost.report
    says lost '^done +40 of 40 tasks$' &&
        says lost "^1 worker was lost on $(uname -n): nothing was heard of it any more$" &&
        says lost 'no task lost an attempt by it$' && says lost '^    worker 1 of run 1$'
}

# While the run goes on.
loss_is_reported()
{
    "$sheaf" report "$1" >lost.report && grep -q '^1 worker was lost on' lost.report &&
        grep -q '^state      running (process' lost.report
}

wrong_directory_is_refused()
{
    status=0
    "$sheaf" report "$work" 2>said || status=$?
    [ $status = 2 ] && grep -q 'is not a run directory' said
}

check failures_are_grouped_by_cause_and_host failures_are_grouped_by_cause_and_host
check crash_is_told_with_its_signal crash_is_told_with_its_signal
check last_lines_of_the_executor_are_shown last_lines_of_the_executor_are_shown
check both_ends_of_what_a_command_wrote_are_shown both_ends_of_what_a_command_wrote_are_shown
check log_of_a_failed_prepare_is_shown log_of_a_failed_prepare_is_shown
check counts_outlive_a_restart counts_outlive_a_restart
check clean_run_has_nothing_to_tell clean_run_has_nothing_to_tell
check lost_worker_is_counted_and_costs_no_attempt lost_worker_is_counted_and_costs_no_attempt
check wrong_directory_is_refused wrong_directory_is_refused
finish
