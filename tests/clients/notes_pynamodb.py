"""A notebook on PynamoDB: models, an index, conditions, updates, batches and a transaction."""

import os
from datetime import UTC, datetime
from typing import Any

from pynamodb.attributes import (
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
    VersionAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, PutError, TransactWriteError
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

HOST = os.environ["AWS_ENDPOINT_URL"]


class ByMood(GlobalSecondaryIndex[Any]):
    class Meta:
        index_name = "by-mood"
        projection = AllProjection()
        billing_mode = "PAY_PER_REQUEST"

    mood = UnicodeAttribute(hash_key=True)
    written = UTCDateTimeAttribute(range_key=True)


class Place(MapAttribute[str, Any]):
    name = UnicodeAttribute()
    metres = NumberAttribute()


class Note(Model):
    class Meta:
        table_name = "notes-pynamodb"
        host = HOST
        region = "us-east-1"
        billing_mode = "PAY_PER_REQUEST"

    book = UnicodeAttribute(hash_key=True)
    number = NumberAttribute(range_key=True)
    text = UnicodeAttribute()
    mood = UnicodeAttribute()
    written = UTCDateTimeAttribute()
    tags = UnicodeSetAttribute(null=True)
    places = ListAttribute(of=Place, null=True)
    version = VersionAttribute()
    by_mood = ByMood()


def note(number: int, mood: str = "calm", **more: Any) -> Note:
    written = datetime(2026, 1, 1, 12, number % 60, tzinfo=UTC)
    return Note("fog", number, text=f"note {number}", mood=mood, written=written, **more)


def main() -> None:
    Note.create_table(wait=True)
    first = note(1, tags={"sea", "grey"}, places=[Place(name="pier", metres=3)])
    first.save()
    found = Note.get("fog", 1)
    assert found.tags == {"sea", "grey"} and found.places[0].name == "pier"
    assert found.written == datetime(2026, 1, 1, 12, 1, tzinfo=UTC)

    found.update(actions=[Note.text.set("changed"), Note.tags.add({"wind"})])
    assert Note.get("fog", 1).tags == {"sea", "grey", "wind"}
    try:
        first.save()  # It still has the version from before the update.
        raise AssertionError("a stale version was written")
    except PutError as error:
        assert error.cause_response_code == "ConditionalCheckFailedException"

    with Note.batch_write() as batch:
        for number in range(2, 40):
            batch.save(note(number, "wild" if number % 2 else "calm"))
    page = Note.query("fog", Note.number.between(10, 20), scan_index_forward=False)
    assert [one.number for one in page] == list(range(20, 9, -1))
    assert len(list(Note.by_mood.query("wild", page_size=5))) == 19
    assert Note.count("fog", filter_condition=Note.text.startswith("note")) == 38
    assert len(list(Note.scan(Note.tags.exists()))) == 1
    wanted = [("fog", number) for number in range(1, 40)]
    assert len(list(Note.batch_get(wanted))) == 39

    connection = Connection(region="us-east-1", host=HOST)
    with TransactWrite(connection=connection) as transaction:
        transaction.save(note(100))
        transaction.delete(Note.get("fog", 2))
    assert Note.get("fog", 100).text == "note 100"
    try:
        with TransactWrite(connection=connection) as transaction:
            transaction.save(note(101))
            transaction.condition_check(Note, "fog", 1, condition=Note.text == "something else")
        raise AssertionError("the transaction was not cancelled")
    except TransactWriteError as error:
        assert error.cause_response_code == "TransactionCanceledException"
    try:
        Note.get("fog", 101)
        raise AssertionError("a cancelled transaction left an item")
    except DoesNotExist:
        pass
    Note.delete_table()
    print("done")


if __name__ == "__main__":
    main()
