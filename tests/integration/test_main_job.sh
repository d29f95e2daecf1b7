#!/usr/bin/env bash
# test_main_job.sh - the main job, launched in every way that a user would.
. "$abs_top_srcdir/tests/integration/lib.sh"

launcher_prints_the_number_of_primes()
{
    local printed
    printed=$($sheaf run "$examples/primes.yaml" --dir "$work/launcher" --quiet) || return 1
    [ "$printed" = 50847534 ] || fail "printed '$printed'"
    no_process_is_left "$work/launcher"
}

mpirun_prints_the_number_of_primes()
{
    local printed
    printed=$(OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 120 \
        mpirun --oversubscribe -n 4 "$sheaf" run "$examples/primes.yaml" \
        --dir "$work/mpirun" --quiet) || return 1
    [ "$printed" = 50847534 ] || fail "printed '$printed'"
    no_process_is_left "$work/mpirun"
}

one_rank_does_it_alone()
{
    local printed
    printed=$($sheaf run -n 1 "$examples/primes.yaml" --param limit=1e7 --dir "$work/alone" \
        --quiet) || return 1
    [ "$printed" = 664579 ] || fail "printed '$printed'"
}

finished_job_prints_its_result_again_at_once()
{
    local printed
    printed=$($sheaf run -n 1 "$examples/primes.yaml" --param limit=1e7 --dir "$work/alone" \
        --quiet) || return 1
    [ "$printed" = 664579 ] || fail "printed '$printed'"
    [ "$(status_field "$work/alone" incarnation)" = 2 ] || fail "it was not continued"
}

output_goes_to_the_file_that_is_named()
{
    $sheaf run "$examples/primes.yaml" --param limit=1e7 --dir "$work/named" --quiet \
        --output "$work/count.txt" >"$work/printed" || return 1
    [ "$(cat "$work/count.txt")" = 664579 ] || fail "count.txt is wrong"
    [ ! -s "$work/printed" ] || fail "something was printed as well"
}

placement_is_shown_on_request()
{
    $sheaf run "$examples/primes.yaml" --param limit=1e6 --dir "$work/placed" --show-placement \
        --workers 2 >"$work/printed" 2>"$work/said" || return 1
    cat "$work/said"
    [ "$(grep -c 'slot 0 = cpu' "$work/said")" = 2 ] || fail "not two workers"
}

plugin_in_c_plus_plus_runs()
{
    cat >square.cc <<EOF
#include <sheaf.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    return sheaf_emit_text(context, "%d ", static_cast<int>(task->index * task->index));
}

SHEAF_PLUGIN(.run = run)
EOF
    c++ -std=c++20 -shared -fPIC -I"$abs_top_srcdir/jobs" -o square.so square.cc || return 1
    [ "$($sheaf run ./square.so --tasks 4 --dir "$work/square" --quiet)" = '0 1 4 9 ' ]
}

# Ranks start once more for it; commands must not see the setting, but must see the user's own.
setting_for_huge_pages_is_hidden_from_commands()
{
    local tell='printf "%s " "${GLIBC_TUNABLES-none}"'
    (
        unset GLIBC_TUNABLES
        $sheaf run --command "$tell" --tasks 1 --dir "$work/hidden" --quiet >"$work/printed"
    ) || return 1
    [ "$(cat "$work/printed")" = 'none ' ] || { cat "$work/printed"; return 1; }
    GLIBC_TUNABLES=glibc.malloc.check=0 $sheaf run --command "$tell" --tasks 1 \
        --dir "$work/own" --quiet >"$work/printed" || return 1
    [ "$(cat "$work/printed")" = 'glibc.malloc.check=0 ' ] || { cat "$work/printed"; return 1; }
}

# MPI then takes each rank for the only one.
rank_that_has_lost_its_mpirun_touches_nothing()
{
    local rank status
    for rank in 0 1; do
        status=0
        OMPI_COMM_WORLD_RANK=$rank OMPI_COMM_WORLD_SIZE=4 \
            "$sheaf" run --fresh --tasks 3 --dir lost "$TEST_PLUGINS/noop.so" >out 2>said ||
            status=$?
        cat said
        [ $status = 4 ] && grep -q "mpirun was gone before MPI had started on rank $rank" said ||
            { fail "rank $rank: status $status"; return 1; }
        [ ! -e lost ] || { fail "rank $rank has begun the run"; return 1; }
    done
}

check launcher_prints_the_number_of_primes launcher_prints_the_number_of_primes
check mpirun_prints_the_number_of_primes mpirun_prints_the_number_of_primes
check one_rank_does_it_alone one_rank_does_it_alone
check rank_that_has_lost_its_mpirun_touches_nothing \
    rank_that_has_lost_its_mpirun_touches_nothing
check finished_job_prints_its_result_again_at_once finished_job_prints_its_result_again_at_once
check output_goes_to_the_file_that_is_named output_goes_to_the_file_that_is_named
check placement_is_shown_on_request placement_is_shown_on_request
check plugin_in_c_plus_plus_runs plugin_in_c_plus_plus_runs
check setting_for_huge_pages_is_hidden_from_commands setting_for_huge_pages_is_hidden_from_commands
finish
