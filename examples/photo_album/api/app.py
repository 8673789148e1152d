"""The REST API: POST /photos, GET /photos, GET /photos/{id}."""

import base64
import json
import os
import uuid
from urllib.parse import unquote_plus

import boto3

BUCKET = os.environ["BUCKET"]
TABLE = os.environ["TABLE"]
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}

s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


def handler(event, context):
    route = ROUTES[event["httpMethod"], event["resource"]]
    status, answer = route(event)
    print(f"{event['httpMethod']} {event['path']} -> {status}")
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(answer),
    }


def add_photo(event):
    headers = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    content_type = headers.get("content-type", "")
    if content_type not in EXTENSIONS:
        return 415, {"message": f"send one of {', '.join(EXTENSIONS)}"}
    body = event["body"] or ""
    image = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    title = unquote_plus((event["queryStringParameters"] or {}).get("title", "untitled"))
    photo_id = str(uuid.uuid4())
    key = f"photos/{photo_id}.{EXTENSIONS[content_type]}"
    # The row first: the put event's function finds it when it comes to record the measures.
    dynamodb.put_item(
        TableName=TABLE,
        Item={
            "id": {"S": photo_id},
            "title": {"S": title},
            "object": {"S": key},
            "state": {"S": "uploaded"},
        },
    )
    s3.put_object(Bucket=BUCKET, Key=key, Body=image, ContentType=content_type)
    return 201, {"id": photo_id, "title": title}


def list_photos(event):
    rows = dynamodb.scan(TableName=TABLE)["Items"]
    return 200, {"photos": sorted((plain(row) for row in rows), key=lambda row: row["title"])}


def get_photo(event):
    photo_id = event["pathParameters"]["id"]
    row = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": photo_id}}).get("Item")
    if row is None:
        return 404, {"message": f"there is no photo {photo_id}"}
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": row["object"]["S"]}, ExpiresIn=600
    )
    return 200, {**plain(row), "url": url}


def plain(row):
    return {
        name: int(value["N"]) if "N" in value else next(iter(value.values()))
        for name, value in row.items()
    }


ROUTES = {
    ("POST", "/photos"): add_photo,
    ("GET", "/photos"): list_photos,
    ("GET", "/photos/{id}"): get_photo,
}
