#!/usr/bin/env bash
# test_bad_input.sh - what cannot run is refused with one clear message, and nothing is touched.
. "$abs_top_srcdir/tests/integration/lib.sh"

plugin_dir=${SHEAF_PLUGIN_PATH%%:*}

# refused STATUS PATTERN ARGUMENT...: sheaf run ends with STATUS, says PATTERN in one message, and
# makes no run directory.
refused()
{
    local status=$1 pattern=$2 got=0
    shift 2
    rm -rf "$work/refused"
    timeout 60 "$sheaf" run "$@" --dir "$work/refused" >"$work/out" 2>"$work/said" || got=$?
    cat "$work/said"
    [ $got = "$status" ] || { fail "exit status $got, not $status"; return 1; }
    grep -q -- "$pattern" "$work/said" || { fail "does not say: $pattern"; return 1; }
    [ "$(grep -c '^sheaf: ' "$work/said")" = 1 ] || { fail "not one message"; return 1; }
    [ ! -s "$work/out" ] || { fail "something on standard output"; return 1; }
    [ ! -e "$work/refused" ] || { fail "a run directory was made"; return 1; }
}

job_file()
{
    printf '%s\n' "$@" >"$work/job.yaml"
    echo "$work/job.yaml"
}

check missing_job_file refused 2 'nowhere.yaml' nowhere.yaml
check missing_plugin refused 2 'nowhere.so' "$(job_file 'plugin: nowhere.so' 'split: {range: 3}')"
cp "$examples/primes.yaml" text.so
check plugin_that_is_no_shared_object refused 2 'text.so' ./text.so --tasks 3
check unknown_key refused 2 'job.yaml:2:.*parametrs.*parameters' \
    "$(job_file 'plugin: primes.so' 'parametrs: {limit: 10}' 'split: {range: 3}')"
check negative_count refused 2 'job.yaml:2:.*-5' \
    "$(job_file 'plugin: primes.so' 'split: {range: -5}')"
check parameter_of_the_wrong_type refused 2 'limit' "$examples/primes.yaml" --param limit=many
check unknown_parameter refused 2 'limitt' "$examples/primes.yaml" --param limitt=10
check unknown_option refused 2 'tassks' "$examples/primes.yaml" --tassks 10
check missing_input refused 2 'gone.txt' \
    "$(job_file 'plugin: wordcount.so' 'split: {lines: [gone.txt]}')"
check no_tasks refused 2 'tasks' "$plugin_dir/primes.so"

wrong_interface_version_is_refused()
{
    refused 2 'version' "$TEST_PLUGINS/wrong_version.so" --tasks 3
}

# Under mpirun every rank must leave, without a launcher to end it.
bad_job_under_mpirun_ends_at_once()
{
    local got=0
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 60 mpirun --oversubscribe \
        -n 3 "$sheaf" run nowhere.yaml --dir "$work/refused" >"$work/out" 2>"$work/said" || got=$?
    cat "$work/said"
    [ $got = 2 ] || fail "exit status $got, not 2"
    [ ! -e "$work/refused" ] || fail "a run directory was made"
}

input_that_vanishes_while_the_job_waits_is_named()
{
    mkdir -p texts && echo some words >texts/a.txt && echo more words >texts/b.txt
    job_file 'plugin: wordcount.so' 'split: {lines: [texts/*.txt]}' >/dev/null
    $sheaf run job.yaml --dir "$work/vanish" --quiet >"$work/first" || return 1
    rm -r "$work/vanish" texts/b.txt
    $sheaf run job.yaml --dir "$work/vanish" --quiet >"$work/second" || return 1
    grep -q some second && ! grep -q more second
}

# A run directory that belongs to another job keeps every byte.
other_jobs_directory_is_not_touched()
{
    $sheaf run "$examples/primes.yaml" --param limit=1e6 --dir "$work/taken" --quiet \
        >"$work/first" || return 1
    (cd taken && find . -type f ! -name lock ! -name status.json -exec cksum {} +) |
        sort >before
    local got=0
    $sheaf run "$examples/primes.yaml" --param limit=2e6 --dir "$work/taken" \
        >"$work/out" 2>"$work/said" || got=$?
    cat said
    [ $got = 2 ] || { fail "exit status $got, not 2"; return 1; }
    grep -q -- 'Use --dir to keep both.*--fresh deletes [0-9,]* results of [0-9,]* tasks' said ||
        { fail "does not name the way out"; return 1; }
    (cd taken && find . -type f ! -name lock ! -name status.json -exec cksum {} +) |
        sort >after
    same_bytes before after || return 1
    $sheaf run "$examples/primes.yaml" --param limit=2e6 --dir "$work/taken" --fresh --quiet \
        >"$work/out" || return 1
    [ "$(cat out)" = 148933 ] || fail "--fresh printed $(cat out)"
}

directory_that_is_no_run_directory_is_not_touched()
{
    mkdir -p mine && echo precious >mine/file
    local got=0
    $sheaf run "$examples/primes.yaml" --dir "$work/mine" --fresh >"$work/out" 2>said || got=$?
    cat said
    [ $got = 2 ] || { fail "exit status $got, not 2"; return 1; }
    [ "$(ls mine)" = file ] && [ "$(cat mine/file)" = precious ]
}

# The first run holds the directory until it is released: however fast or slow the machine is.
directory_in_use_is_refused()
{
    local job=("$TEST_PLUGINS/hold.so" --tasks 4 --range-max 1 --param "release=$work/release"
        --dir "$work/busy")
    $sheaf run "${job[@]}" --quiet >"$work/first" 2>first.said &
    local first=$! got=0
    wait_for 60 tasks_done_are "$work/busy" 1 || { cat first.said; return 1; }
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 60 mpirun --oversubscribe \
        -n 2 "$sheaf" run "${job[@]}" >"$work/out" 2>said || got=$?
    touch "$work/release"
    cat said
    [ $got = 4 ] || { fail "exit status $got, not 4"; return 1; }
    grep -q 'in use' said || { fail "does not say why"; return 1; }
    wait $first || { cat first.said; fail "the first run was disturbed"; return 1; }
    [ "$(cat "$work/first")" = "0 1 2 3 " ]
}

unwritable_output_is_known_before_the_first_task()
{
    refused 4 'nodir' "$examples/primes.yaml" --param limit=1e6 --output "$work/nodir/out.txt"
}

check wrong_interface_version_is_refused wrong_interface_version_is_refused
check bad_job_under_mpirun_ends_at_once bad_job_under_mpirun_ends_at_once
check changed_inputs_are_seen input_that_vanishes_while_the_job_waits_is_named
check other_jobs_directory_is_not_touched other_jobs_directory_is_not_touched
check directory_that_is_no_run_directory_is_not_touched \
    directory_that_is_no_run_directory_is_not_touched
check directory_in_use_is_refused directory_in_use_is_refused
check unwritable_output_is_known_before_the_first_task \
    unwritable_output_is_known_before_the_first_task
finish
