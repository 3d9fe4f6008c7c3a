# SPDX-License-Identifier: LGPL-2.1-or-later
"""The helper, killed before each call with which it acts, where an attachment, another guest or the
TAP itself is there already; where nothing is: test_helper_killed.py.
"""
from case import limit
from killed import check_beside


@limit(90)
def test_attach_by_patch_that_is_there_survives_a_kill_before_each_call(world):
    check_beside(world, "patch", "attached")


@limit(90)
def test_second_attach_by_patch_survives_a_kill_before_each_call(world):
    check_beside(world, "patch", "second")


@limit(90)
def test_repair_by_patch_survives_a_kill_before_each_call(world):
    check_beside(world, "patch", "repair")


@limit(90)
def test_attach_by_host_that_is_there_survives_a_kill_before_each_call(world):
    check_beside(world, "host", "attached")


@limit(90)
def test_second_attach_by_host_survives_a_kill_before_each_call(world):
    check_beside(world, "host", "second")


@limit(90)
def test_repair_by_host_survives_a_kill_before_each_call(world):
    check_beside(world, "host", "repair")


@limit(90)
def test_attach_by_none_that_is_there_survives_a_kill_before_each_call(world):
    check_beside(world, "none", "attached")


@limit(90)
def test_second_attach_by_none_survives_a_kill_before_each_call(world):
    check_beside(world, "none", "second")


@limit(90)
def test_repair_by_none_survives_a_kill_before_each_call(world):
    check_beside(world, "none", "repair")


@limit(90)
def test_attach_by_join_that_is_there_survives_a_kill_before_each_call(world):
    check_beside(world, "join", "attached")


@limit(90)
def test_second_attach_by_join_survives_a_kill_before_each_call(world):
    check_beside(world, "join", "second")


@limit(90)
def test_repair_by_join_survives_a_kill_before_each_call(world):
    check_beside(world, "join", "repair")


@limit(90)
def test_attach_by_bridge_that_is_there_survives_a_kill_before_each_call(world):
    check_beside(world, "bridge", "attached")


@limit(90)
def test_second_attach_by_bridge_survives_a_kill_before_each_call(world):
    check_beside(world, "bridge", "second")


@limit(90)
def test_repair_by_bridge_survives_a_kill_before_each_call(world):
    check_beside(world, "bridge", "repair")
