# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What etc/ has for Prometheus and Grafana fits what is told."""

import json
import os
import re
import subprocess

from test_gossip import gossip_peer
from test_metrics import Metered

HERE = os.path.dirname(os.path.abspath(__file__))
ETC = os.path.join(os.path.dirname(os.path.dirname(HERE)), "etc")
RULES = os.path.join(ETC, "prometheus/beacond.rules.yml")
DASHBOARD = os.path.join(ETC, "grafana/beacond.json")


def promtool(*args):
    run = subprocess.run(["promtool"] + list(args), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout
    return run.stdout


def read(path):
    with open(path) as f:
        return f.read()


def test_alerts_fire_when_they_are_to():
    rules = re.findall(r"- alert: (\w+)", read(RULES))
    assert "%d rules found" % len(rules) in promtool("check", "rules", RULES)
    tests = os.path.join(HERE, "alerts.yml")
    promtool("test", "rules", tests)
    for rule in rules:
        assert "alertname: %s\n" % rule in read(tests), rule


def names(text):
    return set(re.findall(r"\bpilot_beacon_\w+", text))


def test_every_metric_that_is_named_is_told():
    dashboard = json.loads(read(DASHBOARD))
    shown = [target["expr"] for panel in dashboard["panels"]
        for target in panel["targets"]]
    assert len(shown) > 10 and len({panel["id"]
        for panel in dashboard["panels"]}) == len(dashboard["panels"])
    peer, conf = gossip_peer()
    with peer, Metered(conf + "\n", workers=1, udp=True) as b:
        told = {name.partition("{")[0] for name in b.values()}
        # And so are the labels by which a rule tells them apart.
        text = b.scrape()
    wanted = names(read(RULES)) | names(read(DASHBOARD))
    assert len(wanted) > 15
    assert wanted <= told, wanted - told
    for label in re.findall(r'(?:outcome|role)="(\w+)"',
            read(RULES) + "".join(shown)):
        assert '="%s"' % label in text, label
