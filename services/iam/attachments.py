"""Managed policies on roles and users: one handler for each, the same rules for both."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.iam import entities, policies
from fogbank.services.iam.errors import NoSuchEntity
from fogbank.services.iam.service import service
from fogbank.storage.kv import Writer


def _register(kind: str, word: str) -> None:
    """The three operations of `kind` ("role"), whose names carry `word` ("Role")."""
    member = f"{word}Name"

    @service.operation(f"Attach{word}Policy")
    async def attach(ctx: Context, request: Input) -> Output:
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html"""
        arn = request["PolicyArn"]

        def work(tx: Writer) -> None:
            entity = entities.require(tx, ctx.world, kind, request[member])
            if arn in entity["attached"]:
                return
            policies.count_attachment(tx, ctx.world, arn, 1)
            entity["attached"][arn] = arn.rpartition("/")[2]
            entities.save(tx, ctx.world, kind, request[member], entity)

        await ctx.store.write(work)
        return {}

    @service.operation(f"Detach{word}Policy")
    async def detach(ctx: Context, request: Input) -> Output:
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachRolePolicy.html"""
        arn = request["PolicyArn"]

        def work(tx: Writer) -> None:
            entity = entities.require(tx, ctx.world, kind, request[member])
            if entity["attached"].pop(arn, None) is None:
                raise NoSuchEntity.policy(arn)
            policies.count_attachment(tx, ctx.world, arn, -1)
            entities.save(tx, ctx.world, kind, request[member], entity)

        await ctx.store.write(work)
        return {}

    @service.operation(f"ListAttached{word}Policies")
    async def list_all(ctx: Context, request: Input) -> Output:
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedRolePolicies.html"""
        name, prefix = request[member], request.get("PathPrefix") or "/"
        entity = await ctx.store.read(lambda tx: entities.require(tx, ctx.world, kind, name))
        found = {
            arn: {"PolicyName": policy, "PolicyArn": arn}
            for arn, policy in entity["attached"].items()
            if arn.partition(":policy")[2].startswith(prefix)
        }
        return entities.page(
            request, entities.rest_of(found, request), "AttachedPolicies", lambda one: one
        )


for _kind, _word in (("role", "Role"), ("user", "User")):
    _register(_kind, _word)
