#!/usr/bin/env bash
# test_lost_spawner.sh - a worker whose spawner is killed leaves; the job goes on without it.
. "$abs_top_srcdir/tests/integration/lib.sh"

seq -s ' ' 0 199 | tr '\n' ' ' >expected

# The spawner is the one child of the rank.
spawner_of_rank_1()
{
    local rank
    rank=$(pid_of_rank "$1" 1) && pgrep -P "$rank"
}

job_goes_on_with()
{
    local workers=$1 dir=$work/with-$1 victim
    $sheaf run "$TEST_PLUGINS/slow.so" --tasks 200 --param milliseconds=20 --workers "$workers" \
        --slots 1 --dir "$dir" >"$dir.out" 2>"$dir.said" &
    local launcher=$!
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; return 1; }
    victim=$(spawner_of_rank_1 "$dir") || { fail "no spawner"; return 1; }
    kill -KILL $victim
    wait $launcher || { cat "$dir.said"; fail "exit status $?"; return 1; }
    cat "$dir.said"
    grep -q 'worker 1 .*has left' "$dir.said" || { fail "nothing is said"; return 1; }
    same_bytes expected "$dir.out" && no_process_is_left "$dir"
}

check other_workers_do_its_tasks job_goes_on_with 2
check without_another_worker_the_launcher_starts_again job_goes_on_with 1
finish
