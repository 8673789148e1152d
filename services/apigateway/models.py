"""Models. An API has two from the start; making more comes with request validation."""

from fogbank.services.apigateway import records
from fogbank.services.apigateway.errors import NotBuilt, NotFoundException
from fogbank.services.apigateway.records import Record, require_api, require_part
from fogbank.services.apigateway.service import service
from fogbank.services.context import Context, Input, Output
from fogbank.storage.kv import Reader

_EMPTY = """{
  "$schema": "http://json-schema.org/draft-04/schema#",
  "title" : "Empty Schema",
  "type" : "object"
}"""
_ERROR = """{
  "$schema" : "http://json-schema.org/draft-04/schema#",
  "title" : "Error Schema",
  "type" : "object",
  "properties" : {
    "message" : { "type" : "string" }
  }
}"""
DEFAULT_MODELS: tuple[Record, ...] = (
    {
        "name": "Empty",
        "description": "This is a default empty schema model",
        "schema": _EMPTY,
        "contentType": "application/json",
    },
    {
        "name": "Error",
        "description": "This is a default error schema model",
        "schema": _ERROR,
        "contentType": "application/json",
    },
)


@service.operation("GetModel")
async def get_model(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetModel.html"""
    if request.get("flatten"):
        raise NotBuilt("GetModel's flatten")
    name = request["modelName"]

    def read(tx: Reader) -> Record:
        require_api(tx, ctx.world, request["restApiId"])
        missing = NotFoundException.model(name)
        return require_part(tx, ctx.world, request["restApiId"], "model", name, missing)

    return await ctx.store.read(read, brief=True)


@service.operation("GetModels")
async def get_models(ctx: Context, request: Input) -> Output:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_GetModels.html"""

    def read(tx: Reader) -> list[Record]:
        require_api(tx, ctx.world, request["restApiId"])
        return list(records.parts(tx, ctx.world, request["restApiId"], "model"))

    return records.paged(await ctx.store.read(read), "name", request)
