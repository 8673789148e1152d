"""Auto scaling settings of global tables through boto3."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]

HERE, THERE = "us-east-1", "eu-west-1"
OFF = {"AutoScalingDisabled": True, "ScalingPolicies": []}
TABLE: dict[str, Any] = {
    "TableName": "books",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-id",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
UNITS = {"MinimumUnits": 5, "MaximumUnits": 50}
READ, WRITE = (f"ReplicaProvisioned{kind}CapacityAutoScalingSettings" for kind in ("Read", "Write"))


def policy(target: float, **more: Any) -> dict[str, Any]:
    return {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": target}, **more}


def by_region(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    replicas = answer["TableAutoScalingDescription"]["Replicas"]
    return {replica["RegionName"]: replica for replica in replicas}


@pytest.fixture
def dynamodb(client: Client) -> Any:
    """A client in one region of a global table of two."""
    made = client("dynamodb")
    made.create_table(**TABLE)
    add_replica(client)
    return made


def add_replica(client: Client) -> None:
    updates = [{"Create": {"RegionName": THERE}}]
    client("dynamodb").update_table(TableName="books", ReplicaUpdates=updates)
    client("dynamodb", region=THERE).get_waiter("table_exists").wait(TableName="books")


def update(dynamodb: Any, **more: Any) -> dict[str, dict[str, Any]]:
    return by_region(dynamodb.update_table_replica_auto_scaling(TableName="books", **more))


def described(dynamodb: Any) -> dict[str, dict[str, Any]]:
    return by_region(dynamodb.describe_table_replica_auto_scaling(TableName="books"))


def refusal(call: Callable[..., Any], *args: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*args, **request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_write_capacity_is_scaled_in_every_region(client: Client, dynamodb: Any) -> None:
    answer = update(dynamodb, ProvisionedWriteCapacityAutoScalingUpdate=UNITS)
    assert set(answer) == {HERE, THERE}
    for found in (answer, described(dynamodb), described(client("dynamodb", region=THERE))):
        for replica in found.values():
            settings = replica[WRITE]
            assert {name: settings[name] for name in UNITS} == UNITS
            assert settings["AutoScalingDisabled"] is False
            assert replica[READ] == OFF


def test_read_capacity_is_scaled_region_by_region(dynamodb: Any) -> None:
    replica = {"RegionName": THERE, "ReplicaProvisionedReadCapacityAutoScalingUpdate": UNITS}
    found = update(dynamodb, ReplicaUpdates=[replica])
    assert found[THERE][READ]["MaximumUnits"] == 50
    assert (found[HERE][READ], found[THERE][WRITE]) == (OFF, OFF)


def test_indexes_have_settings_of_their_own(dynamodb: Any) -> None:
    found = update(
        dynamodb,
        GlobalSecondaryIndexUpdates=[
            {"IndexName": "by-id", "ProvisionedWriteCapacityAutoScalingUpdate": UNITS}
        ],
        ReplicaUpdates=[
            {
                "RegionName": THERE,
                "ReplicaGlobalSecondaryIndexUpdates": [
                    {"IndexName": "by-id", "ProvisionedReadCapacityAutoScalingUpdate": UNITS}
                ],
            }
        ],
    )
    here, there = (found[region]["GlobalSecondaryIndexes"][0] for region in (HERE, THERE))
    assert here["ProvisionedWriteCapacityAutoScalingSettings"]["MinimumUnits"] == 5
    assert here["ProvisionedReadCapacityAutoScalingSettings"] == OFF
    assert there["ProvisionedReadCapacityAutoScalingSettings"]["MinimumUnits"] == 5
    assert found[HERE][WRITE] == OFF


def test_a_policy_is_kept_with_its_target(dynamodb: Any) -> None:
    given = {**UNITS, "ScalingPolicyUpdate": policy(62.5, PolicyName="mine")}
    settings = update(dynamodb, ProvisionedWriteCapacityAutoScalingUpdate=given)[HERE][WRITE]
    assert settings["ScalingPolicies"] == [
        {
            "PolicyName": "mine",
            "TargetTrackingScalingPolicyConfiguration": {
                "DisableScaleIn": False,
                "TargetValue": 62.5,
            },
        }
    ]


def test_what_an_update_does_not_name_stays(dynamodb: Any) -> None:
    given = {**UNITS, "ScalingPolicyUpdate": policy(70)}
    before = update(dynamodb, ProvisionedWriteCapacityAutoScalingUpdate=given)[HERE][WRITE]
    after = update(dynamodb, ProvisionedWriteCapacityAutoScalingUpdate={"MaximumUnits": 60})
    assert after[HERE][WRITE] == {**before, "MaximumUnits": 60}


def test_scaling_is_switched_off(dynamodb: Any) -> None:
    update(dynamodb, ProvisionedWriteCapacityAutoScalingUpdate=UNITS)
    off = {"AutoScalingDisabled": True}
    assert update(dynamodb, ProvisionedWriteCapacityAutoScalingUpdate=off)[THERE][WRITE] == OFF


def test_a_replica_made_anew_shares_writes_and_has_no_reads(client: Client, dynamodb: Any) -> None:
    replica = {"RegionName": THERE, "ReplicaProvisionedReadCapacityAutoScalingUpdate": UNITS}
    update(dynamodb, ProvisionedWriteCapacityAutoScalingUpdate=UNITS, ReplicaUpdates=[replica])
    other = {"RegionName": "ap-south-1"}
    dynamodb.update_table(TableName="books", ReplicaUpdates=[{"Create": other}])
    client("dynamodb", region="ap-south-1").get_waiter("table_exists").wait(TableName="books")
    found = described(client("dynamodb", region="ap-south-1"))
    assert set(found) == {HERE, THERE, "ap-south-1"}
    assert found["ap-south-1"][WRITE]["MinimumUnits"] == 5
    assert found["ap-south-1"][READ] == OFF
    assert found[THERE][READ]["MinimumUnits"] == 5


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "ValidationException"),
        (
            {"ProvisionedWriteCapacityAutoScalingUpdate": {"MinimumUnits": 5}},
            "ValidationException",
        ),
        (
            {
                "ProvisionedWriteCapacityAutoScalingUpdate": {
                    "MinimumUnits": 5,
                    "MaximumUnits": 4,
                }
            },
            "ValidationException",
        ),
        (
            {
                "ReplicaUpdates": [
                    {
                        "RegionName": "ap-south-1",
                        "ReplicaProvisionedReadCapacityAutoScalingUpdate": UNITS,
                    }
                ]
            },
            "ValidationException",
        ),
        (
            {
                "GlobalSecondaryIndexUpdates": [
                    {"IndexName": "other", "ProvisionedWriteCapacityAutoScalingUpdate": UNITS}
                ]
            },
            "ResourceNotFoundException",
        ),
    ],
)
def test_settings_that_do_not_hold_are_refused(
    dynamodb: Any, more: dict[str, Any], code: str
) -> None:
    assert refusal(update, dynamodb, **more)[0] == code


def test_a_table_without_replicas_has_no_such_settings(client: Client) -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(**TABLE)
    assert refusal(update, dynamodb, ProvisionedWriteCapacityAutoScalingUpdate=UNITS) == (
        "ResourceNotFoundException",
        "Global table with name: 'books' does not exist.",
    )
