#!/usr/bin/env bash
# test_readme.sh - the README does what it says.
#
# In the README a comment `<!-- file: NAME -->` before a block of code makes it a file, and
# `<!-- run -->` before a console block runs its lines that begin with `$ `: the lines in between
# are what they print on standard output.
. "$abs_top_srcdir/tests/integration/lib.sh"

readme=$abs_top_srcdir/README.md

# The blocks in order, each as two files in blocks/: NN.kind and NN.body.
cut_into_blocks()
{
    mkdir blocks
    awk '
    /^<!-- (file: [^ ]+|run) -->$/ {
        kind = $2 == "run" ? "run" : $3
        next
    }
    /^```/ && body != "" {
        close(body)
        body = kind = ""
        next
    }
    /^```/ && kind != "" {
        number++
        body = sprintf("blocks/%02d.body", number)
        print kind > sprintf("blocks/%02d.kind", number)
        printf "" > body
        next
    }
    body != "" {
        print > body
    }' "$readme"
}

# run_console BODY: types its commands, and compares what they print with what the block shows.
run_console()
{
    local line command=''
    local -a commands=()
    : >shown
    while IFS= read -r line; do
        case $line in
        '$ '*) commands+=("${line#\$ }") ;;
        *) echo "$line" >>shown ;;
        esac
    done <"$1"
    : >printed
    for command in "${commands[@]}"; do
        bash -c "$command" >>printed 2>said </dev/null || {
            cat said
            fail "failed: $command" || return 1
        }
    done
    diff shown printed || { cat said && fail "the README shows something else"; }
}

readme_plug_ins_compile_and_print_what_it_shows()
{
    ln -s "$abs_top_srcdir/jobs" jobs
    ln -s "$sheaf" sheaf
    cut_into_blocks
    [ "$(cat blocks/*.kind | grep -c '^run$')" -ge 4 ] || fail "blocks are missing" || return 1
    local kind_file kind
    for kind_file in blocks/*.kind; do
        kind=$(cat "$kind_file")
        if [ "$kind" = run ]; then
            run_console "${kind_file%.kind}.body" || return 1
        else
            cp "${kind_file%.kind}.body" "$kind"
        fi
    done
}

# What the commands of the table print, each in a folder of its own: one line of `expected` each.
expected=(
    'one two three '
    '4 a.dat 8 b c.dat '
    'a.bak b c.bak '
    'seed 1 seed 2 seed 3 '
    '1x 1y 2x 2y '
    'a.dat b c.dat '
    'one two three '
    'one two three one two three '
    '1 0 0 echo one 2 0 0 echo two 3 0 0 echo three '
    'one two three results/000000.out:one results/000001.out:two results/000002.out:three '
    '1 of 3 2 of 3 3 of 3 '
    '3 '
    'echo one echo three echo two '
    'a.out:2 b c.out:3 '
)

# What a row leaves that is no standard output.
left_behind()
{
    local name
    for name in *.bak; do
        [ ! -e "$name" ] || echo "$name"
    done
    for name in *.out results/*.out; do
        [ ! -e "$name" ] || echo "$name:$(cat "$name")"
    done
}

table_row_prints()
{
    local command=$1
    printf 'a\nb\n' >a.dat
    printf 'ab\nc\nde\n' >'b c.dat'
    printf 'echo one\necho two\necho three\n' >tasks.txt
    printf 'x/a.dat\0x/b c.dat\0' >names
    printf '#!/bin/sh\necho "$SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_TASK_COUNT"\n' >array.sh
    chmod +x array.sh
    bash -c "sheaf() { '$sheaf' \"\$@\"; }; $command" >printed 2>said </dev/null ||
        { cat said && fail "failed: $command" || return 1; }
    case $command in
    *--joblog*) tail -n +2 log | sort -n | cut -f 1,7-9 | tr '\t\n' '  ' ;;
    *) { cat printed && left_behind; } | tr '\n' ' ' ;;
    esac
}

every_row_of_the_table_of_commands_works()
{
    local row=0 line command printed
    while IFS= read -r line; do
        command=$(sed 's/.* | `\(.*\)` |$/\1/; s/\\|/|/g' <<<"$line")
        mkdir "row$row"
        printed=$(cd "row$row" && table_row_prints "$command") || { echo "$printed" && return 1; }
        [ "$printed" = "${expected[row]}" ] ||
            fail "$command: printed '$printed', not '${expected[row]}'" || return 1
        row=$((row + 1))
    done < <(awk '/^<!-- table: commands -->$/ { rows = 1 } rows && /^$/ { exit }
        rows && /^\| `/' "$readme")
    [ "$row" = "${#expected[@]}" ] || fail "$row rows in the table"
}

source_files_that_the_readme_names_are_there()
{
    local name missing=''
    for name in $(grep -oE '`[a-z_/]+\.[ch]`' "$readme" | tr -d '`' | sort -u); do
        [ -e "$abs_top_srcdir/$name" ] || compgen -G "$abs_top_srcdir/*/$name" >/dev/null ||
            missing="$missing $name"
    done
    [ -z "$missing" ] || fail "not there:$missing"
}

check readme_plug_ins_compile_and_print_what_it_shows \
    readme_plug_ins_compile_and_print_what_it_shows
check every_row_of_the_table_of_commands_works every_row_of_the_table_of_commands_works
check source_files_that_the_readme_names_are_there source_files_that_the_readme_names_are_there
finish
