"""Formats Terraform files as `terraform fmt` does, and prints the differences. The arguments are the files.

The rules are those of hclwrite's format.go. A line is indented by two spaces for each line that leaves a bracket open.
There is one space around `=`. In consecutive lines that each contain a whole assignment, the `=` are aligned.
"""

import difflib
import re
import sys

OPENING, CLOSING = "([{", ")]}"
# A string with its expressions, a comment, or any other character.
TOKEN = re.compile(r'"(?:\\.|\$\{[^}]*\}|[^"\\])*"|#.*|//.*|.')
ASSIGNMENT = re.compile(r"^(?P<name>(?:[^=\"#]|\"[^\"]*\")*?[^\s!<>=])\s*=(?![=>])\s*(?P<value>.*)$")


def brackets(text):
    """The number of opening brackets in a text, minus the number of closing ones."""
    tokens = TOKEN.findall(text)
    return sum((it in OPENING) - (it in CLOSING) for it in tokens if len(it) == 1)


def indented(lines):
    levels = []
    for line in lines:
        change = brackets(line)
        if change < 0:
            for _ in range(-change):
                if levels:
                    levels[-1] -= 1
                    if levels[-1] == 0:
                        levels.pop()
        starts_with_closing = line[:1] and line[0] in CLOSING and change >= 0
        yield "  " * (len(levels) - bool(starts_with_closing)) + line if line else ""
        if change > 0:
            levels.append(change)


def aligned(lines):
    chain = []
    for line in [*lines, ""]:
        match = ASSIGNMENT.match(line)
        whole = match and not line.startswith(("#", "//")) and brackets("=" + match["value"]) == 0
        if whole:
            chain.append(match)
            continue
        width = max((len(it["name"]) for it in chain), default=0)
        yield from (f"{it['name'].ljust(width)} = {it['value']}" for it in chain)
        chain = []
        yield f"{match['name']} = {match['value']}" if match and not line.startswith("#") else line


def formatted(text):
    lines = [line.strip() for line in text.split("\n")]
    return "\n".join(indented(list(aligned(lines))[:-1]))


for file in sys.argv[1:]:
    with open(file) as source:
        text = source.read()
    lines = text.splitlines(keepends=True), formatted(text).splitlines(keepends=True)
    sys.stdout.writelines(difflib.unified_diff(*lines, fromfile=file, tofile=f"{file}, formatted"))
