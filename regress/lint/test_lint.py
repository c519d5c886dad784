# Copyright (c) 2026 The beacond authors
# SPDX-License-Identifier: ISC

"""What holds for the source itself."""

import ast
import glob
import os
import re
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
ROLES = ["parent", "ctl", "worker", "auth", "metrics"]
LICENSE = ("/*\n * Copyright (c) 2026 The beacond authors\n"
    " * SPDX-License-Identifier: ISC\n")
FORBIDDEN = ("strcpy strcat sprintf vsprintf gets atoi atol atoll strtok "
    "system popen alloca mktemp tmpnam rand srand random").split()


def files(*patterns):
    found = [path for pattern in patterns
        for path in glob.glob(os.path.join(ROOT, pattern), recursive=True)
        if os.path.isfile(path) and
            not os.path.relpath(path, ROOT).startswith("build/")]
    assert found, patterns
    return sorted(found)


def programs():
    return files("common/*.[ch]", "frame/*.[ch]",
        *(role + "/*.[ch]" for role in ROLES))


def all_c():
    return programs() + files("regress/**/*.[ch]")


def read(path):
    with open(path) as f:
        return f.read()


def code(text):
    """The text without its comments and strings; lines stay lines."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
        blank, text, flags=re.S)


def report(found):
    assert not found, "\n" + "\n".join("%s:%s: %s" % (
        os.path.relpath(path, ROOT), line, what)
        for path, line, what in found)


def grep(paths, pattern, what, of=lambda text: text):
    return [(path, of(read(path)).count("\n", 0, m.start()) + 1,
        "%s: %s" % (what, m.group().strip()))
        for path in paths
        for m in re.finditer(pattern, of(read(path)), re.M)]


def test_a_role_includes_only_itself_and_common():
    found = []
    for role in ROLES + ["common"]:
        for path in files(role + "/*.[ch]"):
            for i, line in enumerate(read(path).split("\n"), 1):
                m = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
                if m and os.path.dirname(m.group(1)) not in (role, "common"):
                    found.append((path, i, m.group(1)))
    report(found)


def test_no_code_is_included_and_every_header_is_named_in_full():
    found = []
    for path in all_c():
        for i, line in enumerate(read(path).split("\n"), 1):
            m = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if m and not (m.group(1).endswith(".h") and
                    os.path.exists(os.path.join(ROOT, m.group(1)))):
                found.append((path, i, m.group(1)))
    report(found)


def test_lines_have_80_columns_at_most():
    report([(path, i, "%d columns" % len(line.expandtabs(8)))
        for path in all_c()
        for i, line in enumerate(read(path).split("\n"), 1)
        if len(line.expandtabs(8)) > 80])


def test_no_dangerous_call():
    report(grep(all_c(), r"\b(%s)\s*\(" % "|".join(FORBIDDEN),
        "forbidden", code))


def test_one_file_gives_the_time():
    """
    Ages, budgets and deadlines are of the monotonic clock; whoever wants wall
    time says so by the name of the function in common/clock.h.
    """
    calls = ("time ftime stime gettimeofday clock_gettime clock_getres "
        "timespec_get ev_now ev_time ev_now_update ev_periodic_\\w+").split()
    report(grep([path for path in programs()
            if os.path.relpath(path, ROOT) != "common/clock.c"],
        r"\b(%s)\s*\(|\bCLOCK_[A-Z]+TIME\w*\b|\bev_periodic\b" %
            "|".join(calls), "not by common/clock.h", code))
    wall = {"auth/from_worker.c", "common/clock.c", "common/clock.h",
        "common/log_fields.c",
        "common/log_syslog.c", "ctl/output_registry.c",
        "ctl/output_text.c", "ctl/probe_judge.c", "parent/block_file.c",
        "parent/control_peers.c", "parent/from_ctl.c",
        "parent/from_ctl_block.c", "parent/from_ctl_workers.c",
        "parent/keys_cache.c", "parent/keys_snapshot.c", "parent/sums.c",
        "worker/session_head.c"}
    report(grep([path for path in programs()
            if os.path.relpath(path, ROOT) not in wall],
        r"\bclock_wall\w*", "wall time where nobody reads it", code))


def test_the_manual_has_every_event():
    """common/event.h with its level, and nothing else."""
    text = "".join(read(os.path.join(ROOT, "common", name))
        for name in ("event.h", "failures.h"))
    want = {(m[2], m[3] or "-", m[1].lower()) for m in re.finditer(
        r'X\(\w+, ([A-Z]+), "([a-z-]+)", "(\w*)"\)', text)}
    want |= {(m[1] + "-refused", m[2], m[3].lower()) for m in re.finditer(
        r'F\(X, \w+, "(\w+)", "(\w+)", ([A-Z]+),', text)}
    assert len(want) > 40, want
    want.remove(("kept-back", "-", "notice"))
    want.add(("kept-back", "any", "of them"))
    found = re.findall(r"^\.It Li (\S+) Ta (?:Li )?(\S+) Ta ([^\n]+?) Ta ",
        read(os.path.join(ROOT, "etc", "beacond.8")), re.M)
    assert sorted(found) == sorted(want)


def test_no_trailing_space():
    report(grep(all_c() + files("**/*.py", "regress/**/*.js"),
        r"[ \t]+$", "trailing space"))


def test_every_file_begins_with_its_licence():
    report([(path, 1, "no licence") for path in all_c()
        if not read(path).startswith(LICENSE)])
    report([(path, 1, "no licence") for path in files("**/*.py",
        "regress/**/*.js")
        if "\nSPDX-License-Identifier: ISC" not in
            read(path)[:200].replace("# ", "").replace(" * ", "")])


def test_every_header_is_guarded():
    report([(path, 1, "no guard") for path in files("**/*.h")
        if "#ifndef %s_H\n#define %s_H\n" % ((guard(path),) * 2)
            not in read(path)])


def guard(path):
    stem = os.path.relpath(path, ROOT)[:-2]
    return re.sub(r"\W", "_", stem).upper()


def functions(path):
    """(line, length of the body) of each function of a file."""
    lines = read(path).split("\n")
    start = None
    for i, line in enumerate(lines, 1):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            yield start, i - start - 1
            start = None


def test_functions_are_short():
    lengths = [(path, line, length) for path in programs()
        for line, length in functions(path)]
    report([(path, line, "%d lines" % length)
        for path, line, length in lengths if length > 40])
    median = statistics.median(length for _, _, length in lengths)
    assert median <= 10, median


def test_files_are_short():
    report([(path, 1, "%d lines" % read(path).count("\n"))
        for path in programs() if read(path).count("\n") > 450])


def prototypes(text):
    """(line, name, parameters) of each that a header has."""
    text = code(text)
    for m in re.finditer(r"^(?!typedef)(?:[a-z_]\w*[ *]+)+(\w+)\("
            r"((?:[^(){};]|\([^()]*\))*)\)[^;{}]*;", text, re.M):
        parameters = re.split(r",(?![^(]*\))", m.group(2))
        yield (text.count("\n", 0, m.start(1)) + 1, m.group(1),
            [" ".join(parameter.split()) for parameter in parameters])


def type_and_name(parameter):
    """An array is a pointer; who takes a function has its type for a name."""
    m = re.match(r"(?:const |volatile )?(?:(?:struct|enum|union|unsigned) )?"
        r"\w+ ?\**", parameter)
    name = m and re.match(r" ?(\w*)((?:\[.*\])?)$", parameter[m.end():])
    if not name:
        return parameter, parameter
    return m.group().replace(" *", "*") + "*" * bool(name.group(2)), \
        name.group(1)


def nameless(parameters):
    """Those that have no name and the type of another."""
    typed = [type_and_name(parameter) for parameter in parameters]
    types = [kind for kind, _ in typed]
    return [parameter for parameter, (kind, name) in zip(parameters, typed)
        if not name and types.count(kind) > 1]


def test_parameters_of_one_type_have_names():
    def found(text):
        return [(name, nameless(of)) for _, name, of in prototypes(text)
            if nameless(of)]
    assert found("int f(int, int *, const char *);\n") == []
    assert found("void f(uint32_t a, uint32_t b, void (*)(int));\n") == []
    assert found("struct x *f(int, struct y *,\n    int);\n") == [
        ("f", ["int", "int"])]
    assert found("int f(const uint8_t[16], const uint8_t *at)\n"
        "    __attribute__((noreturn));\n") == [("f", ["const uint8_t[16]"])]
    every = [(path, line, name, of) for path in programs()
        if path.endswith(".h") for line, name, of in prototypes(read(path))]
    assert len(every) > 500
    report([(path, line, "%s: %s has no name" % (name, ", ".join(
        nameless(of)))) for path, line, name, of in every if nameless(of)])


# Which files touch the members of a part of struct worker; a header has what
# others need of it, inline.
PARTS = {
    "accept": "accept",
    "burst": "burst",
    "drain": "drain",
    "first_keys": "discover",
    "gather": "gather",
    "gossip": "beacons",
    "head": "session_head",
    "inbound": "inbound",
    "login": "login",
    "measure": "measure",
    "moves": "move_end move_in move_out",
    "pongs": "session session_control",
    "proxies": "networks",
    "punch": "punch",
    "router": "router",
    "routes": "route",
    "spent": "login session",
    "still": "park still",
    "strangers": "stranger",
    "udp": "udp udp_recv udp_send",
}


def parts(text):
    """Those that worker.h has: the structs, but for what is shared."""
    body = re.search(r"^struct worker \{\n(.*?)^\};", text, re.M | re.S)
    return set(re.findall(r"^\tstruct (?!channel|msg_|peermap|log_limit|"
        r"persecond|upper)\w+ (\w+)(?:\[.*\])?;", body.group(1), re.M))


def test_a_part_of_a_worker_is_touched_by_its_owner_alone():
    assert parts(read(os.path.join(ROOT, "worker/worker.h"))) == set(PARTS)
    touch = r"->(%s)(?:\[[^]]*\])?\." % "|".join(PARTS)
    touched = [(path, text.count("\n", 0, m.start()) + 1, m.group(1))
        for path in files("worker/*.c")
        for text in [code(read(path))]
        for m in re.finditer(touch, text)]
    assert {part for _, _, part in touched} >= {"accept", "login", "udp"}
    report([(path, line, "%s is %s's" % (part, PARTS[part]))
        for path, line, part in touched
        if os.path.basename(path)[:-2] not in PARTS[part].split()])


def test_no_line_comment():
    report(grep(all_c(), r"//.*$", "line comment", code))


def sections(path):
    """The numbers of the headings of a document."""
    return set(re.findall(r"^##+ (\d+(?:\.\d+)*)\.? ", read(path), re.M))


def test_every_document_that_is_cited_exists():
    """
    A document is cited by its path from the top, or from beside the citing
    file, and by the number of a section: "doc/protocol.md 4.2".
    """
    found = []
    for path in all_c() + files("**/*.py", "**/*.mk", "GNUmakefile", "*.md",
            "doc/**", "etc/**", "regress/**/*.md"):
        text = read(path)
        for m in re.finditer(r"([\w./-]*\w\.md)\b(?:[\s*#\"]+(section\b|"
                r"\d+(?:\.\d+)*))?", text):
            name, section = m.groups()
            at = [os.path.join(directory, name)
                for directory in (ROOT, os.path.dirname(path))]
            at = next(filter(os.path.isfile, at), None)
            line = text.count("\n", 0, m.start()) + 1
            if at is None:
                found.append((path, line, "no document %s" % name))
            elif section is not None and section not in sections(at):
                found.append((path, line,
                    "%s has no section %s" % (name, section)))
    report(found)


def test_man_pages_are_clean():
    pages = files("etc/*.[1-9]")
    assert {"beacond.8", "beacond.conf.5", "beaconctl.8"} <= set(
        map(os.path.basename, pages)), pages
    for page in pages:
        run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert run.returncode == 0 and not run.stdout, run.stdout


def test_every_test_counts():
    """No test of a module hides another of the same name."""
    found = []
    for path in files("regress/*/test_*.py"):
        seen = set()
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.FunctionDef) and \
                    node.name.startswith("test_"):
                if node.name in seen:
                    found.append((path, node.lineno, node.name))
                seen.add(node.name)
    report(found)


def test_every_unit_test_is_run():
    found = []
    for path in files("regress/unit/*/*_test.c"):
        text = read(path)
        found += [(path, 1, name + " is not run")
            for name in re.findall(r"^static void\n(test_\w+)\(void\)", text,
                re.M) if "RUN(%s)" % name not in text]
        if "return (test_failed());" not in text:
            found.append((path, 1, "does not return test_failed()"))
    report(found)
