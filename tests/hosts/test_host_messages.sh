#!/usr/bin/env bash
# test_host_messages.sh - what is told when a host or its connection goes while nobody asks for a
# stop: in words of Sheaf, once, and with nothing that is not so.
. "$abs_top_srcdir/tests/hosts/cases.sh"

# tells_what_is_so: nobody has asked to stop, and Open MPI's own words are for the log.
tells_what_is_so()
{
    ! grep -n "stopping on request\|To continue\|epeat the command" "$dir.said" ||
        fail "nobody has asked for that" || return 1
    ! grep -n "FATAL\|PMIX\|ORTE\|may now hang\|Forwarding signal\|setpgid\|^\[" "$dir.said" ||
        fail "these are words of Open MPI"
}

connection_is_killed()
{
    launch head connection --host a,b,c
    in_the_middle || return 1
    # Not the listening one: what serves mpirun's ssh.
    pkill -KILL -f 'sshd: root@notty' --ns "${host_process[b]}" --nslist pid || fail "no sshd"
    ends_well && tells_what_is_so && nothing_is_left_on head a b c
}

connection_to_the_masters_host_is_killed()
{
    launch head master-connection --host a,b,c
    in_the_middle || return 1
    pkill -KILL -f 'sshd: root@notty' --ns "${host_process[a]}" --nslist pid || fail "no sshd"
    ends_well && tells_what_is_so && nothing_is_left_on head a b c
}

host_is_rebooted()
{
    launch head reboot --host a,b,c --param milliseconds=60
    in_the_middle || return 1
    host_kill b
    boot b
    ends_well && tells_what_is_so && nothing_is_left_on head a b c
}

host_returns_after_its_ranks_have_left()
{
    launch head returned --host a,b,c --param milliseconds=80
    in_the_middle || return 1
    host_cut c
    # Its rank has said so to its own host; what it said to the master before is still under way.
    wait_for 90 eval '! pgrep --ns "${host_process[c]}" --nslist pid -x sheaf >/dev/null' ||
        fail "the rank stays" || return 1
    host_heal c
    ends_well && tells_what_is_so && nothing_is_left_on head a b c
}

run_cases connection_is_killed connection_to_the_masters_host_is_killed host_is_rebooted \
    host_returns_after_its_ranks_have_left
