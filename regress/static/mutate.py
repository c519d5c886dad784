#!/usr/bin/python3
# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""Would a unit test notice?  Each mutant is a source with one small mistake.

A mutant that no unit test of that source fails for is a survivor: a check that
nobody checks.  regress/static/survivors.txt has those that may live, with the
reason; the others are printed, and the exit status says whether there are any.
It is "make mutate" that has it run, with the compiler's flags in MUTATE_CC.
"""

import argparse
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OTHER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "&&": "||", "||": "&&"}
OPERATOR = re.compile(r" (<=|>=|==|!=|&&|\|\||<|>) ")
CONSTANT = re.compile(r"(?<![\w.\"'])(\d+|[A-Z][A-Z0-9_]{3,})(?![\w.(\"'])")
# Up to there it is the declaration of an array.
ROOM = re.compile(r"\n\t(?:(?!return)[a-z]\w* )+\w+\[[^;=]*$")
# Tests that have more sources in them are about none of these, and take long.
MOST = 8
KEYWORDS = {"NULL", "TAILQ_FOREACH"}


def blank(text):
    """The same without comments, strings and directives, as long as before."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r"/\*.*?\*/|\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])+'"
        r"|^#([^\n]*\\\n)*[^\n]*", spaces, text, flags=re.S | re.M)


def bodies(code):
    """Where functions begin and end."""
    for match in re.finditer(r"^\{\n.*?^\}", code, flags=re.S | re.M):
        yield match.start(), match.end()


def close(code, at):
    """The end of what is in parentheses from there on."""
    depth = 0
    for i in range(at, len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0:
            return i + 1
    raise ValueError(at)


def constants(code, start, end):
    for match in CONSTANT.finditer(code, start, end):
        word = match.group(1)
        if word in KEYWORDS or code[:match.start()].endswith("case "):
            continue
        before = code[:match.start()]
        # A room that is larger than needed is no mistake.
        for change in ("- 1",) if ROOM.search(before) else ("+ 1", "- 1"):
            # Of what is but a boolean, only its opposite is another.
            if word in "01" and before.endswith(("return (", " = ")) and \
                    change != ("+ 1" if word == "0" else "- 1"):
                continue
            yield match.start(1), match.end(1), "(%s %s)" % (word, change)


def mutants(code):
    """Of each: from where, to where, and what is put there."""
    for start, end in bodies(code):
        for match in OPERATOR.finditer(code, start, end):
            yield match.start(1), match.end(1), OTHER[match.group(1)]
        for match in re.finditer(r"\b(?:if|while) (?=\()", code[start:end]):
            at = start + match.end()
            inner = code[at:close(code, at)]
            if not OPERATOR.search(inner):
                yield at, at + len(inner), "(!%s)" % inner
        for match in re.finditer(r"\breturn\b[^;]*;(?!\n\})",
                code[start:end]):
            yield start + match.start(), start + match.end(), ";"
        yield from constants(code, start, end)


class Source:
    def __init__(self, path, build, links, wraps):
        self.path = path
        self.build = build
        with open(path, encoding="utf-8") as f:
            self.text = f.read()
        self.tests = sorted((t for t, of in links.items()
            if path in of and len(of) <= MOST or t + ".c" == path),
            key=lambda t: (t + ".c" != path, len(links[t])))
        self.links = links
        self.wraps = wraps
        self.limit = {}

    def compile(self, text, directory):
        path = os.path.join(directory, os.path.basename(self.path))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        run = subprocess.run([*shlex.split(os.environ["MUTATE_CC"]), "-w",
            "-c", "-o", path + ".o", path], stderr=subprocess.DEVNULL)
        return path + ".o" if run.returncode == 0 else None

    def program(self, test, instead, directory):
        objects = [os.path.join(self.build, "obj", s[:-2] + ".o")
            for s in self.links[test] if s != self.path]
        out = os.path.join(directory, "test")
        subprocess.run([*shlex.split(os.environ["MUTATE_CC"]), "-o", out,
            *("-Wl,--wrap=" + name for name in self.wraps[test]),
            os.path.join(self.build, "obj/regress/unit", test + "_test.o"),
            instead, *objects, os.path.join(self.build, "libcommon.a"),
            *os.environ["MUTATE_LIBS"].split()], check=True,
            stderr=subprocess.DEVNULL)
        return out

    def passes(self, test, instead, directory):
        program = self.program(test, instead, directory)
        try:
            return subprocess.run([program], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                timeout=self.limit.get(test, 120)).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def prepare(self, directory):
        """The tests that pass as things are, and how long that takes."""
        whole = self.compile(self.text, directory)
        for test in list(self.tests):
            began = time.monotonic()
            if not self.passes(test, whole, directory):
                self.tests.remove(test)
            self.limit[test] = 5 + 10 * (time.monotonic() - began)

    def survives(self, mutant):
        """None: it is no program."""
        start, end, change = mutant
        text = self.text[:start] + change + self.text[end:]
        with tempfile.TemporaryDirectory() as directory:
            instead = self.compile(text, directory)
            if instead is None:
                return None
            return all(self.passes(t, instead, directory) for t in self.tests)


def unit_lists(target):
    """What make says of each unit test."""
    lists = {}
    for line in subprocess.run(["make", "-s", target], check=True,
            stdout=subprocess.PIPE, text=True).stdout.splitlines():
        name, _, words = line.partition(":")
        lists[name] = words.split()
    return lists


def expected():
    with open(os.path.join(HERE, "survivors.txt"), encoding="utf-8") as f:
        return {line.split(" # ")[0].strip() for line in f
            if not line.startswith("#")}


def describe(source, start, end, change):
    begin = source.text.rfind("\n", 0, start) + 1
    stop = source.text.find("\n", end)
    line = source.text[begin:start] + "[" + source.text[start:end] + " => " + \
        change + "]" + source.text[end:stop]
    return "%s: %s" % (source.path, " ".join(line.split()))


def mutate(source, known, pool):
    counts = [0, 0, 0]  # killed, known survivors, survivors
    with tempfile.TemporaryDirectory() as directory:
        source.prepare(directory)
    if not source.tests:
        sys.exit("%s: no test passes" % source.path)
    stale = {what for what in known if what.startswith(source.path + ": ")}
    found = list(mutants(blank(source.text)))
    for mutant, lives in zip(found, pool.map(source.survives, found)):
        if lives is None:
            continue
        what = describe(source, *mutant)
        counts[0 if not lives else 1 if what in known else 2] += 1
        if lives:
            stale.discard(what)
            if what not in known:
                print(what, flush=True)
    for what in sorted(stale):
        print("of no use in survivors.txt: " + what, flush=True)
    print("%s: %d mutants, %d killed, %d may live, %d survive" % (source.path,
        sum(counts), *counts), flush=True)
    return counts[2] + len(stale)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("sources", nargs="+")
    args = parser.parse_args()
    links, wraps = unit_lists("unit-links"), unit_lists("unit-wraps")
    known = expected()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        sys.exit(any([mutate(Source(path, args.build, links, wraps), known,
            pool) for path in args.sources]))


if __name__ == "__main__":
    main()
