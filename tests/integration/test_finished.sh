#!/usr/bin/env bash
# test_finished.sh - what a command asks for is there when it ends, also when its job had finished
# before: the output in its place, log and files, and what damage has taken.
#
# Environment: SHEAF_TEST_SEED fixes the places of the damage; it is printed.
. "$abs_top_srcdir/tests/integration/lib.sh"

seed=${SHEAF_TEST_SEED:-$RANDOM}
echo "# seed $seed (SHEAF_TEST_SEED repeats it)"
RANDOM=$seed

# A run directory of a job that has finished, in $dir each time; ./ledger has a line for each task
# that has run since.
seq 40 >list
job=(--command 'echo {} >>ledger; echo result {}' list --workers 1)
"$sheaf" run -q "${job[@]}" --dir "$work/finished" >reference 2>said || { cat said; exit 1; }

given_finished()
{
    dir=$work/run
    rm -rf "$dir" ledger *.txt*
    cp -a finished "$dir"
}

# again [OPTION...]: the same command once more.
again()
{
    "$sheaf" run "${job[@]}" --dir "$dir" "$@" >printed 2>said || { cat said; fail "status $?"; }
}

nothing_ran()
{
    [ ! -e ledger ] || { cat said; fail "tasks ran again: $(paste -sd' ' ledger)"; }
}

output_in_another_place_is_published()
{
    given_finished
    again -o one.txt && same_bytes reference one.txt && again -o two.txt &&
        same_bytes reference two.txt && again && same_bytes reference printed && nothing_ran ||
        return 1
    again -o two.txt && ! grep -q 'again from the journal' said || { cat said; return 1; }
}

deleted_output_is_published_again()
{
    given_finished
    again -o one.txt || return 1
    rm one.txt
    again -o one.txt && same_bytes reference one.txt && nothing_ran || return 1
    grep -q 'published again from the journal: .*/one.txt' said || { cat said; return 1; }
}

output_of_the_run_directory_is_made_again()
{
    given_finished
    rm "$dir/output"
    again && same_bytes reference printed || return 1
    printf X | dd of="$dir/output" bs=1 seek=77 conv=notrunc status=none
    again && same_bytes reference printed && nothing_ran || return 1
    grep -q 'output was damaged or changed: it is made again' said || { cat said; return 1; }
    truncate -s 10 "$dir/output"
    again && same_bytes reference printed || return 1
    echo more >>"$dir/output"
    again && same_bytes reference printed && nothing_ran
}

what_lies_in_its_place_gets_another_name()
{
    given_finished
    again -o one.txt || return 1
    sed -i s/result/mine/ one.txt
    cp one.txt mine
    again -o one.txt && same_bytes reference one.txt && same_bytes mine one.txt.changed || return 1
    grep -q 'what was there is now .*one.txt.changed' said || { cat said; return 1; }
    rm one.txt.changed
    again -o one.txt && same_bytes reference one.txt || return 1
    [ ! -e one.txt.changed ] || fail "an output that is as it should be was set aside"
}

pipe_is_written_again()
{
    given_finished
    mkfifo fifo.txt
    cat fifo.txt >copy &
    again -o fifo.txt && wait && same_bytes reference copy && nothing_ran
}

log_and_files_may_be_asked_for_later()
{
    given_finished
    again --joblog log.txt --output-dir files && nothing_ran || return 1
    [ "$(wc -l <log.txt)" = 41 ] || { cat log.txt; fail "not a line for each task"; return 1; }
    cat files/*.out >all && same_bytes reference all || return 1
    rm files/000003.out log.txt
    again --joblog log.txt --output-dir files && nothing_ran || return 1
    [ "$(wc -l <log.txt)" = 41 ] && [ "$(cat files/000003.out)" = 'result 4' ]
}

output_without_failed_tasks_is_published_again()
{
    dir=$work/failing
    local failing=(--command 'test {} != 3 && echo {}' list --attempts 1 --workers 1 --dir "$dir")
    "$sheaf" run -q "${failing[@]}" -o some.txt 2>said
    [ $? = 1 ] && cp some.txt.incomplete some && rm some.txt.incomplete || { cat said; return 1; }
    "$sheaf" run -q "${failing[@]}" -o some.txt 2>said
    [ $? = 1 ] && same_bytes some some.txt.incomplete && [ ! -e some.txt ]
}

flip_bit()
{
    local file=$1 offset=$2 byte
    byte=$(od -An -tu1 -j "$offset" -N1 "$file" | tr -d ' ')
    printf "\\$(printf %o $((byte ^ (1 << (RANDOM % 8)))))" |
        dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

# The bit may also be in a block without any result.
damage_in_the_journal_costs_the_tasks_it_names()
{
    local round segment size hits=0
    for round in 1 2 3 4 5 6 7 8; do
        given_finished
        segment=$(ls "$dir"/journal/segment-*)
        size=$(stat -c %s "$segment")
        flip_bit "$segment" $((size / 4 + RANDOM % (size / 2)))
        "$sheaf" journal verify "$dir" >verified 2>&1 && { fail "verify finds nothing"; return 1; }
        again && same_bytes reference printed || return 1
        "$sheaf" journal verify "$dir" >verified 2>&1 || { cat verified; return 1; }
        if ! grep -q 'run again where their results were among them$' said; then
            nothing_ran && continue || return 1
        fi
        [ -s ledger ] && [ "$(wc -l <ledger)" -lt 30 ] ||
            { cat said; fail "these tasks ran: $(paste -sd' ' ledger)"; return 1; }
        hits=$((hits + 1))
        [ $hits -lt 2 ] || return 0
    done
    fail "no result was hit"
}

# A run directory of which half of the tasks are done, in $dir each time.
given_half()
{
    dir=$work/run
    rm -rf "$dir" ledger
    [ -d half ] || "$sheaf" run -q "${job[@]}" --only 0-19 --dir "$work/half" >printed 2>said
    [ -d half ] && rm -f ledger && cp -a half "$dir"
}

# goes_on: to the whole, and runs only what was not done.
goes_on()
{
    again && same_bytes reference printed || return 1
    [ "$(sort -n ledger | paste -sd' ')" = "$(seq -s' ' 21 40)" ] ||
        { cat said; fail "these tasks ran: $(paste -sd' ' ledger)"; }
}

damaged_identity_is_made_again()
{
    given_half && flip_bit "$dir/identity" $((RANDOM % 200)) && goes_on || return 1
    given_half && printf 'nonsense\n' >"$dir/identity" && goes_on || return 1
    grep -q 'identity was damaged or gone: it is made again' said || { cat said; return 1; }
    given_half && rm "$dir/identity" && goes_on || return 1
    given_half
    printf 'nonsense\n' >"$dir/identity"
    "$sheaf" run --command 'echo other {}' list --workers 1 --dir "$dir" >printed 2>said
    [ $? = 2 ] && grep -q 'Repeat the command as it was when it ran last' said ||
        { cat said; return 1; }
    goes_on
}

damaged_inputs_are_made_again()
{
    given_half && flip_bit "$dir/inputs.index" $((RANDOM % 640)) && goes_on || return 1
    grep -q 'stored inputs of the tasks were damaged: they are made again' said ||
        { cat said; return 1; }
    given_half && flip_bit "$dir/inputs.data" $((40 + RANDOM % 30)) && goes_on || return 1
    given_half && rm "$dir/inputs.data" && goes_on
}

# asks_the_journal: `sheaf status` says that its file is damaged, and what the journal knows.
asks_the_journal()
{
    "$sheaf" status "$dir" >asked 2>&1 &&
        grep -q 'status.json is damaged, or of another version .*the next run writes' asked &&
        grep -q 'done .* 40 of 40 tasks' asked || { cat asked; fail "it is not told"; }
}

# harm_status NUMBER: in one of several ways.
harm_status()
{
    local file=$dir/status.json
    case $1 in
    1) sed -i '0,/40/s//41/' "$file" ;;
    2) truncate -s 50 "$file" ;;
    3) : >"$file" ;;
    4) sed -i -e /checksum/d -e '/exit_status/s/:.*/: 4294967296/' "$file" ;; # 2^32
    esac
}

damaged_status_is_written_anew()
{
    local harm
    for harm in 1 2 3 4; do
        given_finished
        harm_status $harm
        asks_the_journal && again && same_bytes reference printed && nothing_ran || return 1
        "$sheaf" status "$dir" >asked && grep -q 'done .* 40 of 40 tasks' asked ||
            { cat asked; fail "it stays so"; return 1; }
    done
}

# A plug-in whose split names the lines of a file.
make_reader()
{
    cat >reader.c <<'END'
#include <sheaf.h>

#include <stdio.h>
#include <string.h>

static int split(struct sheaf_context *context)
{
    char line[100];
    FILE *file = fopen(sheaf_parameter_string(context, "lines"), "r");
    int status = file == NULL;
    while (status == 0 && fgets(line, sizeof line, file) != NULL)
        status = sheaf_add_task(context, line, strlen(line));
    if (file != NULL)
        fclose(file);
    return status;
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    FILE *ledger = fopen(sheaf_parameter_string(context, "ledger"), "a");
    fprintf(ledger, "%.*s", (int)task->input.size, (const char *)task->input.data);
    fclose(ledger);
    return sheaf_emit(context, task->input.data, task->input.size);
}

SHEAF_PLUGIN(.run = run, .split = split)
END
    ${CC:-cc} -shared -fPIC -I"$abs_top_srcdir/jobs" -o reader.so reader.c &&
        printf '%s\n' 'plugin: reader.so' 'split: plugin' 'parameters: {lines: x, ledger: x}' \
            >reader.yaml
}

inputs_of_the_split_of_a_plugin_are_asked_for_again()
{
    local job=(reader.yaml -p "lines=$work/named" -p "ledger=$work/ledger" --workers 1) half
    make_reader || return 1
    seq 40 | sed 's/^/line /' >named
    half=$work/read
    for harm in "flip_bit \$dir/inputs.index 100" "flip_bit \$dir/inputs.data 200" \
        "rm \$dir/inputs.data"; do
        rm -rf "$half" ledger
        "$sheaf" run -q "${job[@]}" --only 0-19 --dir "$half" >printed 2>said
        rm -f ledger
        dir=$half
        eval "$harm"
        "$sheaf" run "${job[@]}" --dir "$half" >printed 2>said ||
            { cat said; fail "status $?"; return 1; }
        grep -q 'asked for them again' said || { cat said; fail "it is not said"; return 1; }
        same_bytes named printed && same_bytes <(tail -n 20 named) <(sort -n -k 2 ledger) &&
            [ ! -e "$half/inputs.again" ] || return 1
    done
    # What it names now are other tasks.
    rm -rf "$half" ledger
    "$sheaf" run -q "${job[@]}" --only 0-19 --dir "$half" >printed 2>said
    flip_bit "$half/inputs.index" 100
    sed -i 's/line 7/line seven/' named
    "$sheaf" run "${job[@]}" --dir "$half" >printed 2>said
    [ $? = 4 ] && grep -q 'does not name the same again: repeat the command with what' said &&
        ! grep -q -e '--fresh' said || { cat said; fail "it is not refused"; return 1; }
    sed -i 's/line seven/line 7/' named
    "$sheaf" run "${job[@]}" --dir "$half" >printed 2>said && same_bytes named printed ||
        { cat said; fail "the way out does not work"; }
}

# Which tasks they were is known no more: nothing is lost, and the way out works.
damaged_inputs_of_another_list_wait_for_the_list_as_it_was()
{
    given_half
    flip_bit "$dir/inputs.index" 100
    cp list kept
    echo 41 >>list
    "$sheaf" run "${job[@]}" --dir "$dir" >printed 2>said
    local status=$?
    mv kept list
    [ $status = 4 ] && grep -q 'with the inputs as they were when it ran last' said &&
        ! grep -q -e '--fresh' said || { cat said; fail "status $status"; return 1; }
    goes_on
}

for name in output_in_another_place_is_published \
    deleted_output_is_published_again \
    output_of_the_run_directory_is_made_again \
    what_lies_in_its_place_gets_another_name \
    pipe_is_written_again \
    log_and_files_may_be_asked_for_later \
    output_without_failed_tasks_is_published_again \
    damage_in_the_journal_costs_the_tasks_it_names \
    damaged_identity_is_made_again \
    damaged_inputs_are_made_again \
    damaged_status_is_written_anew \
    inputs_of_the_split_of_a_plugin_are_asked_for_again \
    damaged_inputs_of_another_list_wait_for_the_list_as_it_was; do
    check $name $name
done
finish
