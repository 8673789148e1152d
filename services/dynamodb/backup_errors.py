"""Errors of backups, recovery, exports and imports, with AWS's texts."""

from fogbank.services.errors import AwsError


class BackupNotFoundException(AwsError):
    code = "BackupNotFoundException"

    def __init__(self, arn: str) -> None:
        super().__init__(f"Backup not found: {arn}")


class BackupInUseException(AwsError):
    code = "BackupInUseException"


class TableAlreadyExistsException(AwsError):
    code = "TableAlreadyExistsException"

    def __init__(self, table: str) -> None:
        super().__init__(f"Table already exists: {table}")


class TableInUseException(AwsError):
    code = "TableInUseException"


class PointInTimeRecoveryUnavailableException(AwsError):
    code = "PointInTimeRecoveryUnavailableException"

    def __init__(self, table: str) -> None:
        super().__init__(f"Point in time recovery is not enabled for table '{table}'")


class InvalidRestoreTimeException(AwsError):
    code = "InvalidRestoreTimeException"

    def __init__(self, wanted: str, earliest: str, latest: str) -> None:
        super().__init__(
            f"RestoreDateTime '{wanted}' must be within EarliestRestorableDateTime '{earliest}' "
            f"and LatestRestorableDateTime '{latest}'"
        )


class InvalidExportTimeException(AwsError):
    code = "InvalidExportTimeException"


class ExportNotFoundException(AwsError):
    code = "ExportNotFoundException"

    def __init__(self, detail: str) -> None:
        super().__init__(f"Export not found: {detail}")


class ExportConflictException(AwsError):
    code = "ExportConflictException"

    def __init__(self) -> None:
        super().__init__("Export conflict: Duplicate request detected with conflicting parameters")


class ImportNotFoundException(AwsError):
    code = "ImportNotFoundException"

    def __init__(self, detail: str) -> None:
        super().__init__(f"Import not found: {detail}")


class ImportConflictException(AwsError):
    code = "ImportConflictException"

    def __init__(self) -> None:
        super().__init__("Import conflict: Duplicate request detected with conflicting parameters")


class AccessDenied(AwsError):
    """An ARN of another account."""

    code = "AccessDeniedException"

    def __init__(self) -> None:
        super().__init__("Access is denied")
