#!/usr/bin/env bash
# test_journal.sh - a damaged journal costs what was in it, a full or read-only disk stops the run
# with a clear error, and neither ever gives a wrong output.
#
# SHEAF_TEST_SEED fixes the places of the damage; it is printed.
. "$abs_top_srcdir/tests/integration/lib.sh"

seed=${SHEAF_TEST_SEED:-$RANDOM}
echo "# seed $seed"
RANDOM=$seed
trap 'umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT

job=("$examples/sum.yaml" --tasks 4000 --param terms=200000 --workers 2)

make_reference()
{
    $sheaf run "${job[@]}" --dir "$work/whole" --quiet >reference && [ -s reference ]
}

is_half_done()
{
    $sheaf journal dump half >dumped 2>&1 && grep -q 'result of' dumped &&
        ! grep -q 'job finished' dumped
}

# A run directory of a job that was killed half-way, as every test below starts with. Made again
# where the machine was done before the kill.
make_half_done()
{
    local try
    for try in 1 2 3 4 5; do
        rm -rf half
        $sheaf run "${job[@]}" --dir "$work/half" --checkpoint 50ms --range-max 16 \
            >half.out 2>half.said &
        wait_for 60 journal_holds half 16384 || { cat half.said; return 1; }
        pkill -KILL -f -- "--dir $work/half( |\$)"
        wait
        no_process_is_left "$work/half" || return 1
        is_half_done && return
    done
    cat half.said
    tail -n 5 dumped
    fail "not half-way after $try runs"
}

newest_segment()
{
    ls "$1"/journal/segment-* | tail -n 1
}

# continued DIR: goes on to the reference's output.
continued()
{
    $sheaf run "${job[@]}" --dir "$1" >"$1.out" 2>"$1.said" || { cat "$1.said"; return 1; }
    same_bytes reference "$1.out" || { cat "$1.said"; return 1; }
}

flip_bit()
{
    local file=$1 offset=$2 byte
    byte=$(od -An -tu1 -j "$offset" -N1 "$file" | tr -d ' ')
    printf "\\$(printf %o $((byte ^ (1 << (RANDOM % 8)))))" |
        dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

bits_flipped_in_every_512th_byte_cost_only_time()
{
    local segment size offset
    rm -rf flipped && cp -a half flipped
    segment=$(newest_segment flipped)
    size=$(stat -c %s "$segment")
    for ((offset = RANDOM % 512; offset < size; offset += 512)); do
        flip_bit "$segment" $offset
    done
    $sheaf journal verify flipped >verified 2>&1 && fail "verify finds nothing" && return 1
    continued "$work/flipped" || return 1
    grep -q 'journal segment' flipped.said || { cat flipped.said; fail "nothing is said"; }
}

one_flipped_bit_is_told_and_repaired()
{
    local round segment size
    for round in 1 2 3 4; do
        rm -rf "bit$round" && cp -a half "bit$round"
        segment=$(newest_segment "bit$round")
        size=$(stat -c %s "$segment")
        flip_bit "$segment" $((size / 5 * round + RANDOM % (size / 8)))
        continued "$work/bit$round" || return 1
    done
}

zeroed_pages_cost_only_time()
{
    local segment size
    rm -rf zeroed && cp -a half zeroed
    segment=$(newest_segment zeroed)
    size=$(stat -c %s "$segment")
    for page in $((size / 3 / 4096)) $((size / 2 / 4096)); do
        dd if=/dev/zero of="$segment" bs=4096 seek=$page count=1 conv=notrunc status=none
    done
    continued "$work/zeroed"
}

torn_tail_is_cut()
{
    local round segment size
    for round in 1 2 3; do
        rm -rf "torn$round" && cp -a half "torn$round"
        segment=$(newest_segment "torn$round")
        size=$(stat -c %s "$segment")
        truncate -s $((size - 1 - RANDOM % 200)) "$segment"
        $sheaf journal verify "torn$round" >verified 2>&1 ||
            { cat verified; fail "a torn tail counts as damage"; return 1; }
        continued "$work/torn$round" || return 1
    done
}

lost_journal_begins_anew()
{
    local segment
    rm -rf lost && cp -a half lost
    for segment in lost/journal/segment-*; do
        dd if=/dev/urandom of="$segment" bs=4096 count=100 conv=notrunc status=none
    done
    continued "$work/lost"
}

undamaged_journal_verifies_and_dumps()
{
    $sheaf journal verify whole >verified || { cat verified; return 1; }
    $sheaf journal dump whole >dumped || return 1
    grep -q 'job accepted' dumped && grep -q 'job finished' dumped
}

# The disk is full: status 4, a text that says so, and after making room the rest is done.
full_disk_stops_the_run_and_loses_nothing()
{
    mkdir -p small
    mount -t tmpfs -o size=96k tmpfs small || { echo "no tmpfs can be mounted"; return 1; }
    local got=0
    $sheaf run "${job[@]}" --range-max 1 --dir "$work/small/run" --checkpoint 50ms \
        >full.out 2>full.said || got=$?
    cat full.said
    [ $got = 4 ] || { fail "exit status $got, not 4"; return 1; }
    grep -qi 'no space left' full.said || { fail "does not say why"; return 1; }
    [ ! -s full.out ] || { fail "something was printed"; return 1; }
    no_process_is_left "$work/small/run" || return 1
    mount -o remount,size=64m small || return 1
    cp -a small/run room && continued "$work/room"
}

# Root writes into read-only directories, so the file system itself is made read-only.
read_only_directory_is_refused()
{
    mount -o remount,ro small || { echo "cannot remount"; return 1; }
    local got=0
    $sheaf run "${job[@]}" --dir "$work/small/other" >ro.out 2>ro.said || got=$?
    cat ro.said
    [ $got = 4 ] || { fail "exit status $got, not 4"; return 1; }
    grep -q 'small/other' ro.said && grep -qi 'read-only' ro.said ||
        { fail "does not say where and why"; return 1; }
    umount small
}

check reference_is_made make_reference
check job_is_killed_half_way make_half_done
check undamaged_journal_verifies_and_dumps undamaged_journal_verifies_and_dumps
check torn_tail_is_cut torn_tail_is_cut
check one_flipped_bit_is_told_and_repaired one_flipped_bit_is_told_and_repaired
check bits_flipped_in_every_512th_byte_cost_only_time \
    bits_flipped_in_every_512th_byte_cost_only_time
check zeroed_pages_cost_only_time zeroed_pages_cost_only_time
check lost_journal_begins_anew lost_journal_begins_anew
if [ "$(id -u)" = 0 ] && mkdir -p small && mount -t tmpfs tmpfs small 2>/dev/null; then
    umount small
    check full_disk_stops_the_run_and_loses_nothing full_disk_stops_the_run_and_loses_nothing
    check read_only_directory_is_refused read_only_directory_is_refused
else
    echo "ok - full_disk_stops_the_run_and_loses_nothing # SKIP only root can mount a small disk"
    echo "ok - read_only_directory_is_refused # SKIP only root can mount a read-only disk"
fi
finish
