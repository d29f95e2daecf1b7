#!/usr/bin/env bash
# test_resources.sh - tasks that need more than a core get it, or are refused with the reason.
. "$abs_top_srcdir/tests/integration/lib.sh"

# One slot has all the cores that this process may use, less the master's where they are plenty.
a_task_gets_the_cores_that_it_needs()
{
    local cores
    cores=$(nproc)
    [ "$cores" -lt 8 ] || cores=$((cores - 1))
    $sheaf run "$examples/sum.yaml" --tasks 10 --cores "$cores" --show-placement \
        --dir "$work/cores" >out 2>said || { cat said; return 1; }
    cat said
    [ "$(grep -c 'slot 0 = cpu' said)" = 1 ] || { fail "not one worker with a slot"; return 1; }
    ! grep -q 'slot 1 = cpu' said || fail "more than one slot"
}

# The same run directory takes the job once it asks for less.
what_no_host_can_hold_is_refused_at_the_start()
{
    local got=0
    timeout 60 "$sheaf" run "$examples/sum.yaml" --tasks 10 --cores 4000 --dir "$work/large" \
        >out 2>said || got=$?
    cat said
    [ $got = 2 ] || { fail "exit status $got, not 2"; return 1; }
    [ "$(grep -c 'can hold no task: it has .* a task needs 4000 cores' said)" = 1 ] ||
        { fail "does not say why"; return 1; }
    grep -q 'lower "resources"' said || { fail "does not say what to do"; return 1; }
    no_process_is_left "$work/large" || return 1
    $sheaf run "$examples/sum.yaml" --tasks 10 --dir "$work/large" --quiet >out || return 1
    [ -s out ]
}

check a_task_gets_the_cores_that_it_needs a_task_gets_the_cores_that_it_needs
check what_no_host_can_hold_is_refused_at_the_start what_no_host_can_hold_is_refused_at_the_start
finish
