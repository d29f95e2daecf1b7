#!/usr/bin/env bash
# test_failures.sh - user code that crashes, hangs or eats memory costs its own attempts, no more.
. "$abs_top_srcdir/tests/integration/lib.sh"

# trouble NAME HOW ARGUMENT...: ten tasks of the plug-in `trouble`; leaves the exit status in
# `status`, what was said in NAME.said.
run_trouble()
{
    local name=$1 where=$2 how=$3
    shift 3
    status=0
    timeout 120 "$sheaf" run "$TEST_PLUGINS/trouble.so" --tasks 10 --param where="$where" \
        --param how="$how" --workers 2 --dir "$work/$name" "$@" \
        >"$name.out" 2>"$name.said" || status=$?
    cat "$name.said"
}

# Only task 7 fails; everything else is in the result, under a name that says so.
task_7_fails_alone()
{
    local name=$1 how=$2 pattern=$3
    shift 3
    run_trouble "$name" run "$how" --param task=7 "$@"
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    grep -q "task 7 .*$pattern.*failed for good after 3 attempts, on workers [12], [12], [12]" \
        "$name.said" || { fail "no line names task, cause, attempts and workers"; return 1; }
    grep -q "worker .* is lost" "$name.said" && { fail "a rank was lost"; return 1; }
    [ "$(cat "$name/output.incomplete")" = 012345689 ] || {
        fail "the rest is $(cat "$name/output.incomplete")"
        return 1
    }
    [ ! -e "$name/output" ] || { fail "there is an output"; return 1; }
    [ ! -s "$name.out" ] || { fail "something was printed"; return 1; }
    no_process_is_left "$work/$name"
}

# A split, merge, prepare or finish that fails for good ends the job.
job_fails()
{
    local name=$1 where=$2 how=$3 pattern=$4
    shift 4
    run_trouble "$name" "$where" "$how" "$@"
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    grep -q "the job failed: $where.*$pattern" "$name.said" ||
        { fail "no line names $where and $pattern"; return 1; }
    [ ! -s "$name.out" ] || { fail "something was printed"; return 1; }
    no_process_is_left "$work/$name"
}

# The same with a job file that takes its tasks from the plug-in.
split_fails()
{
    local name=$1 how=$2 pattern=$3
    shift 3
    cat >split.yaml <<EOF
plugin: $TEST_PLUGINS/trouble.so
split: plugin
parameters: {where: split, how: "$how"}
EOF
    status=0
    timeout 120 "$sheaf" run split.yaml --workers 2 --dir "$work/$name" "$@" \
        >"$name.out" 2>"$name.said" || status=$?
    cat "$name.said"
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    grep -q "the job failed: split.*$pattern" "$name.said" || { fail "no line says why"; return 1; }
    no_process_is_left "$work/$name"
}

failed_job_says_so_again()
{
    run_trouble null run crash --param task=7
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    [ ! -s null.out ] || fail "something was printed"
}

# No task is to blame, and none is lost: once open does, all of them run.
open_that_always_fails_ends_the_run()
{
    local name=open-$1
    run_trouble "$name" open "$1"
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    grep -q "the run ends here, as .open. has failed on every worker" "$name.said" ||
        { fail "it does not say why"; return 1; }
    [ "$(status_field "$work/$name" tasks_failed)" = 0 ] || { fail "tasks failed"; return 1; }
    run_trouble "$name" nowhere none --force
    [ $status = 0 ] && [ "$(cat "$name.out")" = 0123456789 ] || fail "it does not go on"
}

limit_of_failures_ends_the_run()
{
    local name=max-failures
    run_trouble $name run 'fail for good' --tasks 100000 --range-max 1 --max-failures 5
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    grep -q "limit of --max-failures 5 is reached: [0-9]* of 100000 tasks have failed" \
        $name.said || { fail "it does not say why"; return 1; }
    local failed
    failed=$(status_field "$work/$name" tasks_failed)
    [ "$failed" -ge 5 ] && [ "$failed" -le 50 ] || { fail "$failed have failed"; return 1; }
    [ ! -e "$work/$name/output.incomplete" ] || { fail "there is an output"; return 1; }
    run_trouble $name run 'fail for good' --tasks 100000 --range-max 1 --max-failures 5
    [ "$(status_field "$work/$name" tasks_failed)" -gt "$failed" ] || fail "it does not go on"
}

# The result is that of the parent.
copy_that_returns_is_told_and_ended()
{
    run_trouble copy run fork --param task=7
    [ $status = 0 ] && [ "$(cat copy.out)" = 0123456789 ] || { fail "status $status"; return 1; }
    grep -q "warning: task 7 forked and returned in the copy, too" copy.said ||
        fail "nobody says so"
}

failure_for_good_is_not_tried_again()
{
    run_trouble for-good run 'fail for good' --param task=7
    [ $status = 1 ] || { fail "exit status $status, not 1"; return 1; }
    grep -q "task 7 .*for good; it failed for good after 1 attempt, on worker" for-good.said
}

without_trouble_all_is_printed()
{
    run_trouble none nowhere none
    [ $status = 0 ] && [ "$(cat none.out)" = 0123456789 ]
}

signal='was killed by signal 11 (Segmentation fault)'
timeout='ran longer than its time limit'
memory='used more memory than its limit'
limits=(--timeout 500ms --memory 64M)

check without_trouble_all_is_printed without_trouble_all_is_printed
check null_in_a_task_costs_that_task task_7_fails_alone null crash "$signal"
check failed_job_says_so_again failed_job_says_so_again
check endless_task_ends_by_timeout task_7_fails_alone hang hang "$timeout" "${limits[@]}"
check greedy_task_ends_by_memory task_7_fails_alone eat eat "$memory" --memory 64M
check greedy_child_of_a_task_ends_by_memory \
    task_7_fails_alone eat-child 'eat in child' "$memory" --memory 64M
check task_that_reports_failure_is_told_with_its_text \
    task_7_fails_alone told fail 'failed with number 42'
check task_that_calls_exit_has_failed task_7_fails_alone exit 'exit 0' 'ended its process'
for how in fail crash; do
    check "open_that_always_says_${how}_ends_the_run" open_that_always_fails_ends_the_run $how
done
check limit_of_failures_ends_the_run limit_of_failures_ends_the_run
check copy_that_returns_is_told_and_ended copy_that_returns_is_told_and_ended
check failure_for_good_is_not_tried_again failure_for_good_is_not_tried_again
for where in merge prepare finish; do
    check "null_in_${where}_fails_the_job" job_fails "$where-null" $where crash "$signal"
    check "endless_${where}_fails_the_job" \
        job_fails "$where-hang" $where hang "$timeout" "${limits[@]}"
    check "greedy_${where}_fails_the_job" job_fails "$where-eat" $where eat "$memory" --memory 64M
done
check null_in_split_fails_the_job split_fails split-null crash "$signal"
check endless_split_fails_the_job split_fails split-hang hang "$timeout" "${limits[@]}"
check greedy_split_fails_the_job split_fails split-eat eat "$memory" --memory 64M
finish
