#!/usr/bin/env python3
"""`asof follow` is killed, stopped, starved and confused: the server that it follows must never stand still for more than a second.

  follow_hostile.py [--asof BIN] [--scenarios all|NAME,…] [--ways ptrace,signal,cgroup | --turn] [--seed 1] [--rounds 6] [--cuts 12]

The server (performing.py) has a thread that notes where it did not run. An equal process that nobody follows notes the same; what
it notes is the machine's own slack. A gap of more than a second and that slack (and 100 ms) is a violation. After the scenario
following goes on, or is begun again: cuts must be exact, the newest view equal to the directory, and where nothing was covered a
gap must be declared, or the view of a moment in it must be right all the same. Exit 1 on any violation.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import time

import asof_process
import cgroups
import compare_trees
import follower
import follow_traces
import made_trace
import performing
import processes
from performed_cut import PerformedJudge

#: What the server may stand still at most, in ns.
LIMIT = 1_000_000_000
SCENARIOS = {}


def scenario(body):
    """Registers a scenario: its name is the function's."""
    SCENARIOS[body.__name__] = body
    return body


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asof_process.add_binary_option(parser)
    parser.add_argument("--scenarios", default="all")
    parser.add_argument("--ways", default="ptrace,signal,cgroup", help="of stopping: each scenario with each (default %(default)s)")
    parser.add_argument("--turn", action="store_true", help="each scenario with one way, in turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=6, help="of what a scenario does again and again (default 6)")
    parser.add_argument("--cuts", type=int, default=12, help="to judge after a scenario (default 12)")
    parser.add_argument("--rate", type=int, default=3000, help="operations a second (default 3000)")
    parser.add_argument("--tick", default="10ms")
    parser.add_argument("--deadline", type=int, default=240, metavar="SECONDS", help="a scenario (default 240)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    return parser.parse_args()


class Skipped(Exception):
    """A scenario cannot be played here."""


class Scene:
    """A server, its follower, a control that nobody follows, and what happened."""

    def __init__(self, given, workspace, way, made, cgroup):
        self.given, self.workspace, self.way, self.made = given, workspace, way, made
        self.chance = random.Random(f"{given.seed} {way}")
        self.asof = asof_process.Asof(given.asof, workspace).init()
        self.directory, self.cgroup = workspace.folder("data"), cgroup
        plan = performing.Plan(made.operations, 6, given.seed)
        self.server = performing.Performer(workspace, plan, made.data, self.directory, given.rate, group=cgroup)
        idle = performing.Plan([], 1, 0)
        self.control = performing.Performer(workspace, idle, made.data, workspace.folder("control-data"), name="control")
        self.follower, self.found, self.notes, self.outages = None, [], [], []
        #: Gaps of the server that somebody else made, in ns of the monotonic clock.
        self.forgiven = []
        self.options, self._ended = [], 0

    def begin(self, *options, group=None, environment=None):
        """The server runs, and is followed."""
        self.control.start()
        self.server.start()
        self.options = ["--tick", self.given.tick, "--stop-by", self.way, "--interval", "500ms", "--exe", self.server.program, *options]
        self.follow(group, environment)
        self.server.go()
        time.sleep(0.3)

    def follow(self, group=None, environment=None, wait=True):
        """A (new) follower."""
        self.follower = follower.Follower(self.asof, self.directory, *self.options, group=group, environment=environment)
        self.follower.start()
        if wait:
            self.follower.await_ready()

    def rest(self, most=0.5):
        """A moment of the seed's choice."""
        time.sleep(self.chance.random() * most)

    def strike(self, number=None, group=None):
        """Inside a stop of the server: a signal to the follower, or death to everything in its group. True: it hit the inside."""
        state = f"{self.cgroup.path}/cgroup.events" if self.way == "cgroup" else f"/proc/{self.server.process.pid}/stat"
        how = ["write", group.path / "cgroup.kill", "1"] if group else ["kill", self.follower.process.pid, int(number)]
        return "inside" in processes.run([performing.program(self.workspace.path, "striker", "striker"), state, *how]).stdout

    def away(self, begun):
        """From a moment until now nobody followed."""
        self.outages.append((begun, time.time_ns()))

    def end(self):
        """Everything ends; the lines about violations are in `found`."""
        if self.follower.process.poll() is not None:
            self.found.append(f"follow ended by itself with {self.follower.process.returncode}: {self.follower.complaints()}")
            self.follow()
        time.sleep(0.2)
        self._ended = time.monotonic_ns()
        self.server.kill()
        self.control.end()
        self.follower.await_captured(time.time_ns(), 60)
        status = self.follower.status()
        if self.follower.stop() != 0:
            self.found.append(f"follow ended with {self.follower.process.returncode}: {self.follower.complaints()}")
        self._gaps()
        self._cuts()
        follow = status.get("follow") or {}
        self.notes.append(f"stall p99 {follow.get('stall99')} µs, {follow.get('fuzzyTicks')} fuzzy, {follow.get('missedTicks')} missed in the last life")

    def _gaps(self):
        slack = self.control.notes().longest_gap() + 100_000_000
        longest = 0
        notes = self.server.notes()
        # A server that stands still to the end does not note that itself.
        for begun, ended in [*notes.gaps, (notes.latest_beat, self._ended)]:
            if not any(begun < until and ended > since for since, until in self.forgiven):
                longest = max(longest, ended - begun)
        self.notes.append(f"longest gap {longest / 1e6:.0f} ms (control {slack / 1e6 - 100:.0f} ms)")
        if longest > LIMIT + slack:
            self.found.append(f"the server stood still for {longest / 1e6:.0f} ms; a process that nobody followed for {slack / 1e6 - 100:.0f} ms at most")

    def _cuts(self):
        notes = self.server.notes()
        judge = PerformedJudge(self.made.operations, self.made.bytes, notes)
        given = argparse.Namespace(cuts=self.given.cuts, strict=False, fuzzy=100)
        found, judged, fuzzy, cuts = follow_traces.judge_cuts(self.asof, judge, given, self.chance)
        self.found += found + follow_traces.final_differences(self.asof, self.directory)
        self.notes.append(f"{sum(map(bool, notes.ended))} operations; {judged} of {cuts} cuts judged, {fuzzy} fuzzy")
        self._uncovered(notes)

    def _uncovered(self, notes):
        """Moments at which nobody followed: refused, or declared as fuzzy, or right."""
        judge = PerformedJudge(self.made.operations, self.made.bytes, notes)
        with asof_process.Views(self.asof) as views:
            refused = 0
            for begun, ended in self.outages:
                moment = (begun + ended) // 2
                try:
                    folder = views.at(moment)
                    is_exact = os.getxattr(folder, "user.asof.exact") == b"true"
                    have = compare_trees.scan(folder, attributes=False)
                except (OSError, processes.CommandFailed):
                    refused += 1
                    continue
                shown = asof_process.nanoseconds(os.getxattr(folder, "user.asof.time").decode())
                lines, _, _ = judge.judge(have, shown)
                if lines and is_exact:
                    self.found.append(f"at {asof_process.rfc3339(moment)} nobody followed; its view, of {asof_process.rfc3339(shown)}, is wrong: {lines[0]}")
                elif moment - shown > LIMIT // 2 and judge.judge(have, moment)[0]:
                    self.found.append(f"at {asof_process.rfc3339(moment)} nobody followed; its view is of {(moment - shown) / 1e6:.0f} ms before, without a gap")
            if self.outages:
                gaps = self.asof.json("window")["gaps"]
                self.notes.append(f"{len(self.outages)} outages, {refused} refused, {len(gaps)} gaps declared")
                if not gaps:
                    self.found.append(f"{len(self.outages)} outages and no gap declared")

    def close(self):
        """Nothing is left running."""
        for child in (self.follower, self.server, self.control):
            if child and child.process and child.process.poll() is None:
                child.kill()


# What is done to the follower


def killed_again_and_again(scene, group=None):
    """The follower (or everything in its cgroup) is killed, every other time inside a stop; then it begins again."""
    scene.begin(group=group)
    inside = 0
    for turn in range(scene.given.rounds):
        scene.rest()
        begun = time.time_ns()
        if turn % 2 == 0:
            inside += scene.strike(signal.SIGKILL, group)
        elif group:
            group.kill()
        if scene.follower.process.poll() is None and not group:
            scene.follower.process.send_signal(signal.SIGKILL)
        scene.follower.process.wait(30)
        # Long enough to see a server that stays stopped.
        time.sleep(1.5 if turn % 2 == 0 else scene.chance.random() * 0.4)
        scene.follow(group)
        scene.away(begun)
    scene.notes.append(f"{scene.given.rounds} times, {inside} inside a stop")


@scenario
def killed(scene):
    """kill -9."""
    killed_again_and_again(scene)


@scenario
def cgroup_killed(scene):
    """Everything in its cgroup is killed at once: its watchdog, too."""
    if cgroups.available("freezer"):
        raise Skipped(cgroups.available("freezer"))
    with cgroups.Group("freezer", "follower") as group:
        if not (group.path / "cgroup.kill").exists():
            raise Skipped("this kernel has no cgroup.kill")
        killed_again_and_again(scene, group)
        scene.end()


@scenario
def stopped(scene):
    """SIGSTOP for seconds, every other time inside a stop of the server."""
    scene.begin()
    inside = 0
    for turn in range(max(2, scene.given.rounds // 2)):
        scene.rest()
        if turn % 2 == 0:
            inside += scene.strike(signal.SIGSTOP)
        else:
            scene.follower.process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        scene.follower.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
    scene.notes.append(f"{inside} times inside a stop")


@scenario
def out_of_memory(scene):
    """So little memory that the kernel kills it."""
    if cgroups.available("memory"):
        raise Skipped(cgroups.available("memory"))
    deaths = 0
    with cgroups.Group("memory", "follower") as group:
        scene.begin(group=group)
        for _ in range(max(1, scene.given.rounds // 3)):
            scene.rest()
            begun = time.time_ns()
            name = "memory.current" if group.version == 2 else "memory.usage_in_bytes"
            for _ in range(200):
                usage = int((group.path / name).read_text())
                try:
                    group.limit_memory(max(4 << 20, usage - (1 << 20)))
                except cgroups.Unavailable:
                    pass
                if scene.follower.process.poll() is not None:
                    break
                time.sleep(0.02)
            if scene.follower.process.poll() is None:
                scene.notes.append("it was not killed")
                group.limit_memory(1 << 33)
                continue
            deaths += 1
            time.sleep(1.3)
            group.limit_memory(1 << 33)
            scene.follow(group)
            scene.away(begun)
        scene.notes.append(f"{deaths} times")
        scene.end()


@scenario
def little_processor(scene):
    """A fifth of a processor."""
    if cgroups.available("cpu"):
        raise Skipped(cgroups.available("cpu"))
    with cgroups.Group("cpu", "follower") as group:
        group.limit_processor(0.2)
        scene.begin(group=group)
        time.sleep(1 + scene.given.rounds / 2)
        group.limit_processor(2)
        scene.end()


@scenario
def disk_full(scene):
    """Its spool is on a small file system, and the repository does not take anything any more."""
    small = scene.workspace.folder("small")
    processes.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", small])
    try:
        processes.run(["cp", "-a", scene.asof.repository, small / "repository"])
        scene.asof.environment.update(ASOF_STATE_DIR=str(small / "state"), ASOF_REPO=str(small / "repository"))
        scene.begin("--segment-size", "256KiB")
        scene.rest()
        begun = time.time_ns()
        # All of it but a little is taken by somebody else.
        with open(small / "ballast", "wb") as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
            except OSError:
                pass
        end = time.monotonic() + 4
        while time.monotonic() < end and scene.follower.process.poll() is None:
            time.sleep(0.05)
        died = scene.follower.process.poll()
        said = scene.follower.complaints().replace("\n", " | ")[-200:]
        scene.notes.append(f"with a full disk it {'goes on' if died is None else f'ended with {died}'}: {said}")
        (small / "ballast").unlink()
        if died is not None:
            time.sleep(0.2)
            scene.follow()
            scene.away(begun)
        time.sleep(1)
        scene.end()
    finally:
        scene.close()
        processes.unmount(small)


# What is done to the server


@scenario
def server_restarted(scene):
    """The server is killed and started again; its operations go on where they were."""
    restart(scene, max(2, scene.given.rounds // 2), lambda: 0.3 + scene.chance.random())


@scenario
def server_restarted_quickly(scene):
    """Twenty times, as fast as it can be."""
    restart(scene, 20, lambda: scene.chance.random() * 0.1)


def restart(scene, times, pause):
    """Kills the server and starts it."""
    scene.begin()
    for _ in range(times):
        time.sleep(pause())
        gone = time.monotonic_ns()
        scene.server.kill()
        scene.server.start()
        scene.server.go()
        scene.forgiven.append((gone, time.monotonic_ns()))
    time.sleep(1.5)
    scene.notes.append(f"{times} times")


@scenario
def server_stopped_by_others(scene):
    """Somebody else stops the server with SIGSTOP: it stays stopped until they let it go."""
    scene.begin()
    for _ in range(2):
        scene.rest()
        if scene.way == "signal":
            # One SIGSTOP inside another cannot be told from none: that way's limit. So it comes between two stops.
            while scene.strike(0):
                pass
            time.sleep(0.003)
        begun = time.monotonic_ns()
        scene.server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        before = scene.server.notes().beats
        time.sleep(1.5)
        after = scene.server.notes().beats
        states = cgroups.frozen_states(scene.server.process.pid)
        if after != before:
            scene.found.append(f"the server, stopped by somebody else, went on: {after - before} heartbeats in 1.5 s, its threads {states}")
        scene.server.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        scene.forgiven.append((begun, time.monotonic_ns()))
        if scene.server.notes().beats == after:
            scene.found.append("let go by those who stopped it, the server does not go on")


@scenario
def two_followers(scene):
    """A second one for the same timeline is refused; one for another repository shares the server."""
    scene.begin()
    second = scene.asof.run("follow", scene.directory, "--tick", "10ms", "--exe", scene.server.program, check=False, timeout=30)
    if second.returncode != 11:
        scene.found.append(f"a second follower of the same timeline ended with {second.returncode}, not 11: {second.stderr[-300:]}")
    with processes.Workspace("second") as workspace:
        other = asof_process.Asof(scene.given.asof, workspace).init()
        with follower.Follower(other, scene.directory, *scene.options):
            time.sleep(2 + scene.given.rounds / 6)
        given = argparse.Namespace(cuts=scene.given.cuts, strict=False, fuzzy=100)
        judge = PerformedJudge(scene.made.operations, scene.made.bytes, scene.server.notes())
        found, judged, fuzzy, cuts = follow_traces.judge_cuts(other, judge, given, scene.chance)
        scene.found += [f"the other follower: {line}" for line in found]
        scene.notes.append(f"the other: {judged} of {cuts} judged, {fuzzy} fuzzy")


def play(given, name, way, made):
    """One scenario with one way of stopping. Returns (notes, violations)."""
    with processes.Workspace(f"hostile-{name}", given.keep) as workspace, processes.Deadline(given.deadline, workspace.path, name), follow_traces.Group(way) as cgroup:
        scene = Scene(given, workspace, way, made, cgroup)
        try:
            SCENARIOS[name](scene)
            if scene.follower and not any("cuts judged" in note for note in scene.notes):
                scene.end()
        except (processes.CommandFailed, OSError, subprocess.TimeoutExpired) as problem:
            scene.found.append(f"{type(problem).__name__}: {problem}")
        finally:
            scene.close()
        return scene.notes, scene.found


def main():
    given, failed, count = parsed(), [], 0
    ways = given.ways.split(",")
    missing = cgroups.available("freezer") if "cgroup" in ways else None
    if missing:
        print(f"SKIPPED: way cgroup: {missing}")
        ways.remove("cgroup")
    with processes.Workspace("hostile") as shared:
        made = made_trace.MadeTrace(shared.path / "data.bin", given.rate * (12 + 4 * given.rounds), given.seed)
        for index, name in enumerate(SCENARIOS if given.scenarios == "all" else given.scenarios.split(","), given.seed):
            for way in [ways[index % len(ways)]] if given.turn else ways:
                began = time.monotonic()
                try:
                    notes, found = play(given, name, way, made)
                except Skipped as reason:
                    print(f"SKIPPED: {name}: {reason}")
                    continue
                count += 1
                print("\n".join(f"{name}, {way}: {line}" for line in found[:12]), end="\n" if found else "")
                print(f"{name}, {way}: {len(found)} violations; {'; '.join(notes)} ({time.monotonic() - began:.1f} s)", flush=True)
                if found:
                    failed.append(f"{name} ({way})")
    print(f"{count} scenarios, seed {given.seed}, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
