# cases.sh - hosts that die and cables that are cut while a job runs on several hosts: the output
# stays that of an undisturbed run, the exit status 0, and no process is left anywhere.
#
# The launcher runs on a host without ranks, as on a login node, or on the first one. A test calls
# `run_cases NAME...` with the names of functions here; CASES in the environment takes their place.
. "$abs_top_srcdir/tests/hosts/lib.sh"

[ -n "${workers[*]:-}" ] || [ -n "${workers:-}" ] || workers=(a b c)
first_host=${workers[0]} # where the master is
switch_start head "${workers[@]}" || { echo "not ok - the network cannot be made"; exit 1; }

# For mpirun and all that it starts, whatever its version.
export OMPI_MCA_plm_rsh_agent="ssh -F $work/ssh/client"
export PRTE_MCA_plm_ssh_agent=$OMPI_MCA_plm_rsh_agent
export OMPI_MCA_pml=ob1

# Some 6 s on six slots; half of it is enough for each fault.
tasks=1800
seq -s ' ' 0 $((tasks - 1)) | tr '\n' ' ' >expected

boot()
{
    local host
    for host; do
        host_is_up "$host" || host_start "$host" || return 1
    done
}

# launch HOST NAME [OPTION...]: starts the job there; it has $dir, and $launching is the launcher.
launch()
{
    local host=$1
    dir=$work/$2
    shift 2
    on_host "$host" "$sheaf" run "$TEST_PLUGINS/slow.so" --tasks $tasks --param milliseconds=20 \
        --slots 2 --lost-after 1s --silence-timeout 4s --checkpoint 200ms --dir "$dir" "$@" \
        >"$dir.out" 2>>"$dir.said" &
    launching=$!
}

# Before the fault something must be done, and after it something must be left.
in_the_middle()
{
    wait_for 90 has_begun_or_ended
    tasks_done_are "$dir" $((tasks / 10)) || { cat "$dir.said"; fail "nothing was done"; }
}

has_begun_or_ended()
{
    tasks_done_are "$dir" $((tasks / 10)) || ! kill -0 $launching 2>/dev/null
}

says()
{
    grep -q -- "$1" "$dir.said" || fail "does not say: $1"
}

ends_with()
{
    local status=0
    wait $launching || status=$?
    echo "after $((SECONDS - began)) s:"
    cat "$dir.said"
    [ $status = "$1" ] || fail "exit status $status, not $1"
}

ends_well()
{
    ends_with 0 && same_bytes expected "$dir.out"
}

node_is_killed()
{
    launch head killed --host a,b,c
    in_the_middle || return 1
    host_kill c
    ends_well && nothing_is_left_on head a b
}

# Its host is there, and tells at once.
worker_elsewhere_is_killed()
{
    launch head worker --host a,b,c --lost-after 10min --silence-timeout 10min
    in_the_middle || return 1
    on_host c pkill -KILL -o -x sheaf
    ends_well && says "(c) is lost: its process has ended" && nothing_is_left_on head a b c
}

node_beside_the_launcher_is_killed()
{
    printf "%s\n" "a slots=2" b "c slots=2" >"$work/hostfile"
    launch a beside --hostfile "$work/hostfile"
    in_the_middle || return 1
    host_kill b
    ends_well && nothing_is_left_on a c
}

node_is_cut_off()
{
    launch head cut --host a,b,c
    in_the_middle || return 1
    host_cut c
    ends_well && nothing_is_left_on head a b || return 1
    host_heal c
    nothing_is_left_on c
}

node_is_cut_off_for_a_moment()
{
    launch head moment --host a,b,c --lost-after 20s --silence-timeout 30s
    in_the_middle || return 1
    host_cut c
    sleep 1
    host_heal c
    ends_well && nothing_is_left_on head a b c || return 1
    ! grep -q "lost\|left out\|starting again" "$dir.said" || fail "it was taken for lost"
}

node_is_cut_off_and_comes_back()
{
    launch head back --host a,b,c
    in_the_middle || return 1
    host_cut c
    wait_for 20 says "lost" >/dev/null
    host_heal c
    ends_well && says "lost" && nothing_is_left_on head a b c
}

node_of_the_master_is_killed()
{
    launch head master --host a,b,c
    in_the_middle || return 1
    host_kill $first_host
    ends_well && says "host $first_host is left out" && nothing_is_left_on head b c
}

# It may go on there with the worker that it has, until the next master asks it to leave.
node_of_the_master_is_cut_off()
{
    launch head island --host a,b,c
    in_the_middle || return 1
    host_cut $first_host
    ends_well && says "host $first_host is left out" && nothing_is_left_on head b c || return 1
    host_heal $first_host
    nothing_is_left_on $first_host
}

# The ranks go on meanwhile, and only the launcher is alone: long enough for the next master to find
# the last one at work, and to ask it to leave.
node_of_the_launcher_is_cut_off_and_comes_back()
{
    launch head alone --host a,b,c --param milliseconds=100
    in_the_middle || return 1
    host_cut head
    wait_for 90 says "no host is left" >/dev/null
    host_heal head
    ends_well && says "no host is left" && nothing_is_left_on head a b c
}

all_nodes_are_killed()
{
    launch head all --host b,c --restarts 1
    in_the_middle || return 1
    host_kill b
    host_kill c
    ends_with 4 && says "no host is left" && says "To continue:" && nothing_is_left_on head ||
        return 1
    boot b c || return 1
    launch head all --host b,c
    ends_well && nothing_is_left_on head b c
}

run_cases()
{
    local name
    for name in ${CASES:-"$@"}; do
        began=$SECONDS
        boot head "${workers[@]}" || { echo "not ok - hosts_start_for_$name"; exit 1; }
        # In this shell, not in check's subshell: the hosts are its children.
        if $name >said 2>&1; then
            echo "ok - $name"
        else
            tail -n 100 said | sed 's/^/# /'
            echo "not ok - $name"
            failed_cases=$((failed_cases + 1))
        fi
        echo "# $((SECONDS - began)) s"
    done
    finish
}
