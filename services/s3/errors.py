"""Every error that S3 answers: code, status and exact text in one place.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from typing import Any

from fogbank.services.errors import AwsError


class NoSuchBucket(AwsError):
    code = "NoSuchBucket"
    status = 404

    def __init__(self, bucket: str) -> None:
        super().__init__("The specified bucket does not exist", BucketName=bucket)


class NoSuchKey(AwsError):
    code = "NoSuchKey"
    status = 404

    def __init__(self, key: str) -> None:
        super().__init__("The specified key does not exist.", Key=key)


class NoSuchVersion(AwsError):
    code = "NoSuchVersion"
    status = 404

    def __init__(self, key: str, version: str) -> None:
        super().__init__("The specified version does not exist.", Key=key, VersionId=version)


class NoSuchUpload(AwsError):
    code = "NoSuchUpload"
    status = 404

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
            "have been aborted or completed.",
            UploadId=upload_id,
        )


class NotConfigured(AwsError):
    """What a bucket answers when one of its settings was never made."""

    status = 404


class NoSuchBucketPolicy(NotConfigured):
    code = "NoSuchBucketPolicy"

    def __init__(self, bucket: str) -> None:
        super().__init__("The bucket policy does not exist", BucketName=bucket)


class NoSuchCORSConfiguration(NotConfigured):
    code = "NoSuchCORSConfiguration"

    def __init__(self, bucket: str) -> None:
        super().__init__("The CORS configuration does not exist", BucketName=bucket)


class NoSuchWebsiteConfiguration(NotConfigured):
    code = "NoSuchWebsiteConfiguration"

    def __init__(self, bucket: str) -> None:
        super().__init__(
            "The specified bucket does not have a website configuration", BucketName=bucket
        )


class NoSuchLifecycleConfiguration(NotConfigured):
    code = "NoSuchLifecycleConfiguration"

    def __init__(self, bucket: str) -> None:
        super().__init__("The lifecycle configuration does not exist", BucketName=bucket)


class ReplicationConfigurationNotFoundError(NotConfigured):
    code = "ReplicationConfigurationNotFoundError"

    def __init__(self, bucket: str) -> None:
        super().__init__("The replication configuration was not found", BucketName=bucket)


class NoSuchTagSet(NotConfigured):
    code = "NoSuchTagSet"

    def __init__(self, bucket: str) -> None:
        super().__init__("The TagSet does not exist", BucketName=bucket)


class ObjectLockConfigurationNotFoundError(NotConfigured):
    code = "ObjectLockConfigurationNotFoundError"

    def __init__(self, bucket: str) -> None:
        super().__init__(
            "Object Lock configuration does not exist for this bucket", BucketName=bucket
        )


class BucketAlreadyOwnedByYou(AwsError):
    code = "BucketAlreadyOwnedByYou"
    status = 409

    def __init__(self, bucket: str) -> None:
        super().__init__(
            "Your previous request to create the named bucket succeeded and you already own it.",
            BucketName=bucket,
        )


class BucketAlreadyExists(AwsError):
    code = "BucketAlreadyExists"
    status = 409

    def __init__(self, bucket: str) -> None:
        super().__init__(
            "The requested bucket name is not available. The bucket namespace is shared by all "
            "users of the system. Please select a different name and try again.",
            BucketName=bucket,
        )


class BucketNotEmpty(AwsError):
    code = "BucketNotEmpty"
    status = 409

    def __init__(self, bucket: str) -> None:
        super().__init__("The bucket you tried to delete is not empty", BucketName=bucket)


class InvalidBucketName(AwsError):
    code = "InvalidBucketName"

    def __init__(self, bucket: str) -> None:
        super().__init__("The specified bucket is not valid.", BucketName=bucket)


class InvalidLocationConstraint(AwsError):
    code = "InvalidLocationConstraint"

    def __init__(self, constraint: str) -> None:
        super().__init__(
            "The specified location-constraint is not valid", LocationConstraint=constraint
        )


class IllegalLocationConstraintException(AwsError):
    code = "IllegalLocationConstraintException"

    def __init__(self, constraint: str) -> None:
        super().__init__(
            f"The {constraint} location constraint is incompatible for the region specific "
            "endpoint this request was sent to."
        )


class InvalidBucketOwnerAWSAccountID(AwsError):
    code = "InvalidBucketOwnerAWSAccountID"

    def __init__(self, owner: str) -> None:
        super().__init__(
            "The value of the expected bucket owner parameter must be an AWS Account ID... "
            f"[{owner}]"
        )


class InvalidBucketAclWithObjectOwnership(AwsError):
    code = "InvalidBucketAclWithObjectOwnership"

    def __init__(self) -> None:
        super().__init__(
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        )


class AccessControlListNotSupported(AwsError):
    code = "AccessControlListNotSupported"

    def __init__(self) -> None:
        super().__init__("The bucket does not allow ACLs")


class InvalidArgument(AwsError):
    code = "InvalidArgument"

    def __init__(self, message: str, name: str, value: Any = ...) -> None:
        """`value` is left out of the document where AWS leaves it out."""
        fields: dict[str, Any] = {"ArgumentName": name}
        if value is not ...:
            fields["ArgumentValue"] = value
        super().__init__(message, **fields)


class InvalidConfiguration(AwsError):
    """An InvalidArgument that names no argument: the parts of a configuration do not agree."""

    code = "InvalidArgument"


class InvalidRequest(AwsError):
    code = "InvalidRequest"


class BadRequest(AwsError):
    code = "BadRequest"


class MalformedXML(AwsError):
    code = "MalformedXML"

    def __init__(self) -> None:
        super().__init__(
            "The XML you provided was not well-formed or did not validate against our published "
            "schema"
        )


class InvalidTag(AwsError):
    code = "InvalidTag"


class InvalidDigest(AwsError):
    code = "InvalidDigest"

    def __init__(self, given: str) -> None:
        fields: dict[str, Any] = {"Content-MD5": given}
        super().__init__("The Content-MD5 you specified was invalid.", **fields)


class BadDigest(AwsError):
    code = "BadDigest"

    @classmethod
    def of_md5(cls, expected: str, calculated: str) -> "BadDigest":
        return cls(
            "The Content-MD5 you specified did not match what we received.",
            ExpectedDigest=expected,
            CalculatedDigest=calculated,
        )

    @classmethod
    def of_checksum(cls, algorithm: str) -> "BadDigest":
        return cls(f"The {algorithm} you specified did not match the calculated checksum.")


class MalformedTrailerError(AwsError):
    code = "MalformedTrailerError"

    def __init__(self) -> None:
        super().__init__(
            "The request contained trailing data that was not well-formed or did not conform to "
            "our published schema."
        )


class IncompleteBody(AwsError):
    code = "IncompleteBody"

    def __init__(self, expected: int, received: int) -> None:
        super().__init__(
            "You did not provide the number of bytes specified by the Content-Length HTTP header",
            NumberBytesExpected=expected,
            NumberBytesProvided=received,
        )


class MissingContentLength(AwsError):
    code = "MissingContentLength"
    status = 411

    def __init__(self) -> None:
        super().__init__("You must provide the Content-Length HTTP header.")


class EntityTooLarge(AwsError):
    code = "EntityTooLarge"

    def __init__(self, proposed: int, most: int) -> None:
        super().__init__(
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=proposed,
            MaxSizeAllowed=most,
        )


class EntityTooSmall(AwsError):
    code = "EntityTooSmall"

    def __init__(self, proposed: int, least: int, number: int, etag: str) -> None:
        super().__init__(
            "Your proposed upload is smaller than the minimum allowed size",
            ProposedSize=proposed,
            MinSizeAllowed=least,
            PartNumber=number,
            ETag=etag,
        )


class KeyTooLongError(AwsError):
    code = "KeyTooLongError"

    def __init__(self, size: int, most: int) -> None:
        super().__init__("Your key is too long", Size=size, MaxSizeAllowed=most)


class MetadataTooLarge(AwsError):
    code = "MetadataTooLarge"

    def __init__(self, size: int, most: int) -> None:
        super().__init__(
            "Your metadata headers exceed the maximum allowed metadata size",
            Size=size,
            MaxSizeAllowed=most,
        )


class InvalidStorageClass(AwsError):
    code = "InvalidStorageClass"

    def __init__(self, requested: str) -> None:
        super().__init__(
            "The storage class you specified is not valid", StorageClassRequested=requested
        )


class InvalidObjectState(AwsError):
    code = "InvalidObjectState"
    status = 403

    def __init__(self, storage_class: str) -> None:
        super().__init__(
            "The operation is not valid for the object's storage class", StorageClass=storage_class
        )


class InvalidRange(AwsError):
    code = "InvalidRange"
    status = 416

    def __init__(self, requested: str, size: int) -> None:
        super().__init__(
            "The requested range is not satisfiable",
            RangeRequested=requested,
            ActualObjectSize=size,
        )


class InvalidPartNumber(AwsError):
    code = "InvalidPartNumber"
    status = 416

    def __init__(self, requested: int, actual: int) -> None:
        super().__init__(
            "The requested partnumber is not satisfiable",
            PartNumberRequested=requested,
            ActualPartCount=actual,
        )


class InvalidPart(AwsError):
    code = "InvalidPart"

    def __init__(self, upload_id: str, number: int, etag: str) -> None:
        super().__init__(
            "One or more of the specified parts could not be found.  The part may not have been "
            "uploaded, or the specified entity tag may not match the part's entity tag.",
            UploadId=upload_id,
            PartNumber=number,
            ETag=etag,
        )


class InvalidPartOrder(AwsError):
    code = "InvalidPartOrder"

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
            UploadId=upload_id,
        )


class PreconditionFailed(AwsError):
    code = "PreconditionFailed"
    status = 412

    def __init__(self, condition: str) -> None:
        super().__init__(
            "At least one of the pre-conditions you specified did not hold", Condition=condition
        )


class ConditionalRequestConflict(AwsError):
    code = "ConditionalRequestConflict"
    status = 409

    def __init__(self, condition: str, key: str) -> None:
        super().__init__(
            "The conditional request cannot succeed due to a conflicting operation against this "
            "resource.",
            Condition=condition,
            Key=key,
        )


class NotModified(AwsError):
    """304: the codec sends no body; the validators go along as headers."""

    code = "304"
    status = 304

    def __init__(self, etag: str, last_modified: str) -> None:
        super().__init__("Not Modified", headers={"ETag": etag, "Last-Modified": last_modified})


class HeaderNotImplemented(AwsError):
    """AWS's own 501 for a header whose function S3 does not offer (ours is NotImplementedYet)."""

    code = "NotImplemented"
    status = 501

    def __init__(self, header: str, why: str | None = None) -> None:
        fields: dict[str, Any] = {"Header": header}
        if why is not None:
            fields["additionalMessage"] = why
        super().__init__(
            "A header you provided implies functionality that is not implemented", **fields
        )


class InternalError(AwsError):
    """Stored bytes that should be there are not, or are damaged; the log has the particulars."""

    code = "InternalError"
    status = 500

    def __init__(self) -> None:
        super().__init__("We encountered an internal error. Please try again.")


class ServiceUnavailable(AwsError):
    """The disk is full. AWS's never is; this is the answer that clients take for passing."""

    code = "ServiceUnavailable"
    status = 503

    def __init__(self) -> None:
        super().__init__("Service is unable to handle request.")
