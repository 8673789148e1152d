"""Global tables through boto3: two regions of one account."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.dynamodb.test_backups import KEYED, count, fill, wait_for

Client = Callable[..., Any]


def test_a_table_is_the_same_in_two_regions(client: Client) -> None:
    here, there = client("dynamodb"), client("dynamodb", region="eu-west-1")
    here.create_table(TableName="world", **KEYED)
    fill(here, "world", 20)
    here.update_table(TableName="world", ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])

    def ready() -> bool:
        table = here.describe_table(TableName="world")["Table"]
        return [one["ReplicaStatus"] for one in table["Replicas"]] == ["ACTIVE"]

    wait_for(ready, "the replica is ACTIVE")
    assert count(there, "world") == 20
    there.put_item(TableName="world", Item={"id": {"S": "theirs"}})
    here.delete_item(TableName="world", Key={"id": {"S": "0"}})
    wait_for(lambda: "Item" in here.get_item(TableName="world", Key={"id": {"S": "theirs"}}), "put")
    wait_for(lambda: count(there, "world") == 20, "the deletion arrives")
    assert count(here, "world") == 20
    with pytest.raises(ClientError, match="Cannot add or delete the local region"):
        here.update_table(
            TableName="world", ReplicaUpdates=[{"Delete": {"RegionName": "us-east-1"}}]
        )
    here.update_table(TableName="world", ReplicaUpdates=[{"Delete": {"RegionName": "eu-west-1"}}])
    with pytest.raises(there.exceptions.ResourceNotFoundException):
        there.describe_table(TableName="world")
    assert "Replicas" not in here.describe_table(TableName="world")["Table"]
