#!/usr/bin/env bash
# test_bad_links.sh - cables that carry frames late, not at all, or in one direction only: the
# output stays the same, and what cannot be reached is gone on without.
. "$abs_top_srcdir/tests/hosts/cases.sh"

late_and_lost_frames_change_nothing()
{
    host_link b 20 10 2 none && host_link c 5 20 1 none || return 1
    launch head late --host a,b,c
    ends_well && nothing_is_left_on head a b c
}

# one_way NAME to|from: the cable of c carries nothing in that direction any more, until the end.
one_way()
{
    host_link c 0 0 0 none || return 1
    launch head "$1" --host a,b,c
    in_the_middle || return 1
    host_link c 0 0 0 "$2"
    ends_well && says "lost" && nothing_is_left_on head a b || return 1
    host_link c 0 0 0 none
    nothing_is_left_on c
}

host_that_is_not_heard_any_more_is_gone_on_without()
{
    one_way unheard from
}

host_that_hears_nothing_any_more_is_gone_on_without()
{
    one_way deaf to
}

run_cases late_and_lost_frames_change_nothing host_that_is_not_heard_any_more_is_gone_on_without \
    host_that_hears_nothing_any_more_is_gone_on_without
