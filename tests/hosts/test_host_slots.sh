#!/usr/bin/env bash
# test_host_slots.sh - a hostfile says how many slots each host has: so many there are, whatever
# else is said, and every host works, that of the master too.
. "$abs_top_srcdir/tests/hosts/cases.sh"

# placed_on HOST: the slots that its workers have, and on how many of them a core is.
placed_on()
{
    sed -n "s/^sheaf: worker [0-9]* on $1, process [0-9]*\(, cores shared\)\?://p" "$dir.said" |
        tr ';' '\n' | sed -n 's/^ slot [0-9]* = cpu //p' | sort | uniq -c |
        awk '{ print $1 ":" $2 }'
}

# has_slots HOST N: where there are as many cores no two slots share one.
has_slots()
{
    local found most
    found=$(placed_on "$1" | awk -F: '{ n += $1 } END { print n + 0 }')
    most=$(placed_on "$1" | cut -d: -f1 | sort -n | tail -n 1)
    [ "$found" = "$2" ] || fail "$1 has $found slots, not $2" || return 1
    [ "$2" -gt "$(nproc)" ] || [ "$most" = 1 ] || fail "slots of $1 share cores: $(placed_on "$1")"
}

# ran_on HOST: its worker was given tasks, each of which tells where it ran.
ran_on()
{
    grep -qx "$1" "$dir.out" || fail "no task ran on $1"
}

# The master's host has one slot, which is a worker's; --slots is for hosts that say nothing.
slots_of_a_hostfile_are_those_of_its_hosts()
{
    printf '%s\r\n' "a slots=1" "b slots=4" "c slots=2" >"$work/hostfile"
    dir=$work/slots
    on_host head "$sheaf" run --hostfile "$work/hostfile" --workers 3 --slots 2 --dir "$dir" \
        --show-placement --command ': {}; sleep 0.1; uname -n' "$work/list" \
        >"$dir.out" 2>"$dir.said" ||
        { cat "$dir.said"; fail "exit status $?"; } || return 1
    has_slots a 1 && has_slots b 4 && has_slots c 2 && ran_on a && ran_on b && ran_on c ||
        { cat "$dir.said"; return 1; }
    [ "$(wc -l <"$dir.out")" = 60 ] || fail "$(wc -l <"$dir.out") tasks, not 60"
}

dry_run_shows_the_slots_of_each_host()
{
    printf '%s\n' "a slots=1" "b slots=4" "c" >"$work/hostfile"
    dir=$work/dry
    on_host head "$sheaf" run --hostfile "$work/hostfile" --dir "$dir" --dry-run --command true \
        "$work/list" >/dev/null 2>"$dir.said" || fail "exit status $?" || return 1
    says '4 ranks on a (master, 1 worker, 1 slot), b (1 worker, 4 slots), c (1 worker);'
}

slots_that_are_none_are_refused()
{
    local line status
    for line in 'b slots=-1' '+n0'; do
        printf '%s\n' "a slots=1" "$line" >"$work/hostfile"
        dir=$work/refused
        status=0
        on_host head "$sheaf" run --hostfile "$work/hostfile" --dir "$dir" --command true \
            "$work/list" >/dev/null 2>"$dir.said" || status=$?
        [ $status = 2 ] || { cat "$dir.said"; fail "exit status $status, not 2"; } || return 1
        says "$work/hostfile:2: " || return 1
    done
}

seq 60 >"$work/list"
run_cases slots_of_a_hostfile_are_those_of_its_hosts dry_run_shows_the_slots_of_each_host \
    slots_that_are_none_are_refused
