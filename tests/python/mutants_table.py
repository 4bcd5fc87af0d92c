#!/usr/bin/env python3
"""Writes what a mutation run came to into docs/conformance.md.

usage: mutants_table.py OUTCOMES PAGE      OUTCOMES is the outcomes.json of cargo-mutants

Everything of the page before `<!-- mutants -->` is left alone. Rows of files that the run did not look at stay,
so that a run of one file updates that file. A mutant that no test noticed is listed with the reason that the page
already gives for it; one without a reason is listed too, and ends the script with 1.
"""
import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

MARKER = "<!-- mutants -->"
UNEXPLAINED = "**no reason yet: a test is missing**"
COLUMNS = {"CaughtMutant": 1, "MissedMutant": 2, "Unviable": 3, "Timeout": 4}
HEAD = f"""{MARKER}

## Mutants

What the tests of the verifying crates do not notice, by `cargo-mutants`: it changes one thing of the code at a time
and runs the tests. Written by `make mutants` (`FILE=…` for one file), which takes hours and is no part of a test
run; what it leaves out stands in `.cargo/mutants.toml` with its reasons.

- **caught**: a test failed, as it should. **missed**: none did; each is listed below with its reason.
- **unviable**: it did not compile. **timeout**: the tests did not end, which is noticed as well.

| file | mutants | caught | missed | unviable | timeout |
|---|---:|---:|---:|---:|---:|
"""


def read_page(text):
    """Rows by file, and reasons by file and mutant, as the page has them."""
    rows = {}
    for file, *counts in re.findall(r"^\| `(\S+\.rs)` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.M):
        rows[file] = [int(count) for count in counts]
    missed = {(file, mutant): (int(count or 1), reason)
              for file, mutant, count, reason in re.findall(r"^- `(\S+\.rs)`: (.+?)(?: \((\d+)×\))?\. (.+)$", text, re.M)}
    return rows, missed


def read_run(outcomes):
    """The same of a run: rows by file, and how often each missed mutant came, by file."""
    rows, missed = defaultdict(lambda: [0] * 5), defaultdict(Counter)
    for outcome in outcomes:
        if outcome["scenario"] == "Baseline":
            continue
        mutant = outcome["scenario"]["Mutant"]
        file, column = mutant["file"], COLUMNS[outcome["summary"]]
        rows[file][0] += 1
        rows[file][column] += 1
        if outcome["summary"] == "MissedMutant":
            # Without its place: a line more above it makes no other mutant.
            missed[file][re.sub(r"^\S+?:\d+:\d+: ", "", mutant["name"])] += 1
    return rows, missed


def main(outcomes_path, page_path):
    page = Path(page_path).read_text()
    before, _, after = page.partition(MARKER)
    rows, known = read_page(after)
    run, missed = read_run(json.loads(Path(outcomes_path).read_text())["outcomes"])
    rows.update(run)
    listed = {place: told for place, told in known.items() if place[0] not in run}
    for file, mutants in missed.items():
        for mutant, count in mutants.items():
            listed[file, mutant] = (count, known.get((file, mutant), (0, UNEXPLAINED))[1])
    total = [sum(row[column] for row in rows.values()) for column in range(5)]

    def line(name, counts):
        return f"| {name} | {' | '.join(map(str, counts))} |\n"
    text = before.rstrip("\n") + "\n\n" + HEAD
    text += "".join(line(f"`{file}`", rows[file]) for file in sorted(rows)) + line("**all**", total)
    text += "\nMissed, and why that is right:\n\n" if listed else ""
    for (file, mutant), (count, reason) in sorted(listed.items()):
        times = f" ({count}×)" if count > 1 else ""
        text += f"- `{file}`: {mutant}{times}. {reason}\n"
    Path(page_path).write_text(text)
    unexplained = [place for place, (_, reason) in listed.items() if reason == UNEXPLAINED]
    for file, mutant in unexplained:
        print(f"{file}: {mutant}: no test notices it, and {page_path} gives no reason", file=sys.stderr)
    return 1 if unexplained else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
