"""Where S3 departs from its model, one function or table each, with the reason."""

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from fogbank.gateway.http import HttpRequest
from fogbank.gateway.models import Member, OperationModel, ServiceModel
from fogbank.gateway.protocols import http_bindings
from fogbank.gateway.protocols.faults import InvalidArgument, InvalidURI, MalformedXML
from fogbank.gateway.protocols.http_bindings import Bindings, FromText
from fogbank.gateway.protocols.xml_values import DECLARATION, escape
from fogbank.services.errors import AwsError

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

# Operations that share method, path and query with another one, and why they lose.
NOT_ROUTED = {
    "GetBucketLifecycle": "deprecated; GetBucketLifecycleConfiguration answers its requests",
    "GetBucketNotification": "deprecated; GetBucketNotificationConfiguration answers",
    "PutBucketLifecycle": "deprecated; PutBucketLifecycleConfiguration answers",
    "PutBucketNotification": "deprecated; PutBucketNotificationConfiguration answers",
    "ListDirectoryBuckets": "told from ListBuckets only by the host s3express-control",
    "WriteGetObjectResponse": "told from a bucket only by the host s3-object-lambda",
}

# The names of the answers' root elements. The model has them nowhere: parsers ignore them, but
# AWS's documentation and clients that do look (Ceph's tests, minio-go) agree on these.
ROOTS = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationsResult",
    "ListBucketIntelligentTieringConfigurations": "ListIntelligentTieringConfigurationsResult",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}

# Statuses that the model gives as 200.
STATUSES = {"PutBucketPolicy": 204}

# What S3 says of a parameter that it cannot read.
_UNREADABLE = {
    "max-keys": "Provided max-keys not an integer or within integer range",
    "max-uploads": "Provided max-uploads not an integer or within integer range",
    "max-parts": "Provided max-parts not an integer or within integer range",
    "max-buckets": "Provided max-buckets not an integer or within integer range",
    "part-number-marker": "Provided part-number-marker not an integer or within integer range",
    "partNumber": "Part number must be an integer between 1 and 10000, inclusive",
}


class MalformedACLError(AwsError):
    code = "MalformedACLError"

    def __init__(self) -> None:
        super().__init__(
            "The XML you provided was not well-formed or did not validate against our "
            "published schema"
        )


def bucket_and_key(path: str) -> tuple[str, str]:
    """Both still percent-encoded; a slash after the bucket's name addresses the bucket.

    The model's path templates cannot say this: a key may begin with a slash, hold any number of
    them in a row and end with one.
    """
    bucket, _, key = path.lstrip("/").partition("/") if path.startswith("/") else (path, "", "")
    return bucket, key


def resource_of(path: str) -> str:
    """What a path addresses, as S3's MethodNotAllowed calls it."""
    bucket, key = bucket_and_key(path)
    if key:
        return "OBJECT"
    return "BUCKET" if bucket else "SERVICE"


def take_bucket_and_key(request: HttpRequest, into: dict[str, Any]) -> None:
    bucket, key = bucket_and_key(request.path)
    try:
        if bucket:
            into["Bucket"] = http_bindings.unquoted(bucket)
        if key:
            into["Key"] = http_bindings.unquoted(key)
    except UnicodeDecodeError:
        raise InvalidURI(request.path) from None


def complain(member: Member, text: str) -> AwsError:
    """S3 names the parameter and its value in fields of their own."""
    message = _UNREADABLE.get(member.wire, f"Invalid value for {member.wire}")
    return InvalidArgument(message, member.wire, text)


def ignore_bad_dates(bindings: Bindings) -> None:
    """A conditional header whose date cannot be read is as if it were not there (RFC 9110)."""

    def lenient(convert: FromText) -> Callable[[str], Any]:
        def converted(text: str) -> Any:
            try:
                return convert(text)
            except InvalidArgument:
                return None

        return converted

    bindings.headers[:] = [
        (name, member, lenient(convert) if name.endswith(b"-since") else convert)
        for name, member, convert in bindings.headers
    ]


def take_hoisted_headers(
    bindings: Bindings, pairs: list[tuple[str, str]], into: dict[str, Any]
) -> None:
    """Presigned URLs carry `x-amz-` headers as query parameters; JavaScript's SDK moves them all.

    A header of the request itself is read afterwards and wins.
    """
    hoisted = {
        name.lower().encode("utf-8"): text for name, text in pairs if name[:6].lower() == "x-amz-"
    }
    if not hoisted:
        return
    for wire, member, convert in bindings.headers:
        if wire in hoisted:
            into[member] = convert(hoisted[wire])
    for prefix, member in bindings.prefixes:
        found = {
            name[len(prefix) :].decode("utf-8"): text
            for name, text in hoisted.items()
            if name.startswith(prefix)
        }
        if found:
            into[member] = found


def malformed(root: str) -> AwsError:
    """Access control lists have an error code of their own for the same text."""
    return MalformedACLError() if root == "AccessControlPolicy" else MalformedXML()


def location_document(output: dict[str, Any]) -> bytes:
    """GetBucketLocation's answer is the element itself, empty for us-east-1; the model wraps it."""
    location = output.get("LocationConstraint")
    if not location or location == "us-east-1":
        return f'{DECLARATION}<LocationConstraint xmlns="{NAMESPACE}"/>'.encode()
    return (
        f'{DECLARATION}<LocationConstraint xmlns="{NAMESPACE}">{escape(str(location))}'
        "</LocationConstraint>"
    ).encode()


def root_of(operation: OperationModel) -> str:
    return ROOTS.get(operation.name) or operation.output_name or f"{operation.name}Result"


def status_of(operation: OperationModel, status: int, output: dict[str, Any]) -> int:
    """A partial answer is 206, which the model does not know."""
    if output.get("ContentRange") and operation.name in ("GetObject", "HeadObject"):
        return 206
    return STATUSES.get(operation.name, status)


def host_id(request_id: str) -> str:
    """`x-amz-id-2`: opaque to clients, but support tools and loggers expect it to be there."""
    return base64.b64encode(hashlib.sha384(request_id.encode()).digest()).decode("ascii")


def error_code(model: ServiceModel, error: AwsError) -> str:
    """S3 has no suffix `Exception` and calls its own failures InternalError."""
    return "InternalError" if error.code == "InternalFailure" else error.code
