#!/usr/bin/env bash
# test_slow_links.sh - hosts behind slow cables: they are not lost while they send, what they send
# is not made twice without need, and nobody waits for them longer than their results are worth.
. "$abs_top_srcdir/tests/hosts/cases.sh"

# run_large NAME TASKS BYTES OPTION...: results of so many bytes on a, b and c, each execution a
# line in $dir.executions; ends with $took_s.
run_large()
{
    local name=$1 count=$2 bytes=$3 began_s=$SECONDS
    shift 3
    dir=$work/$name
    seq "$count" >"$dir.list"
    : >"$dir.executions"
    on_host head "$sheaf" run -c "echo {} \$(hostname) >>$dir.executions; sleep 0.3; \
        head -c $bytes /dev/zero" "$dir.list" --host a,b,c --slots 1 --dir "$dir" "$@" \
        >"$dir.out" 2>"$dir.said" &
    launching=$!
    ends_with 0 || return 1
    took_s=$((SECONDS - began_s))
    [ "$(wc -c <"$dir.out")" = $((count * bytes)) ] || fail "not $count results of $bytes bytes"
}

# executed_at_most TIMES: each task.
executed_at_most()
{
    local worst
    worst=$(cut -d' ' -f1 "$dir.executions" | sort | uniq -c | sort -rn | awk '{ print $1; exit }')
    [ "$worst" -le "$1" ] || { cat "$dir.executions"; fail "a task was executed $worst times"; }
}

# A result takes 2 s on its way, and two follow each other: four times what counts as silence.
hosts_that_send_are_not_lost()
{
    host_slow b 20mbit && host_slow c 20mbit || return 1
    run_large sends 9 5000000 --lost-after 1s || return 1
    ! grep -q lost "$dir.said" || fail "a host was lost that was sending"
    executed_at_most 2 && nothing_is_left_on head a b c
}

# Its result would take 160 s, and it counts as silent after 200 s only.
host_that_has_sent_nothing_yet_is_not_waited_for()
{
    host_slow b 1gbit && host_slow c 1mbit || return 1
    run_large nothing 9 20000000 --lost-after 200s || return 1
    [ "$took_s" -lt 100 ] || fail "it took $took_s s"
    ! grep -q lost "$dir.said" || fail "a host was lost that was sending"
    executed_at_most 2 && nothing_is_left_on head a b c
}

run_cases hosts_that_send_are_not_lost host_that_has_sent_nothing_yet_is_not_waited_for
