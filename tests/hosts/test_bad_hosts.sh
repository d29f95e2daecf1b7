#!/usr/bin/env bash
# test_bad_hosts.sh - hosts that answer but cannot start ranks are left out, by name and reason, and
# the job runs on the others, with one start.
workers=(a b c d)
. "$abs_top_srcdir/tests/hosts/cases.sh"

tasks=400
seq -s ' ' 0 $((tasks - 1)) | tr '\n' ' ' >expected
program=$(realpath "$(command -v "$sheaf")")

# runs_without_c NAME REASON: the job, on the other three; how a host is left out is told once.
runs_without_c()
{
    launch head "$1" --host a,b,c,d --param milliseconds=10
    ends_well || return 1
    says "warning: host c is left out: $2" || return 1
    [ "$(grep -c "left out" "$dir.said")" = 1 ] || fail "more is left out" || return 1
    ! grep -q "starting again\|PMIX\|ORTE" "$dir.said" || fail "it took more than one start"
}

all_four_run_the_job_when_nothing_is_wrong()
{
    launch head good --host a,b,c,d --param milliseconds=10
    ends_well || return 1
    ! grep -q "left out\|starting again" "$dir.said" || fail "a host was left out"
}

host_with_a_full_tmp()
{
    on_host c mount -o remount,size=32k /tmp
    on_host c sh -c 'cat /dev/zero >/tmp/fill' 2>/dev/null
    runs_without_c full "/tmp has no room for 1 MiB"
    local status=$?
    on_host c rm /tmp/fill
    on_host c mount -o remount,size=100m /tmp
    return $status
}

host_with_a_tmp_that_is_read_only()
{
    on_host c mount -o remount,ro /tmp
    runs_without_c read-only "/tmp cannot be written (Read-only file system)"
    local status=$?
    on_host c mount -o remount,rw /tmp
    return $status
}

host_without_room_in_shared_memory()
{
    on_host c mount -o remount,size=32k /dev/shm
    runs_without_c shared "/dev/shm has no room for 8 MiB"
    local status=$?
    on_host c mount -o remount,size=100m /dev/shm
    return $status
}

# The launcher is there itself, and so is mpirun, which needs no shared memory.
host_of_the_launcher_without_room_in_shared_memory()
{
    on_host a mount -o remount,size=32k /dev/shm
    launch a own --host a,b,c,d --param milliseconds=10
    ends_well && says "warning: host a is left out: /dev/shm has no room for 8 MiB"
    local status=$?
    on_host a mount -o remount,size=100m /dev/shm
    return $status
}

host_without_the_program()
{
    on_host c mount -t tmpfs tmpfs "$(dirname "$program")"
    runs_without_c missing "$program is not there"
    local status=$?
    on_host c umount "$(dirname "$program")"
    return $status
}

host_with_another_version_of_the_program()
{
    printf '%s\n' '#!/bin/sh' 'echo sheaf 0.0.9' >"$work/impostor"
    chmod +x "$work/impostor"
    on_host c mount --bind "$work/impostor" "$program"
    runs_without_c other "$program there is version 0.0.9, and this one is"
    local status=$?
    on_host c umount "$program"
    return $status
}

# It answers well when it is asked; how its ranks fail names it.
host_on_which_ranks_cannot_start()
{
    cp "$program" "$work/sound"
    printf '%s\n' '#!/bin/sh' "[ \"\$1\" = run ] && export OMPI_MCA_btl=none" \
        "exec $work/sound \"\$@\"" >"$work/unsound"
    chmod +x "$work/unsound"
    on_host c mount --bind "$work/unsound" "$program"
    launch head failing --host a,b,c,d --param milliseconds=10
    ends_well && says "warning: host c is left out: the last start failed there: "
    local status=$?
    on_host c umount "$program"
    [ $status = 0 ] || return 1
    [ "$(grep -c "starting again" "$dir.said")" = 1 ] || fail "it took more than two starts"
}

run_cases all_four_run_the_job_when_nothing_is_wrong host_with_a_full_tmp \
    host_with_a_tmp_that_is_read_only host_without_room_in_shared_memory \
    host_of_the_launcher_without_room_in_shared_memory host_without_the_program \
    host_with_another_version_of_the_program host_on_which_ranks_cannot_start
