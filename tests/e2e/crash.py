"""Load that remembers what was acknowledged, and the comparison after a crash.

Run by hand for longer: `python -m tests.e2e.crash --rounds 200`.
"""

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.stack import RunningStack, new_root

BUCKET = "crash"
TABLE = "crash"
WRITERS = 6
# Small bodies live in the store, large ones in files: both must survive.
BODY_BYTES = (100, 5_000, 70_000, 300_000)
EVENTS_WITHIN_S = 60.0


@dataclass
class Ledger:
    """What the stack has acknowledged, and what was under way when it died."""

    objects: dict[str, str] = field(default_factory=dict)
    puts: list[tuple[str, str]] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def body_of(name: str, version: int) -> bytes:
    """The bytes of a version, made again from its name whenever they are needed."""
    random_ = random.Random(f"{name}/{version}")
    return random_.randbytes(random_.choice(BODY_BYTES))


def etag_of(name: str, version: str) -> str:
    return hashlib.md5(body_of(name, int(version))).hexdigest()


def write_until(stopped: threading.Event, stack: RunningStack, ledger: Ledger, writer: int) -> None:
    """Put objects and items, each known to the ledger before it is sent and when it is answered."""
    s3, dynamodb = stack.client("s3"), stack.client("dynamodb")
    chosen = random.Random(f"{writer}/{time.time_ns()}")
    version = time.time_ns()
    while not stopped.is_set():
        version += 1
        name = f"{writer}-{chosen.randrange(40)}"
        if chosen.random() < 0.5:
            body = body_of(name, version)
            with ledger.lock:
                ledger.doubtful.add(name)
            try:
                s3.put_object(Bucket=BUCKET, Key=name, Body=body, Metadata={"v": str(version)})
            except (BotoCoreError, ClientError):
                return
            with ledger.lock:
                ledger.objects[name] = str(version)
                ledger.puts.append((name, str(version)))
                ledger.doubtful.discard(name)
        else:
            with ledger.lock:
                ledger.doubtful.add(f"item/{name}")
            try:
                dynamodb.put_item(
                    TableName=TABLE,
                    Item={"id": {"S": name}, "by": {"S": f"w{writer}"}, "v": {"N": str(version)}},
                )
            except (BotoCoreError, ClientError):
                return
            with ledger.lock:
                ledger.items[name] = version
                ledger.doubtful.discard(f"item/{name}")


def compare(stack: RunningStack, ledger: Ledger) -> list[str]:
    """What is wrong: a lost or torn object, a lost item, an index that disagrees."""
    wrong: list[str] = []
    s3, dynamodb = stack.client("s3"), stack.client("dynamodb")
    for name, version in ledger.objects.items():
        try:
            found = s3.get_object(Bucket=BUCKET, Key=name)
        except ClientError as error:
            wrong.append(f"object {name} version {version} is lost: {error}")
            continue
        body, got = found["Body"].read(), found["Metadata"]["v"]
        if body != body_of(name, int(got)):
            wrong.append(f"object {name} is torn: {len(body)} bytes of version {got}")
        elif etag_of(name, got) != found["ETag"].strip('"'):
            wrong.append(f"object {name} has another's ETag")
        elif int(got) < int(version) or (got != version and name not in ledger.doubtful):
            wrong.append(f"object {name} is of version {got}, acknowledged was {version}")
    rows = dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
    items = {row["id"]["S"]: int(row["v"]["N"]) for page in rows for row in page["Items"]}
    for name, written in ledger.items.items():
        got_item = items.get(name, -1)
        if got_item < written or (got_item != written and f"item/{name}" not in ledger.doubtful):
            wrong.append(f"item {name} is of version {got_item}, acknowledged was {written}")
    index = dynamodb.get_paginator("scan").paginate(TableName=TABLE, IndexName="by-writer")
    indexed = {row["id"]["S"]: int(row["v"]["N"]) for page in index for row in page["Items"]}
    if indexed != items:
        wrong.append(f"the index disagrees with the table: {indexed.items() ^ items.items()}")
    return wrong


def set_up(stack: RunningStack) -> None:
    from tests.e2e.event_counter import deploy_counter

    stack.client("s3").create_bucket(Bucket=BUCKET)
    dynamodb = stack.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "by", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-writer",
                "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    deploy_counter(stack, BUCKET)


def check_data_dir(stack: RunningStack) -> list[str]:
    """`fogbank check` on the stopped stack's directory."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "fogbank", "check", "--data-dir", str(stack.data_dir)),
            *("--key-file", str(stack.key_file)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return [] if ran.returncode == 0 else [f"fogbank check: {ran.stdout}{ran.stderr}"]


def crash_rounds(rounds: int, seed: int, say: Any = lambda line: None) -> list[str]:
    """Kill the stack `rounds` times under load; returns all that was found wrong."""
    from tests.e2e.event_counter import missing_events

    root = new_root()
    stack = RunningStack(root).start()
    ledger = Ledger()
    chosen = random.Random(seed)
    wrong: list[str] = []
    try:
        set_up(stack)
        for number in range(rounds):
            stopped = threading.Event()
            threads = [
                threading.Thread(target=write_until, args=(stopped, stack, ledger, writer))
                for writer in range(WRITERS)
            ]
            for thread in threads:
                thread.start()
            # The random moment of the crash is the point of the test, not a wait for anything.
            stopped.wait(chosen.uniform(0.2, 0.9))
            stack.kill()
            stopped.set()
            for thread in threads:
                thread.join()
            wrong += check_data_dir(stack)
            stack.start()
            found = compare(stack, ledger)
            say(f"round {number + 1}: {len(ledger.objects)} objects, {len(ledger.items)} items")
            wrong += [f"round {number + 1}: {what}" for what in found]
            with ledger.lock:
                ledger.doubtful.clear()
                refresh(stack, ledger)
        etags = [(name, etag_of(name, version)) for name, version in ledger.puts]
        wrong += missing_events(stack, etags, EVENTS_WITHIN_S)
    finally:
        stack.stop()
        wrong += check_data_dir(stack)
        shutil.rmtree(root, ignore_errors=True)
    return wrong


def refresh(stack: RunningStack, ledger: Ledger) -> None:
    """What was in doubt at the crash is now known: a write may have landed unanswered."""
    s3, dynamodb = stack.client("s3"), stack.client("dynamodb")
    for name in ledger.objects:
        found = s3.head_object(Bucket=BUCKET, Key=name)
        ledger.objects[name] = found["Metadata"]["v"]
    rows = dynamodb.get_paginator("scan").paginate(TableName=TABLE)
    ledger.items = {row["id"]["S"]: int(row["v"]["N"]) for page in rows for row in page["Items"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    wrong = crash_rounds(options.rounds, options.seed, lambda line: print(line, flush=True))
    print("\n".join(wrong) or "nothing lost, nothing torn, every event delivered")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
