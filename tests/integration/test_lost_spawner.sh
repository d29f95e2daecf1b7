#!/usr/bin/env bash
# test_lost_spawner.sh - a worker whose spawner is killed leaves; the job goes on without it.
. "$abs_top_srcdir/tests/integration/lib.sh"

seq -s ' ' 0 39 | tr '\n' ' ' >expected

# The spawner is the one child of the rank.
spawner_of_rank_1()
{
    local rank
    rank=$(pid_of_rank "$1" 1) && pgrep -P "$rank"
}

# The job lasts until it is released.
job_goes_on_with()
{
    local workers=$1 dir=$work/with-$1 victim
    $sheaf run "$TEST_PLUGINS/hold.so" --tasks 40 --range-max 1 --param "release=$dir.release" \
        --workers "$workers" --slots 1 --dir "$dir" >"$dir.out" 2>"$dir.said" &
    local launcher=$!
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; return 1; }
    victim=$(spawner_of_rank_1 "$dir") || { fail "no spawner"; return 1; }
    kill -KILL $victim
    wait_for 60 grep -q 'worker 1 .*has left' "$dir.said" ||
        { cat "$dir.said"; fail "nothing is said"; return 1; }
    touch "$dir.release"
    wait $launcher || { cat "$dir.said"; fail "exit status $?"; return 1; }
    cat "$dir.said"
    same_bytes expected "$dir.out" && no_process_is_left "$dir"
}

check other_workers_do_its_tasks job_goes_on_with 2
check without_another_worker_the_launcher_starts_again job_goes_on_with 1
finish
