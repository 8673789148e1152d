"""Inline policies of roles and users: one handler for each, the same rules for both."""

from fogbank.services.context import Context, Input, Output
from fogbank.services.iam import documents, entities
from fogbank.services.iam.errors import NoSuchEntity
from fogbank.services.iam.service import service
from fogbank.storage.kv import Writer


def _register(kind: str, word: str) -> None:
    """The four operations of `kind` ("role"), whose names carry `word` ("Role")."""
    member = f"{word}Name"

    @service.operation(f"Put{word}Policy")
    async def put(ctx: Context, request: Input) -> Output:
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html"""
        documents.check(request["PolicyDocument"])

        def work(tx: Writer) -> None:
            entity = entities.require(tx, ctx.world, kind, request[member])
            entity["inline"][request["PolicyName"]] = request["PolicyDocument"]
            entities.save(tx, ctx.world, kind, request[member], entity)

        await ctx.store.write(work)
        return {}

    @service.operation(f"Get{word}Policy")
    async def get(ctx: Context, request: Input) -> Output:
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html"""
        name, policy = request[member], request["PolicyName"]
        entity = await ctx.store.read(lambda tx: entities.require(tx, ctx.world, kind, name))
        if policy not in entity["inline"]:
            raise NoSuchEntity.inline(kind, policy)
        return {
            member: name,
            "PolicyName": policy,
            "PolicyDocument": documents.encoded(entity["inline"][policy]),
        }

    @service.operation(f"List{word}Policies")
    async def list_all(ctx: Context, request: Input) -> Output:
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html"""
        name = request[member]
        entity = await ctx.store.read(lambda tx: entities.require(tx, ctx.world, kind, name))
        names = {policy: policy for policy in entity["inline"]}
        return entities.page(
            request, entities.rest_of(names, request), "PolicyNames", lambda policy: policy
        )

    @service.operation(f"Delete{word}Policy")
    async def delete(ctx: Context, request: Input) -> Output:
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRolePolicy.html"""
        policy = request["PolicyName"]

        def work(tx: Writer) -> None:
            entity = entities.require(tx, ctx.world, kind, request[member])
            if entity["inline"].pop(policy, None) is None:
                raise NoSuchEntity.inline(kind, policy)
            entities.save(tx, ctx.world, kind, request[member], entity)

        await ctx.store.write(work)
        return {}


for _kind, _word in (("role", "Role"), ("user", "User")):
    _register(_kind, _word)
