"""IAM's errors, each with its exact text in one place."""

from fogbank.services.errors import AwsError


class NoSuchEntity(AwsError):
    code = "NoSuchEntity"
    status = 404

    @classmethod
    def named(cls, kind: str, name: str) -> "NoSuchEntity":
        """`kind` is "role" or "user"."""
        return cls(f"The {kind} with name {name} cannot be found.")

    @classmethod
    def inline(cls, kind: str, policy: str) -> "NoSuchEntity":
        return cls(f"The {kind} policy with name {policy} cannot be found.")

    @classmethod
    def policy(cls, arn: str) -> "NoSuchEntity":
        return cls(f"Policy {arn} was not found.")

    @classmethod
    def not_attachable(cls, arn: str) -> "NoSuchEntity":
        return cls(f"Policy {arn} does not exist or is not attachable.")

    @classmethod
    def version(cls, arn: str, version: str) -> "NoSuchEntity":
        return cls(f"Policy {arn} version {version} does not exist or is not attachable.")

    @classmethod
    def access_key(cls, access_key: str) -> "NoSuchEntity":
        return cls(f"The Access Key with id {access_key} cannot be found.")


class EntityAlreadyExists(AwsError):
    code = "EntityAlreadyExists"
    status = 409

    @classmethod
    def named(cls, kind: str, name: str) -> "EntityAlreadyExists":
        """`kind` is "Role" or "User"."""
        return cls(f"{kind} with name {name} already exists.")

    @classmethod
    def policy(cls, name: str) -> "EntityAlreadyExists":
        return cls(f"A policy called {name} already exists. Duplicate names are not allowed.")


class DeleteConflict(AwsError):
    code = "DeleteConflict"
    status = 409

    @classmethod
    def policies_first(cls) -> "DeleteConflict":
        return cls("Cannot delete entity, must delete policies first.")

    @classmethod
    def detach_first(cls) -> "DeleteConflict":
        return cls("Cannot delete entity, must detach all policies first.")

    @classmethod
    def keys_first(cls) -> "DeleteConflict":
        return cls("Cannot delete entity, must delete access keys first.")

    @classmethod
    def attached(cls) -> "DeleteConflict":
        return cls("Cannot delete a policy attached to entities.")

    @classmethod
    def versions(cls) -> "DeleteConflict":
        return cls(
            "This policy has more than one version. Before you delete a policy, you must "
            "delete the policy's versions. The default version is deleted with the policy."
        )

    @classmethod
    def default_version(cls) -> "DeleteConflict":
        return cls("Cannot delete the default version of a policy.")


class MalformedPolicyDocument(AwsError):
    code = "MalformedPolicyDocument"
    status = 400

    @classmethod
    def not_json(cls) -> "MalformedPolicyDocument":
        return cls("This policy contains invalid Json")

    @classmethod
    def syntax(cls) -> "MalformedPolicyDocument":
        return cls("Syntax errors in policy.")


class LimitExceeded(AwsError):
    code = "LimitExceeded"
    status = 409

    @classmethod
    def policy_versions(cls) -> "LimitExceeded":
        return cls(
            "A managed policy can have up to 5 versions. Before you create a new version, you must "
            "delete an existing version."
        )

    @classmethod
    def access_keys(cls) -> "LimitExceeded":
        return cls("Cannot exceed quota for AccessKeysPerUser: 2")

    @classmethod
    def tags(cls) -> "LimitExceeded":
        return cls("The number of tags has reached the maximum limit.")


class InvalidInput(AwsError):
    code = "InvalidInput"
    status = 400

    @classmethod
    def duplicate_tags(cls) -> "InvalidInput":
        return cls("Duplicate tag keys found. Please note that Tag keys are case insensitive.")

    @classmethod
    def policy_arn(cls, arn: str) -> "InvalidInput":
        return cls(f"ARN {arn} is not valid.")


class ValidationError(AwsError):
    code = "ValidationError"
    status = 400

    @classmethod
    def marker(cls) -> "ValidationError":
        return cls("Invalid Marker.")
