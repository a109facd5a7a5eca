#!/usr/bin/env python3
"""Measures codex-orch beside other task tools on the same generated graph. See README.md."""

import argparse
import datetime
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
OPERATIONS = ("ready", "add", "done", "list --json")


def graph(n):
    """n tasks, the last fifth open; each needs up to two before it. The same at every run."""
    chance = random.Random(n)
    first_open = n - n // 5 + 1
    tasks = []
    for number in range(1, n + 1):
        count = min(chance.randrange(3), number - 1)
        tasks.append({
            "number": number,
            "title": f"Task {number}: make part {chance.randrange(1000)} of the thing work",
            "priority": chance.randrange(5),
            "needs": sorted(chance.sample(range(1, number), count)),
            "open": number >= first_open,
            "at": EPOCH + datetime.timedelta(minutes=number),
        })
    return tasks


def ready_ones(tasks):
    is_open = {task["number"]: task["open"] for task in tasks}
    return [t for t in tasks if t["open"] and not any(is_open[need] for need in t["needs"])]


class Tool:
    """One tool in a folder of its own, with a home of its own."""

    def __init__(self, program, top):
        self.program = program
        self.dir = Path(tempfile.mkdtemp(prefix=self.name.replace(" ", "-") + "-", dir=top))
        home = self.dir / "home"
        home.mkdir()
        keep = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        self.env = keep | {"HOME": str(home), "CI": "1", "NO_COLOR": "1", "TERM": "dumb"}
        self.work = self.dir / "work"
        self.work.mkdir()
        subprocess.run(["git", "init", "-q", "."], cwd=self.work, env=self.env, check=True)

    def run(self, *arguments, take=False):
        """Runs it once. Returns wall and processor seconds, and its output if that is wanted."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            begun = time.perf_counter()
            child = subprocess.Popen(
                [self.program, *arguments], cwd=self.work, env=self.env,
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - begun
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode != 0:
                err.seek(0)
                words = err.read().decode(errors="replace")[-300:]
                raise RuntimeError(f"{self.name} {arguments[:3]}: exit {child.returncode}: {words}")
            out.seek(0)
            return wall, used.ru_utime + used.ru_stime, out.read().decode(errors="replace") if take else ""

    def version(self):
        return self.run("--version", take=True)[2].strip().splitlines()[-1]


class Taskwarrior(Tool):
    name, command = "taskwarrior", "task"

    def load(self, tasks):
        rc = self.dir / "rc"
        rc.write_text(f"data.location={self.dir}/data\nconfirmation=off\nhooks=off\nverbose=nothing\nnews.version=99.0.0\n")
        (self.dir / "data").mkdir()
        self.env["TASKRC"] = str(rc)
        stamp = lambda at: at.strftime("%Y%m%dT%H%M%SZ")
        given = []
        for task in tasks:
            one = {
                "uuid": self.id(task), "description": task["title"], "entry": stamp(task["at"]),
                "status": "pending" if task["open"] else "completed",
                "depends": [self.id({"number": need}) for need in task["needs"]],
            }
            if not task["open"]:
                one["end"] = stamp(task["at"])
            if task["priority"] < 3:
                one["priority"] = "HML"[task["priority"]]
            given.append(one)
        path = self.dir / "given.json"
        path.write_text(json.dumps(given))
        self.run("import", str(path))

    def id(self, task):
        return str(uuid.UUID(int=task["number"]))

    def ready_count(self):
        return int(self.run("+READY", "count", take=True)[2])

    def arguments(self, operation, turn, task):
        return {
            "ready": ("ready",), "add": ("add", f"One more, number {turn}"),
            "done": (self.id(task), "done"), "list --json": ("export",),
        }[operation]


class Seeds(Tool):
    name, command = "seeds", "sd"

    def load(self, tasks):
        self.run("init")
        is_open = {task["number"]: task["open"] for task in tasks}
        lines = []
        for task in tasks:
            at = task["at"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
            one = {
                "id": self.id(task), "title": task["title"], "status": "open" if task["open"] else "closed",
                "type": "task", "priority": task["priority"], "createdAt": at, "updatedAt": at,
            }
            # Seeds takes what is closed out of the needs of the others.
            needs = [self.id({"number": need}) for need in task["needs"] if is_open[need]]
            if needs and task["open"]:
                one["blockedBy"] = needs
            if not task["open"]:
                one["closedAt"] = at
            lines.append(json.dumps(one))
        (self.work / ".seeds/issues.jsonl").write_text("\n".join(lines) + "\n")

    def id(self, task):
        return f"work-{task['number']:05x}"

    def ready_count(self):
        return json.loads(self.run("ready", "--json", "--limit", "100000", take=True)[2])["count"]

    def arguments(self, operation, turn, task):
        return {
            "ready": ("ready",), "add": ("create", "--title", f"One more, number {turn}"),
            "done": ("close", self.id(task)), "list --json": ("list", "--all", "--limit", "1000000", "--json"),
        }[operation]


class TaskMaster(Tool):
    name, command = "task-master", "task-master"

    def load(self, tasks):
        self.env["TASKMASTER_SKIP_AUTO_UPDATE"] = "1"
        self.run("init", "-y", "--no-aliases", "--no-git", "--name", "bench")
        words = ("high", "high", "medium", "low", "low")
        given = [{
            "id": task["number"], "title": task["title"], "description": task["title"], "details": "", "testStrategy": "",
            "status": "pending" if task["open"] else "done", "dependencies": task["needs"],
            "priority": words[task["priority"]], "subtasks": [],
        } for task in tasks]
        config = self.work / ".taskmaster/config.json"
        settings = json.loads(config.read_text())
        settings.setdefault("global", {})["anonymousTelemetry"] = False
        config.write_text(json.dumps(settings))
        path = self.work / ".taskmaster/tasks/tasks.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"master": {"tasks": given, "metadata": {}}}))

    def id(self, task):
        return str(task["number"])

    def ready_count(self):
        # Lines of other kinds stand before and behind it.
        text = self.run("list", "--ready", "--json", take=True)[2]
        return len(json.JSONDecoder().raw_decode(text[text.index("{"):])[0]["tasks"])

    def arguments(self, operation, turn, task):
        title = f"One more, number {turn}"
        return {
            "ready": ("list", "--ready"), "add": ("add-task", "-t", title, "-d", title),
            "done": ("set-status", "--id", self.id(task), "--status", "done"), "list --json": ("list", "--json"),
        }[operation]


class CodexOrch(Tool):
    name, command = "codex-orch", "codex-orch"

    def version(self):
        """`--version` is upstream's; ours is the commit of this checkout."""
        here = Path(__file__).resolve().parent
        told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True)
        return told.stdout.strip() or "of no commit"

    def load(self, tasks):
        home = Path(self.env["HOME"])
        self.env |= {"CODEX_HOME": str(home / "codex"), "CODEX_ORCH_DATA": str(home / "data")}
        (home / "codex").mkdir()
        # As in a project somebody works in: the checkout is brought up to date in the work tree.
        trust = f'[projects."{self.work}"]\ntrust_level = "trusted"\n'
        (home / "codex" / "config.toml").write_text(trust)
        lines = []
        for task in tasks:
            at = task["at"].strftime("%Y-%m-%dT%H:%M:%SZ")
            one = {
                "id": self.theirs(task), "title": task["title"], "status": "open" if task["open"] else "closed",
                "priority": task["priority"], "issue_type": "task", "created_at": at, "updated_at": at,
                "dependencies": [{
                    "issue_id": self.theirs(task), "depends_on_id": self.theirs({"number": need}), "type": "blocks",
                } for need in task["needs"]],
            }
            if not task["open"]:
                one["closed_at"] = at
            lines.append(json.dumps(one))
        path = self.dir / "issues.jsonl"
        path.write_text("\n".join(lines) + "\n")
        self.run("tasks", "import", str(path), "--format", "beads")
        listed = json.loads(self.run("tasks", "list", "--all", "--json", take=True)[2])["tasks"]
        self.ids = {task["origin"]["id"]: task["id"] for task in listed}

    def theirs(self, task):
        return f"work-{task['number']}"

    def ready_count(self):
        return len(json.loads(self.run("tasks", "ready", "--json", take=True)[2])["tasks"])

    def arguments(self, operation, turn, task):
        return {
            "ready": ("tasks", "ready"), "add": ("tasks", "add", f"One more, number {turn}"),
            "done": ("tasks", "done", self.ids[self.theirs(task)] if operation == "done" else ""),
            "list --json": ("tasks", "list", "--all", "--json"),
        }[operation]


def measure(kinds, size, runs, top):
    tasks = graph(size)
    can_be_done = ready_ones(tasks)
    tools = []
    for kind, program in kinds:
        try:
            tool = kind(program, top)
            tool.load(tasks)
            count = tool.ready_count()
        except Exception as error:  # One tool that fails leaves the others measured.
            print(f"- {kind.name} at {size} tasks is left out: {error}")
            continue
        if count != len(can_be_done):
            print(f"- {kind.name} at {size} tasks calls {count} ready, and not {len(can_be_done)}")
        tools.append(tool)
    taken = {(tool.name, operation): [] for tool in tools for operation in OPERATIONS}
    # Round about, so that other load on the machine meets them all. The first round warms the caches.
    for turn in range(runs + 1):
        for operation in OPERATIONS:
            for tool in tools:
                task = can_be_done[turn % len(can_be_done)]
                wall, processor, _ = tool.run(*tool.arguments(operation, turn, task))
                if turn > 0:
                    taken[tool.name, operation].append((wall, processor))
    for tool in tools:
        cells = []
        for operation in OPERATIONS:
            walls, processors = zip(*taken[tool.name, operation])
            cells.append(f"{statistics.median(walls) * 1000:.0f} ({statistics.median(processors) * 1000:.0f})")
        print(f"| {size} | {tool.name} | " + " | ".join(cells) + " |", flush=True)
        shutil.rmtree(tool.dir)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orch", help="a release binary of codex-orch")
    parser.add_argument("--sizes", default="100,1000,10000")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--path", help="a folder with the peers' programs, before PATH")
    given = parser.parse_args()
    # No peer waits for a server: where the kernel allows it, all of this runs without a network.
    if "PEERS_ALONE" not in os.environ:
        os.environ["PEERS_ALONE"] = "1"
        if subprocess.run(["unshare", "-rn", "true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.execvp("unshare", ["unshare", "-rn", sys.executable, *sys.argv])
    if given.path:
        os.environ["PATH"] = os.path.abspath(given.path) + os.pathsep + os.environ["PATH"]
    kinds = []
    with tempfile.TemporaryDirectory(prefix="peers-") as top:
        print(f"{datetime.date.today()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {given.runs} runs each; milliseconds, process start included:")
        print("median of wall time (median of processor time).\n")
        for kind in (CodexOrch, Taskwarrior, Seeds, TaskMaster):
            named = given.orch if kind is CodexOrch else shutil.which(kind.command)
            if not named or not os.path.exists(named):
                print(f"- {kind.name} isn't here ({kind.command}): left out")
                continue
            program = os.path.abspath(named)
            print(f"- {kind.name}: {kind(program, top).version()}")
            kinds.append((kind, program))
        print("\n| tasks | tool | " + " | ".join(OPERATIONS) + " |\n|" + "---|" * (2 + len(OPERATIONS)))
        for size in (int(size) for size in given.sizes.split(",")):
            measure(kinds, size, given.runs, top)


if __name__ == "__main__":
    main()
