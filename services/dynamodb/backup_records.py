"""Backups as they lie in the store, and as answers show them."""

from typing import Any

import orjson

from fogbank.services.context import Context, Output, World
from fogbank.services.dynamodb.backup_errors import AccessDenied, BackupNotFoundException
from fogbank.services.dynamodb.errors import ValidationException
from fogbank.services.dynamodb.schema import Record
from fogbank.services.dynamodb.vector_indexes import lasting
from fogbank.services.events import emit
from fogbank.storage.keys import pack, span
from fogbank.storage.kv import Reader, Writer

# How long the backup that the deletion of a table with recovery leaves behind is kept.
SYSTEM_BACKUP_DAYS = 35
DAY_MS = 24 * 3600 * 1000
# What a backup keeps of its table: not tags, recovery, table class, protection or policy.
KEPT = (
    *("TableName", "TableId", "TableArn", "KeySchema", "AttributeDefinitions", "CreatedMs"),
    *("LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingMode", "ProvisionedThroughput"),
    *("OnDemandThroughput", "SSEDescription", "StreamSpecification", "TimeToLive"),
)

Backup = dict[str, Any]


def backup_key(world: World, backup_id: str, table: str) -> bytes:
    return pack("dynamodb", world.account, world.region, "backup", backup_id, table)


def backups_span(world: World) -> tuple[bytes, bytes]:
    return span("dynamodb", world.account, world.region, "backup")


def new_id(ctx: Context, now_ms: int) -> str:
    """In order of creation, as AWS's ids are."""
    return f"{now_ms:014d}-{ctx.ids.hex(4)}"


def new_backup(record: Record, backup_id: str, name: str, kind: str, now_ms: int) -> Backup:
    return {
        "Id": backup_id,
        "Arn": f"{record['TableArn']}/backup/{backup_id}",
        "Name": name,
        "Type": kind,
        "Status": "CREATING",
        "CreatedMs": now_ms,
        "SizeBytes": 0,
        "ItemCount": 0,
        "Restores": 0,
        "Table": {
            **{member: record[member] for member in KEPT if member in record},
            "VectorIndexes": lasting(record),
        },
    }


def save(tx: Writer, world: World, backup: Backup) -> None:
    key = backup_key(world, backup["Id"], backup["Table"]["TableName"])
    tx.put(key, orjson.dumps(backup))


def parse(ctx: Context, arn: str) -> tuple[World, str, str]:
    """The world, the table's name and the backup's id of an ARN, wherever it points."""
    parts = arn.split(":", 5)
    names = parts[5].split("/") if len(parts) == 6 else []
    if len(names) != 4 or (names[0], names[2]) != ("table", "backup"):
        raise ValidationException("Invalid Backup ARN")
    if parts[:3] != ["arn", "aws", "dynamodb"]:
        raise ValidationException("Invalid Request: BackupArn is not valid")
    if parts[4] != ctx.world.account:
        raise AccessDenied
    return World(parts[4], parts[3]), names[1], names[3]


def load(tx: Reader, ctx: Context, arn: str, now_ms: int, world: World | None = None) -> Backup:
    """The backup of an ARN, of this region by default; one that has expired is not found."""
    _, table, backup_id = parse(ctx, arn)
    raw = tx.get(backup_key(world or ctx.world, backup_id, table))
    if raw is None:
        raise BackupNotFoundException(arn)
    backup: Backup = orjson.loads(raw)
    if now_ms >= backup.get("ExpiresMs", now_ms + 1):
        raise BackupNotFoundException(arn)
    return backup


def details(backup: Backup) -> Output:
    answer: Output = {
        "BackupArn": backup["Arn"],
        "BackupName": backup["Name"],
        "BackupSizeBytes": backup["SizeBytes"],
        "BackupStatus": backup["Status"],
        "BackupType": backup["Type"],
        "BackupCreationDateTime": backup["CreatedMs"] / 1000,
    }
    if "ExpiresMs" in backup:
        answer["BackupExpiryDateTime"] = backup["ExpiresMs"] / 1000
    return answer


def summary(backup: Backup) -> Output:
    table = backup["Table"]
    names = {member: table[member] for member in ("TableName", "TableId", "TableArn")}
    return {**names, **details(backup)}


def description(backup: Backup) -> Output:
    table = backup["Table"]
    throughput = table.get("ProvisionedThroughput") or {}
    source: Output = {
        "TableName": table["TableName"],
        "TableId": table["TableId"],
        "TableArn": table["TableArn"],
        "TableSizeBytes": backup["SizeBytes"],
        "KeySchema": table["KeySchema"],
        "TableCreationDateTime": table["CreatedMs"] / 1000,
        "ProvisionedThroughput": _units(throughput),
        "ItemCount": backup["ItemCount"],
        "BillingMode": table.get("BillingMode") or "PROVISIONED",
    }
    if table.get("OnDemandThroughput"):
        source["OnDemandThroughput"] = table["OnDemandThroughput"]
    return {
        "BackupDetails": details(backup),
        "SourceTableDetails": source,
        # AWS shows none of these for the backup of a deleted table.
        "SourceTableFeatureDetails": {} if backup["Type"] == "SYSTEM" else _features(table),
    }


def _units(throughput: dict[str, Any]) -> dict[str, int]:
    return {name: throughput.get(name, 0) for name in ("ReadCapacityUnits", "WriteCapacityUnits")}


def _features(table: Record) -> Output:
    features: Output = {}
    shown = ("IndexName", "KeySchema", "Projection")
    if table.get("LocalSecondaryIndexes"):
        features["LocalSecondaryIndexes"] = [
            {member: index[member] for member in shown} for index in table["LocalSecondaryIndexes"]
        ]
    if table.get("GlobalSecondaryIndexes"):
        features["GlobalSecondaryIndexes"] = [
            {
                **{member: index[member] for member in shown},
                "ProvisionedThroughput": _units(index.get("ProvisionedThroughput") or {}),
                **(
                    {"OnDemandThroughput": index["OnDemandThroughput"]}
                    if index.get("OnDemandThroughput")
                    else {}
                ),
            }
            for index in table["GlobalSecondaryIndexes"]
        ]
    if table.get("VectorIndexes"):
        features["VectorIndexes"] = table["VectorIndexes"]
    if table.get("StreamSpecification"):
        features["StreamDescription"] = table["StreamSpecification"]
    if table.get("TimeToLive"):
        features["TimeToLiveDescription"] = {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": table["TimeToLive"]["AttributeName"],
        }
    if table.get("SSEDescription"):
        features["SSEDescription"] = table["SSEDescription"]
    return features


def keep_deleted(ctx: Context, tx: Writer, record: Record, now_ms: int) -> bool:
    """A table with recovery leaves a SYSTEM backup, which takes its items over as they lie.

    True when it did: the items are then not to be swept with the table.
    """
    log = record.get("Log")
    if log is not None:
        body = {"TableId": record["TableId"], "LogId": log["Id"]}
        emit(ctx, tx, "dynamodb.sweep", record["TableId"], body)
    if not record.get("Recovery"):
        return False
    name = f"{record['TableName']}$DeletedTableBackup"
    backup = new_backup(record, f"{now_ms:014d}-00000000", name, "SYSTEM", now_ms)
    expires_ms = now_ms + SYSTEM_BACKUP_DAYS * DAY_MS
    backup |= {"Status": "AVAILABLE", "ExpiresMs": expires_ms, "OfTable": True}
    backup["SizeBytes"] = record.get("SizeBytes", 0)
    backup["ItemCount"] = record.get("ItemCount", 0)
    save(tx, ctx.world, backup)
    expiry = {"Arn": backup["Arn"]}
    emit(ctx, tx, "dynamodb.expirebackup", backup["Id"], expiry, due_ms=expires_ms)
    return True
