"""How long `ecs-parrot replay` takes for a day of events, and how much memory.

    cargo build --release --bin ecs-parrot
    python3 benches/replay.py target/release/ecs-parrot

The day is made of the stories in `samples/stories`, at random times in forty clusters, and sorted by time. Each copy of
a story has ids and services of its own. So the forty clusters have more and more services, each of which has its
deployments, incidents and launches once. The output is the same each time. Figures: docs/performance.md.

With `--write FILE`, the day is written there and nothing is measured. It needs Python 3.11 or later and nothing else.
"""

import argparse
import json
import os
import random
import re
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

STORIES = sorted(Path(__file__).parent.parent.glob("samples/stories/*.json"))

DAY = datetime(2026, 11, 21, tzinfo=UTC)
CLUSTERS = 40

# A story lasts up to 76 minutes, and the first deployments' tasks are days old.
LATEST_START = 22 * 3_600

# What differs between two copies of a story: times, ids, and names.
VARIABLE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)"
    r"|(?P<cluster>cluster/[a-z-]+|task/[a-z-]+/|service/[a-z-]+/|container-instance/[a-z-]+/|\"cluster\":\"[a-z-]+)"
    r"|(?P<id>\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(?=-[0-9a-f]{4}-)|\bi-[0-9a-f]{17}\b|(?<=ecs-svc/)\d{8})"
    r"|(?P<name>(?<=service:)[a-z-]+|(?<=family:)[a-z-]+|(?<=\"service\":\")[a-z-]+(?=\"))"
)


class Copied:
    """An event of a story, cut at what differs between two copies."""

    def __init__(self, line, start):
        self.parts = []
        end = 0
        for found in VARIABLE.finditer(line):
            self.parts.append((line[end : found.start()], found.lastgroup, found.group()))
            end = found.end()
        self.rest = line[end:]
        at = datetime.fromisoformat(json.loads(line)["time"])
        self.after = int((at - start).total_seconds())
        self.start = start

    def text(self, copy):
        shift = copy.begins - self.start
        texts = []
        for before, kind, value in self.parts:
            texts.append(before)
            texts.append(copy.replace(kind, value, shift))
        texts.append(self.rest)
        return "".join(texts)


class Copy:
    """A story at another time, in another cluster, with services of its own."""

    def __init__(self, number, begins, cluster):
        self.number = number
        self.begins = begins
        self.cluster = f"cluster-{cluster}"
        self.replaced = {}

    def replace(self, kind, value, shift):
        known = self.replaced.get(value)
        if known is None:
            known = self.replaced[value] = self.other(kind, value, shift)
        return known

    def other(self, kind, value, shift):
        match kind:
            case "time":
                at = datetime.fromisoformat(value).replace(tzinfo=UTC) + shift
                return at.strftime("%Y-%m-%dT%H:%M:%S")
            case "cluster" if value.startswith('"'):
                return f'"cluster":"{self.cluster}'
            case "cluster" if value.startswith("cluster/"):
                return f"cluster/{self.cluster}"
            case "cluster":
                return f"{value.split('/')[0]}/{self.cluster}/"
            case "id" if value.startswith("i-"):
                return f"i-{self.number:08x}{value[10:]}"
            case "id" if value.isdigit() and len(value) == 8:
                return f"{self.number + 10_000_000}"
            case "id":
                return f"{self.number:08x}{value[8:]}"
            case "name":
                return f"{value}-{self.number}"
        raise ValueError(kind)


def read(path):
    lines = path.read_text().splitlines()
    start = datetime.fromisoformat(json.loads(lines[0])["time"])
    return [Copied(line, start) for line in lines]


def day(count):
    """The events of the day, one a line, in the order of their times."""
    source = random.Random(1)
    stories = [read(path) for path in STORIES]
    copies, order = [], []
    while len(order) < count:
        for story in stories:
            begins = DAY + timedelta(seconds=source.randrange(LATEST_START))
            copy = Copy(len(copies), begins, source.randrange(CLUSTERS))
            copies.append(copy)
            offset = int((begins - DAY).total_seconds())
            order.extend((offset + it.after, copy.number, place) for place, it in enumerate(story))
    order.sort()
    for _, number, place in order[:count]:
        copy = copies[number]
        yield stories[number % len(stories)][place].text(copy)


def write(path, count):
    with open(path, "w") as file:
        for line in day(count):
            file.write(line)
            file.write("\n")


def measure(program, path, channel):
    """Runs a replay. Returns its seconds, those of one core, its peak memory in MB, and the number of printed lines."""
    arguments = [program, "replay", "--channel", channel, "--output", "json", path]
    began = time.monotonic()
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env={}) as process:
        lines = sum(1 for _ in process.stdout)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    of_core = usage.ru_utime + usage.ru_stime
    return time.monotonic() - began, of_core, usage.ru_maxrss / 1_000, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?", help="the release build of ecs-parrot")
    parser.add_argument("--events", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--write", metavar="FILE", help="write the day with the last number of events")
    arguments = parser.parse_args()
    if arguments.write:
        return write(arguments.write, arguments.events[-1])
    print("| events | MB | channel | time | of one core | peak memory, MB | messages, edits and replies |")
    print("|---|---|---|---|---|---|---|")
    for count in arguments.events:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/day.json"
            write(path, count)
            size = os.path.getsize(path) / 1e6
            for channel in ["slack", "slack_app"]:
                seconds, of_core, peak, lines = measure(arguments.program, path, channel)
                times = f"{seconds:.0f} s | {of_core:.0f} s"
                print(f"| {count:,} | {size:,.0f} | `{channel}` | {times} | {peak:.0f} | {lines:,} |", flush=True)


if __name__ == "__main__":
    main()
