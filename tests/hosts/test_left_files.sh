#!/usr/bin/env bash
# test_left_files.sh - on hosts where mpirun or its daemon was killed nothing of it stays, or only
# until the next start there.
. "$abs_top_srcdir/tests/hosts/cases.sh"

files_on()
{
    on_host "$1" find /tmp /dev/shm -maxdepth 1 \( -name 'ompi.*' -o -name 'prte*' -o \
        -name '*_segment.*' \)
}

no_file_is_left_on()
{
    local host left
    for host; do
        left=$(files_on "$host")
        [ -z "$left" ] || { fail "left on $host: $left"; return 1; }
    done
}

no_record_is_left()
{
    [ ! -e "$dir/worlds" ] || { ls "$dir/worlds"; fail "records are left"; }
}

mpirun_is_killed()
{
    launch head mpirun --host a,b,c
    in_the_middle || return 1
    on_host head pkill -KILL -x 'mpirun|prterun'
    ends_well && nothing_is_left_on head a b c && no_file_is_left_on head a b c &&
        no_record_is_left
}

daemon_is_killed_with_its_ranks()
{
    launch head daemon --host a,b,c
    in_the_middle || return 1
    on_host c pkill -KILL -x 'orted|prted|sheaf'
    [ -n "$(files_on c)" ] || { fail "nothing was left, so this shows nothing"; return 1; }
    ends_well && nothing_is_left_on head a b c && no_file_is_left_on head || return 1
    rm -f "$dir.out"
    launch head daemon --host a,b,c
    ends_well && nothing_is_left_on head a b c && no_file_is_left_on head a b c &&
        no_record_is_left
}

# Records may stay until the next start: whether daemons have cleaned up is not known everywhere.
node_is_killed_and_the_launcher_keeps_nothing()
{
    launch head node --host a,b,c
    in_the_middle || return 1
    host_kill c
    ends_well && nothing_is_left_on head a b && no_file_is_left_on head a b
}

run_cases mpirun_is_killed daemon_is_killed_with_its_ranks \
    node_is_killed_and_the_launcher_keeps_nothing
