"""`make bench`: an endpoint, a peer beside it, and the limits of the machine, in one run."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import limits, servers, setup
from bench.workloads import FUNCTION, Target

# (workload, callers, what it needs)
PLAN: list[tuple[str, int, str]] = [
    *(("dynamodb get", callers, "dynamodb") for callers in (1, 8, 64)),
    *(("dynamodb put", callers, "dynamodb") for callers in (1, 8, 64)),
    *(("dynamodb query 100", callers, "dynamodb") for callers in (1, 8, 64)),
    ("dynamodb put, index and stream", 64, "indexed"),
    *(("s3 put 1 KiB", callers, "s3") for callers in (1, 8, 64)),
    *(("s3 get 1 KiB", callers, "s3") for callers in (1, 8, 64)),
    ("s3 put 64 MiB", 1, "s3"),
    ("s3 get 64 MiB", 1, "s3"),
    *(("lambda invoke warm", callers, "functions") for callers in (1, 8)),
    *(("api -> function", callers, "functions") for callers in (1, 32)),
    *(("api -> function -> table", callers, "functions") for callers in (1, 32)),
]
# The limits of a server in Python, by kind of `bench.bare`, with what is sent to them.
BARE = {"answer": "bare server", "read": "bare server", "commit": "dynamodb put"}
Results = dict[str, Any]


def load(target: Target, workload: str, callers: int, seconds: float, seed: int) -> Results:
    """Drive `target` from a process of its own."""
    order = {
        "target": asdict(target),
        "workload": workload,
        "callers": callers,
        "seconds": seconds,
        "seed": seed,
    }
    ran = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        return {"failed": ran.stderr.strip().splitlines()[-1]}
    result: Results = json.loads(ran.stdout)
    return result


def prepare(kind: str, endpoint: str, wanted: set[str]) -> tuple[set[str], str]:
    """Make what the workloads need; returns what there is, and the API's id."""
    there: set[str] = set()
    api_id = ""
    for need in ("dynamodb", "indexed", "s3", "functions"):
        if need not in wanted:
            continue
        try:
            if need == "dynamodb":
                setup.dynamodb(endpoint)
            elif need == "indexed":
                setup.indexed(endpoint)
            elif need == "s3":
                setup.s3(endpoint)
            else:
                setup.functions(endpoint)
                api_id = setup.api(endpoint)
            there.add(need)
        except Exception as error:  # a peer may lack a service: say so and go on
            print(f"  {kind}: no {need}: {error}", file=sys.stderr)
    return there, api_id


def cold_invokes(endpoint: str, count: int = 12) -> Results:
    """Milliseconds of an invoke that finds no environment, from the caller's side, and init."""
    lambda_ = setup.client(endpoint, "lambda")
    took: list[float] = []
    for number in range(count):
        lambda_.update_function_configuration(
            FunctionName=FUNCTION, Environment={"Variables": {"ROUND": str(number)}}
        )
        lambda_.get_waiter("function_updated_v2").wait(
            FunctionName=FUNCTION, WaiterConfig={"Delay": 1}
        )
        started = time.perf_counter()
        lambda_.invoke(FunctionName=FUNCTION, Payload=b"{}")
        took.append((time.perf_counter() - started) * 1000)
    return {"min_ms": min(took), "median_ms": statistics.median(took)}


def measure(kind: str, port: int, options: argparse.Namespace, server: Any) -> Results:
    endpoint = f"http://127.0.0.1:{port}"
    found: Results = {"runs": {}}
    if server is not None:
        found["ready_s"] = server.ready_s
        found["idle_mb"] = server.memory_mb()
    plan = [step for step in PLAN if not options.only or options.only in step[0]]
    there, api_id = prepare(kind, endpoint, {need for _, _, need in plan})
    target = setup.target(kind, port, api_id)
    for number, (workload, callers, need) in enumerate(plan):
        if need not in there:
            continue
        load(target, workload, callers, min(0.5, options.seconds), 1_000_000 + number * 1000)
        result = load(target, workload, callers, options.seconds, number * 1000 + 1)
        found["runs"][f"{workload} x{callers}"] = result
        print(f"  {kind}: {workload} x{callers}: {brief(result)}", flush=True)
    if "dynamodb" in there:
        found["reads under writes"] = under_writes(kind, target, options.seconds)
    if "functions" in there:
        found["cold invoke"] = cold_invokes(endpoint)
    if server is not None:
        found["loaded_mb"] = server.memory_mb()
    return found


def under_writes(kind: str, target: Target, seconds: float) -> Results:
    """Reads of 8 callers with nothing beside them, and beside 64 callers that write."""
    found = {"alone": load(target, "dynamodb get", 8, seconds, 70_000)}
    with ThreadPoolExecutor(1) as beside:
        # The writers begin before the readers and end after them.
        writing = beside.submit(load, target, "dynamodb put", 64, seconds + 1.5, 80_000)
        time.sleep(0.8)
        found["beside 64 writers"] = load(target, "dynamodb get", 8, seconds, 90_000)
        found["the writers"] = writing.result()
    for what, result in found.items():
        print(f"  {kind}: dynamodb get x8 under writes, {what}: {brief(result)}", flush=True)
    return found


def brief(result: Results) -> str:
    if "failed" in result:
        return f"failed: {result['failed']}"
    wrong = f", {result['errors']} errors" if result["errors"] else ""
    return (
        f"{result['per_s']:,.0f}/s, p50 {result['p50_ms']:.2f} ms, "
        f"p99 {result['p99_ms']:.2f} ms{wrong}"
    )


def bare_limits(seconds: float) -> Results:
    found: Results = {}
    for kind, workload in BARE.items():
        server = servers.bare(kind)
        try:
            target = Target("127.0.0.1", server.port)
            for callers in (1, 8, 64):
                name = f"bare server, {kind} x{callers}"
                found[name] = load(target, workload, callers, seconds, callers)
                print(f"  {name}: {brief(found[name])}", flush=True)
        finally:
            server.stop()
    return found


def table(results: Results) -> str:
    """The run as Markdown: a row a workload, a column a server, ratios to the peer."""
    names = list(results["servers"])
    lines = ["| workload | " + " | ".join(f"{name}" for name in names) + " |"]
    lines.append("|---" * (len(names) + 1) + "|")
    rows = dict.fromkeys(row for name in names for row in results["servers"][name]["runs"])
    for row in rows:
        cells = [results["servers"][name]["runs"].get(row) for name in names]
        lines.append("| " + " | ".join([row, *(brief(c) if c else "-" for c in cells)]) + " |")
    for what, unit in (("ready_s", "s"), ("idle_mb", "MB"), ("loaded_mb", "MB")):
        cells = [results["servers"][name].get(what) for name in names]
        shown = [f"{cell:.2f} {unit}" if cell is not None else "-" for cell in cells]
        lines.append("| " + " | ".join([what, *shown]) + " |")
    for what in ("alone", "beside 64 writers", "the writers"):
        cells = [results["servers"][name].get("reads under writes", {}).get(what) for name in names]
        shown = [brief(cell) if cell else "-" for cell in cells]
        lines.append("| " + " | ".join([f"reads under writes: {what}", *shown]) + " |")
    colds = [results["servers"][name].get("cold invoke") for name in names]
    shown = [
        f"min {c['min_ms']:.1f} ms, median {c['median_ms']:.1f} ms" if c else "-" for c in colds
    ]
    lines.append("| " + " | ".join(["cold invoke", *shown]) + " |")
    lines += ["", "| limit of this machine | |", "|---|---|"]
    lines += [f"| {name} | {value:,.1f} |" for name, value in results["limits"].items()]
    lines += [f"| {name} | {brief(value)} |" for name, value in results["bare"].items()]
    return "\n".join(lines)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--endpoint", help="measure this running server instead of our own")
    parser.add_argument("--kind", default="fogbank", help="what --endpoint is: fogbank, ministack")
    parser.add_argument("--peer", choices=list(servers.PEERS), action="append", default=[])
    parser.add_argument("--peer-program", help="the peer's program, where it is not in PATH")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--only", default="", help="only workloads whose name contains this")
    parser.add_argument("--output", type=Path, default=Path("bench-results"))
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    results: Results = {"at": datetime.now(UTC).isoformat(), "servers": {}}
    results["limits"] = limits.measure()
    results["bare"] = bare_limits(options.seconds)
    if options.endpoint:
        port = urlsplit(options.endpoint).port or 80
        results["servers"][options.kind] = measure(options.kind, port, options, None)
    else:
        for name in ("fogbank", *options.peer):
            peer = servers.PEERS.get(name)
            server = peer(options.peer_program or name) if peer else servers.fogbank()
            try:
                results["servers"][name] = measure(name, server.port, options, server)
            finally:
                server.stop()
    options.output.mkdir(exist_ok=True)
    (options.output / "bench.json").write_text(json.dumps(results, indent=1))
    (options.output / "bench.md").write_text(table(results) + "\n")
    print("\n" + table(results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
