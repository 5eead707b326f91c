"""After a crash: finds out from the directory itself what became of the calls that were in flight, and writes it to the log."""
import json
import time

import compare_trees
import units
from check_cut import Judge
from workload_log import Log, Writing
from workload_model import bytes_of


def confirm(log_path, moment):
    """Calls in flight at a crash are open until somebody captures again: what was found out about the newest of them counts as of
    `moment`, when that was so."""
    with open(log_path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    newest = max((row["b"] for row in rows if "b" in row and row["e"]), default=0)
    writing = Writing(log_path)
    for row in rows:
        if "resolved" in row and row["e"] >= newest:
            writing.add({**row, "e": moment})
    writing.close()


def resolve(log_path, folder):
    """Judges `folder` as it stands after a crash: everything acknowledged must be there. What is found out about the calls in
    flight is noted in the log. Returns the verdict."""
    log = Log(log_path)
    have = compare_trees.scan(folder)
    verdict = Judge(log).judge(folder, time.time_ns(), have)
    writing = Writing(log_path)
    for operation in log.unresolved():
        there = verdict.in_flight.get((operation["w"], operation["s"]))
        row = {"w": operation["w"], "s": operation["s"], "resolved": bool(there), "e": time.time_ns()}
        if there and operation["op"] == "write":
            row["part"] = there
            if operation["off"] is None:
                data = have[operation["path"]].data
                row["off"] = data.find(bytes_of(operation)[:min(there, units.header_size(log.writers))])
        writing.add(row)
    writing.close()
    return verdict
