#!/usr/bin/env bash
# test_healed_nodes.sh - hosts that are cut off and come back, that of the launcher included, the
# launcher beside a worker that is lost, and no host left at all.
. "$abs_top_srcdir/tests/hosts/cases.sh"

run_cases node_is_cut_off_for_a_moment node_is_cut_off_and_comes_back \
    node_of_the_master_is_cut_off node_of_the_launcher_is_cut_off_and_comes_back \
    node_beside_the_launcher_is_killed all_nodes_are_killed
