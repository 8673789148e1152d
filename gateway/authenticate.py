"""Who calls: the access key's owner; in `strict` the signature proves it."""

from fogbank.gateway.http import HttpRequest
from fogbank.gateway.identify import Identity
from fogbank.services.context import Caller

ANONYMOUS = "anonymous"


class Authenticator:
    """Open: any credentials, also none."""

    async def admit(self, request: HttpRequest, identity: Identity) -> tuple[str, Caller]:
        """The account and the caller of the request."""
        account = identity.account
        return account, root_of(account, identity.access_key)


def root_of(account: str, access_key: str) -> Caller:
    return Caller(access_key, f"arn:aws:iam::{account}:root", account)
