"""Runs on each object created: records the size and the dimensions of the image in its row."""

import os
import struct
from pathlib import PurePosixPath
from urllib.parse import unquote_plus

import boto3

TABLE = os.environ["TABLE"]
# Every format below says its dimensions within its first bytes, but for a JPEG's long prologue.
HEAD_BYTES = 65_536

s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        size = record["s3"]["object"]["size"]
        head = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{HEAD_BYTES - 1}")["Body"]
        width, height = dimensions(head.read())
        dynamodb.update_item(
            TableName=TABLE,
            Key={"id": {"S": PurePosixPath(key).stem}},
            UpdateExpression="SET #state = :measured, bytes = :bytes, width = :w, height = :h",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":measured": {"S": "measured"},
                ":bytes": {"N": str(size)},
                ":w": {"N": str(width)},
                ":h": {"N": str(height)},
            },
        )
        print(f"{key}: {size} bytes, {width} x {height}")


def dimensions(head):
    """Width and height in pixels, from the first bytes of a PNG, GIF or JPEG."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return struct.unpack(">II", head[16:24])
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return struct.unpack("<HH", head[6:10])
    if head.startswith(b"\xff\xd8"):
        return jpeg_dimensions(head)
    raise ValueError("neither PNG, GIF nor JPEG")


def jpeg_dimensions(head):
    at = 2
    while at + 9 < len(head):
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        # SOF0 to SOF15 hold the frame's size; C4, C8 and CC are tables that share the range.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + length
    raise ValueError("no frame header in the JPEG's first bytes")
