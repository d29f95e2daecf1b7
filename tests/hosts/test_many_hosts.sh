#!/usr/bin/env bash
# test_many_hosts.sh - twelve hosts, of which eleven are killed one after the other.
workers=(a b c d e f g h i j k l)
. "$abs_top_srcdir/tests/hosts/cases.sh"

# more_is_done COUNT: than that, or the run has ended.
more_is_done()
{
    tasks_done_are "$dir" "$1" || ! kill -0 $launching 2>/dev/null
}

# The host of the master is the sixth of them: the run starts anew then, on what is left.
last_host_of_twelve_ends_the_job()
{
    local host done_min=100
    launch head many --host "$(IFS=,; echo "${workers[*]}")" --restarts 12
    for host in l k j i h a g f e d c; do
        wait_for 120 more_is_done $done_min
        kill -0 $launching 2>/dev/null || { fail "it ended before $host was killed"; break; }
        host_kill $host
        done_min=$((done_min + 100))
    done
    ends_well && nothing_is_left_on head b
}

run_cases last_host_of_twelve_ends_the_job
