#!/usr/bin/env bash
# test_lost_nodes.sh - a worker on another host is killed, the host of one is killed, one is cut off
# for good, and that of the master is killed.
. "$abs_top_srcdir/tests/hosts/cases.sh"

run_cases worker_elsewhere_is_killed node_is_killed node_is_cut_off node_of_the_master_is_killed
