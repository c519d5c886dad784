# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Chromium without a screen, as chromedriver speaks of it (W3C WebDriver)."""

import base64
import json
import shutil
import subprocess
import tempfile
import urllib.request

# It is to ask nobody but the page.
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]


class Browser:
    """A window of that many pixels; with touch and without scroll bars, as a
    phone has it."""

    def __init__(self, width, height=844):
        self.profile = tempfile.mkdtemp(prefix="browser-")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                break
        self.base = "http://127.0.0.1:%s/session" % line.split()[-1].rstrip(
            ".")
        answer = self.post("", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {
                "args": OPTIONS + ["--user-data-dir=" + self.profile],
                "mobileEmulation": {"deviceMetrics": {"width": width,
                    "height": height, "pixelRatio": 1}}}}}})
        self.session = "/" + answer["sessionId"]

    def post(self, path, body=None, method="POST"):
        request = urllib.request.Request(self.base + path, method=method,
            data=json.dumps(body or {}).encode() if method == "POST" else
            None)
        with urllib.request.urlopen(request, timeout=50) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.post(self.session + "/url", {"url": url})

    def ask(self, script):
        """What an expression of JavaScript says of the page."""
        return self.post(self.session + "/execute/sync",
            {"script": "return " + script, "args": []})

    def picture(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.post(self.session + "/screenshot",
                method="GET")))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.post(self.session, method="DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait(20)
            self.driver.stdout.close()
            shutil.rmtree(self.profile, ignore_errors=True)
