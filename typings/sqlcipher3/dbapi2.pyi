"""What this project uses of sqlcipher3, a compiled DB-API module that has no types of its own."""

from typing import Any

class Error(Exception):
    sqlite_errorcode: int
    sqlite_errorname: str

class DatabaseError(Error): ...
class OperationalError(DatabaseError): ...

# Alike to sqlite3.Connection, for which aiosqlite takes it, but no subclass of it.
def connect(
    database: str,
    timeout: float = ...,
    *,
    isolation_level: str | None = ...,
    check_same_thread: bool = ...,
    cached_statements: int = ...,
) -> Any: ...
