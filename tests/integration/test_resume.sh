#!/usr/bin/env bash
# test_resume.sh - a job of many tasks goes on where it was, at once, from a small journal.
. "$abs_top_srcdir/tests/integration/lib.sh"

now_ms()
{
    date +%s%3N
}

# 10^9 tasks by index: killed once 10^8 of them are done and journalled.
killed_with_many_tasks_done()
{
    $sheaf run "$TEST_PLUGINS/count.so" --tasks 1000000000 --param stamp="$work/stamps" \
        --dir "$work/many" --workers 2 --checkpoint 100ms >out 2>said &
    # What the status counts may still be on its way to the disk: hence twice as many.
    wait_for 120 tasks_done_are "$work/many" 200000000 || { cat said; return 1; }
    pkill -KILL -f -- "--dir $work/many( |\$)"
    wait
    no_process_is_left "$work/many"
}

journal_is_below_1_mib()
{
    local bytes
    bytes=$(du -sb many/journal | cut -f1)
    echo "# journal of the job: $bytes bytes" >&3
    [ "$bytes" -lt 1048576 ] || { ls -l many/journal; fail "$bytes bytes"; }
}

# The figure is printed, not judged: the machine may be slow. That nothing done is done again is.
continued_run_starts_with_what_is_left()
{
    local begin first
    rm -f stamps
    begin=$(now_ms)
    $sheaf run "$TEST_PLUGINS/count.so" --tasks 1000000000 --param stamp="$work/stamps" \
        --dir "$work/many" --workers 2 --checkpoint 100ms >out 2>said || { cat said; return 1; }
    first=$(sort -n stamps | head -n 1)
    echo "# first new task after $((first - begin)) ms" >&3
    local before
    before=$(sed -n 's/.*continuing .*: \([0-9]*\) of .*/\1/p' said)
    cat said
    [ "${before:-0}" -ge 100000000 ] || { fail "continued with '$before' tasks done"; return 1; }
    [ "$(cat out)" = 499999999500000000 ] || fail "the sum is $(cat out)"
}

exec 3>&1
check killed_with_many_tasks_done killed_with_many_tasks_done
check journal_is_below_1_mib journal_is_below_1_mib
check continued_run_starts_with_what_is_left continued_run_starts_with_what_is_left
finish
