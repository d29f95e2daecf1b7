#!/usr/bin/env bash
# test_mpi_tasks.sh - programs of MPI as tasks: they find the user's settings, not those of the
# mpirun around them, and stay in their slots.
. "$abs_top_srcdir/tests/integration/lib.sh"

# Set by a user who is root, in a container say.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_site='a; b=%41:c' PMIX_MCA_site=1 PRTE_MCA_site=2

variables='env | sort | grep -E "^(OMPI|PMIX|PMI|PRTE)_"'

finds_the_users_variables_alone()
{
    diff <(grep -E '_site=|ALLOW' out) - <<'END' || return 1
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OMPI_MCA_site=a; b=%41:c
PMIX_MCA_site=1
PRTE_ALLOW_RUN_AS_ROOT=1
PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
PRTE_MCA_site=2
END
    ! grep -E 'COMM_WORLD|RANK|NAMESPACE|SERVER|URI|JOBID|jobid|_btl|_pml' out ||
        fail "and those of the outer mpirun"
}

with_a_launcher()
{
    $sheaf run --quiet --dir "$work/launched" --command "$variables" --tasks 1 >out &&
        finds_the_users_variables_alone
}

without_a_launcher()
{
    mpirun --oversubscribe -n 2 "$sheaf" run --quiet --dir "$work/plain" --command "$variables" \
        --tasks 1 >out && finds_the_users_variables_alone
}

# Only root needs to be allowed anything.
what_sheaf_itself_adds_is_not_passed_on()
(
    unset OMPI_ALLOW_RUN_AS_ROOT PRTE_ALLOW_RUN_AS_ROOT
    $sheaf run --quiet --dir "$work/added" --command "$variables" --tasks 1 >out || return 1
    ! grep 'ALLOW_RUN_AS_ROOT=' out
)

too_many_variables_are_refused()
{
    local got=0
    OMPI_MCA_long=$(printf '%070000d' 0) "$sheaf" run --dir "$work/long" --command true --tasks 1 \
        >out 2>said || got=$?
    [ $got = 2 ] && grep -q 'variables of MPI .*unset those' said ||
        { cat said && fail "status $got"; }
}

# Each task prints the cores of its slot, and those of the rank of its mpirun.
cores='grep Cpus_allowed_list /proc/self/status; '
cores+='mpirun -n 1 grep Cpus_allowed_list /proc/self/status'

stay_in_their_slots()
{
    $sheaf run --quiet --dir "$work/slots" --command "$cores" --tasks 4 >out || return 1
    [ "$(wc -l <out)" = 8 ] || { cat out && fail "not 4 ranks" || return 1; }
    paste - - <out | awk '$2 != $4 { print; bad = 1 } END { exit bad }' ||
        fail "on other cores than their slots"
}

have_a_rank_a_core()
{
    $sheaf run --quiet --dir "$work/ranks" --command 'mpirun sh -c "echo rank; sleep 0"' \
        --tasks 2 --slots 1 --cores 1 >out || return 1
    [ "$(grep -c rank out)" = 2 ] || { cat out && fail "not one rank for a slot of one core"; }
}

more_ranks_than_cores_are_refused()
{
    local got=0
    $sheaf run --quiet --dir "$work/more" --command 'mpirun -n 2 true' --tasks 1 --cores 1 \
        --attempts 1 >out 2>said || got=$?
    [ $got = 1 ] || { cat said && fail "status $got" || return 1; }
    cat "$work/more"/failed/* | grep -qa 'not enough slots available' ||
        { cat said && fail "by something else" || return 1; }
    $sheaf run --quiet --dir "$work/asked" --command 'mpirun --oversubscribe -n 2 echo rank' \
        --tasks 1 --cores 1 >out && [ "$(grep -c rank out)" = 2 ] ||
        fail "although they are asked for"
}

users_own_settings_stay()
{
    OMPI_MCA_hwloc_base_binding_policy=core OMPI_MCA_orte_set_default_slots=3 \
        PRTE_MCA_hwloc_default_binding_policy=core PRTE_MCA_prte_set_default_slots=3 \
        "$sheaf" run --quiet --dir "$work/own" --command "$variables" --tasks 1 >out || return 1
    for name in OMPI_MCA_hwloc_base_binding_policy=core OMPI_MCA_orte_set_default_slots=3 \
        PRTE_MCA_hwloc_default_binding_policy=core PRTE_MCA_prte_set_default_slots=3; do
        grep -qx "$name" out || { cat out && fail "$name is not there" || return 1; }
    done
}

example_works()
{
    mpicc -O2 -o heat "$examples/heat.c" || return 1
    $sheaf run --quiet --dir "$work/heat-run" --command 'mpirun ./heat {c}' \
        --param c=0.1,0.2 >out || return 1
    diff out - <<'END' || return 1
conductivity 0.1: heat 15.463675
conductivity 0.2: heat 22.072520
END
    $sheaf run --dry-run --dir "$work/heat-job" "$examples/heat.yaml" >out 2>&1 ||
        { cat out && fail "the job file is refused"; }
}

check users_variables_of_mpi_stay_with_a_launcher with_a_launcher
check users_variables_of_mpi_stay_without_a_launcher without_a_launcher
check what_sheaf_itself_adds_is_not_passed_on what_sheaf_itself_adds_is_not_passed_on
check too_many_variables_are_refused too_many_variables_are_refused
check mpi_programs_stay_in_their_slots stay_in_their_slots
check mpi_programs_have_a_rank_a_core have_a_rank_a_core
check more_ranks_than_cores_are_refused more_ranks_than_cores_are_refused
check users_own_settings_stay users_own_settings_stay
check example_works example_works
finish
