#!/usr/bin/env bash
# test_outputs.sh - files that commands declare as outputs: whole, together, once, whatever happens.
. "$abs_top_srcdir/tests/integration/lib.sh"

# run ARGUMENT...: a run in a directory of its own each time, $dir.
run()
{
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet "$@" --dir "$dir" >printed 2>said
}

nothing_is_staged_in() # FOLDER
{
    local left
    left=$(find "$1" -name '.sheaf-*')
    [ -z "$left" ] || fail "left behind: $left"
}

# Writes two files, the second with a pause in between.
cat >write_two <<'END_OF_SCRIPT'
#!/bin/sh
seq "$1" >"$2" && sleep "${4:-0}" && seq "$1" | tac >"$3"
END_OF_SCRIPT
chmod +x write_two

# both_or_none FOLDER COUNT: each task's two files, whole, or neither.
both_or_none()
{
    local i
    for ((i = 0; i < $2; i++)); do
        if [ -e "$1/up/$i" ] || [ -e "$1/down/$i" ]; then
            diff <(seq $i) "$1/up/$i" && diff <(seq $i | tac) "$1/down/$i" ||
                fail "the files of task $i" || return 1
        fi
    done
}

outputs_appear_in_folders_that_were_not_there()
{
    run --command './write_two {} {out1} {out2}' --tasks 20 --output-file 'one/up/{}' \
        --output-file 'one/down/{}' || { cat said && fail "failed" || return 1; }
    both_or_none one 20 || return 1
    [ "$(find one -type f | wc -l)" = 40 ] || fail "not all files" || return 1
    nothing_is_staged_in one
}

job_file_names_outputs()
{
    cat >outputs.yaml <<YAML
command: "seq {n} {count} > {out}; echo done"
outputs: 'named/{n}-{count}.txt'
split: {product: {n: [1, 2]}}
parameters: {count: 3}
YAML
    run outputs.yaml || { cat said && fail "failed" || return 1; }
    printf 'done\ndone\n' | cmp - printed && seq 1 3 | cmp - named/1-3.txt &&
        seq 2 3 | cmp - named/2-3.txt && nothing_is_staged_in named
}

another_file_system_is_as_good()
{
    local folder
    folder=$(mktemp -d /dev/shm/sheaf-test.XXXXXX) || return 1
    run --command './write_two {} {out} {out2}' --tasks 3 --output-file "$folder/up/{}" \
        --output-file 'other/{}' || { cat said && rm -r "$folder" && fail "failed" || return 1; }
    seq 2 | cmp - "$folder/up/2" && seq 2 | tac | cmp - other/2 && nothing_is_staged_in "$folder"
    local status=$?
    rm -r "$folder"
    return $status
}

failed_command_leaves_no_output()
{
    run --command 'echo half >{out}; [ {} != 1 ]' --tasks 3 --attempts 2 --output-file 'half/{}'
    [ $? = 1 ] || { cat said && fail "exit status" || return 1; }
    [ "$(ls -A half | paste -sd ' ')" = '0 2' ] ||
        { ls -lA half && fail "other files" || return 1; }
    run --command 'true {out}' --tasks 2 --attempts 1 --output-file 'half/x{}'
    [ $? = 1 ] &&
        grep -q 'error: task 1 could not write its output files .*: it ended without' said &&
        "$sheaf" report "$dir" | grep -q 'look whether the command writes' ||
        { cat said && fail "nothing written" || return 1; }
    nothing_is_staged_in half
}

# The first copy hangs with half of its output; the second one is not as slow.
copy_that_came_too_late_leaves_nothing()
{
    local word=4747$$
    rm -f mark
    cat >slow <<END_OF_SCRIPT
#!/bin/sh
echo half >"\$2"
[ "\$1" = 0 ] || exec echo whole >"\$2"
mkdir mark 2>/dev/null && exec sleep $word
echo whole >"\$2"
END_OF_SCRIPT
    chmod +x slow
    run --workers 2 --slots 1 --range-max 1 --command './slow {} {out}' --tasks 4 \
        --output-file 'copies/{}' || { cat said && fail "failed" || return 1; }
    [ "$(cat copies/*)" = "$(printf 'whole\nwhole\nwhole\nwhole')" ] || fail "other files" ||
        return 1
    ! pgrep -f "sleep $word" || fail "the first copy runs" || return 1
    nothing_is_staged_in copies
}

some_outputs_are_there()
{
    [ "$(find killed/down -maxdepth 1 -type f 2>/dev/null | wc -l)" -ge "$1" ]
}

# At five moments all is killed; at the end the files are those of a run that nobody disturbed.
killed_run_continues_with_all_outputs_or_none()
{
    local i
    dir=$(mktemp -u "$work/run.XXXXXX")
    set -- --command 'test {} -lt 100 || while test -e held; do sleep 0.05; done
        ./write_two {} {out1} {out2} 0.02' --tasks 150 --output-file 'killed/up/{}' \
        --output-file 'killed/down/{}' --dir "$dir" --workers 2 --slots 1
    mkdir held # the tasks from number 100 on wait until it is gone
    for i in 1 20 40 60 80; do
        "$sheaf" run --quiet "$@" >printed 2>said &
        wait_for 60 some_outputs_are_there "$i" || { cat said && fail "no progress" || return 1; }
        kill -KILL $(pids_of "$dir") $!
        wait $! 2>/dev/null
        no_process_is_left "$dir" || return 1
    done
    rmdir held
    "$sheaf" run --quiet "$@" >printed 2>said ||
        { cat said && fail "does not continue" || return 1; }
    both_or_none killed 150 || return 1
    [ "$(find killed -type f | wc -l)" = 300 ] || fail "not all files" || return 1
    nothing_is_staged_in killed
}

# What the user has made of a file stays.
missing_files_make_their_tasks_run_again()
{
    local job=(--command 'echo {} >>missing.ledger; seq {} >{out}; echo {}' --tasks 12
        --output-file 'missing/{}' --dir "$work/missing.run" --workers 1)
    "$sheaf" run -q "${job[@]}" >expected 2>said || { cat said; return 1; }
    rm missing/3 missing/7 missing/8 missing.ledger
    echo mine >missing/5
    "$sheaf" run -q "${job[@]}" >printed 2>said || { cat said; return 1; }
    same_bytes expected printed && diff <(printf '3\n7\n8\n') <(sort -n missing.ledger) &&
        diff <(seq 7) missing/7 && [ "$(cat missing/5)" = mine ] || { cat said; return 1; }
    grep -q 'warning: 3 done tasks run again: files .* are missing (the first is missing/3)' said &&
        [ "$(wc -l <said)" = 1 ] || { cat said; return 1; }
    rm missing/1 missing/2 missing.ledger
    "$sheaf" run -q "${job[@]}" --only 1 >printed 2>said
    diff <(echo 1) missing.ledger || { cat said; fail "--only 1 ran something else"; return 1; }
    "$sheaf" run -q "${job[@]}" >printed 2>said && same_bytes expected printed &&
        diff <(printf '1\n2\n') missing.ledger || { cat said; return 1; }
    [ "$(ls missing | wc -l)" = 12 ]
}

usage_is_explained()
{
    run --command 'touch {out}' --tasks 2 --output-file x
    [ $? = 2 ] && grep -q 'the output file "x" is the same for each task' said ||
        { cat said && fail "the same file" || return 1; }
    run --command 'echo lone >{out}' --tasks 1 --output-file lone && [ "$(cat lone)" = lone ] ||
        { cat said && fail "of one task" || return 1; }
    run --command 'touch {out}' --tasks 2 --output-file '{}' --output-file '{}.2'
    [ $? = 2 ] && grep -q 'does not write the output file "{}.2": put {out2} where' said ||
        { cat said && fail "not used" || return 1; }
    echo true >tasks.txt
    run --output-file '{}' tasks.txt
    [ $? = 2 ] && grep -q 'list of different commands has no common output files' said ||
        { cat said && fail "a list" || return 1; }
    run --pipe --command 'cat >{out}' --output-file '{/}' tasks.txt
    [ $? = 2 ] && grep -q 'has {/}, and the input of the command has no name' said ||
        { cat said && fail "a name of a block" || return 1; }
    run --pipe --command 'cat >{out}' --output-file 'blocks/{#}' tasks.txt &&
        cmp tasks.txt blocks/1 || { cat said && fail "a block"; }
}

for name in \
    outputs_appear_in_folders_that_were_not_there \
    job_file_names_outputs \
    another_file_system_is_as_good \
    failed_command_leaves_no_output \
    copy_that_came_too_late_leaves_nothing \
    killed_run_continues_with_all_outputs_or_none \
    missing_files_make_their_tasks_run_again \
    usage_is_explained; do
    check $name $name
done
finish
