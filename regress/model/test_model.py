# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""The protocol by which sessions move, in its model (README.md)."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import model


@pytest.mark.parametrize("config", model.HOLDS)
def test_holds(config):
    states, failed = model.check(config)
    assert failed == ""
    assert states > 1000


@pytest.mark.parametrize("config", model.BREAKS)
def test_needs_each_of_its_rules(config):
    assert model.check(config)[1] != ""
