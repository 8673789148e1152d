"""REST APIs: fields, defaults, errors and PATCH."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.aws.apigateway.api import Api, bad_request, not_found, refused


def replace(path: str, value: str) -> list[dict[str, str]]:
    return [{"op": "replace", "path": path, "value": value}]


def test_a_new_api_has_awss_defaults(apigateway: Any) -> None:
    made = apigateway.create_rest_api(name="photos")
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    assert len(made.pop("id")) == len(made.pop("rootResourceId")) == 10
    assert abs(made.pop("createdDate") - datetime.now(UTC)) < timedelta(minutes=1)
    assert made == {
        "name": "photos",
        "apiKeySource": "HEADER",
        "disableExecuteApiEndpoint": False,
        "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"},
    }


def test_an_api_that_is_read_has_tags_even_when_there_are_none(api: Api) -> None:
    assert api.get_rest_api()["tags"] == {}


def test_a_new_api_has_the_root_resource_only(api: Api) -> None:
    assert api.get_resources()["items"] == [{"id": api.root_id, "path": "/"}]


def test_a_new_api_has_two_models(api: Api) -> None:
    models = api.get_models()["items"]
    assert [model["name"] for model in models] == ["Empty", "Error"]
    assert api.get_model(modelName="Empty")["contentType"] == "application/json"


def test_an_unknown_model_is_named(api: Api) -> None:
    assert refused(api.get_model, modelName="Pet") == not_found("Invalid model name specified: Pet")


def test_an_unknown_api_is_named_with_its_account(apigateway: Any, account: str) -> None:
    expected = not_found(f"Invalid API identifier specified {account}:nope")
    for call in (apigateway.get_rest_api, apigateway.delete_rest_api, apigateway.get_resources):
        assert refused(call, restApiId="nope") == expected


def test_ids_of_apis_have_a_case(apigateway: Any, api: Api) -> None:
    wrong = "X" + api.id[1:].upper()
    assert refused(apigateway.get_rest_api, restApiId=wrong)[0] == 404


def test_another_account_and_another_region_do_not_see_an_api(
    api: Api, client: Callable[..., Any]
) -> None:
    assert (
        refused(client("apigateway", region="eu-west-1").get_rest_api, restApiId=api.id)[0] == 404
    )
    assert client("apigateway", region="eu-west-1").get_rest_apis()["items"] == []


def test_a_deleted_api_is_gone(api: Api) -> None:
    api.delete_rest_api()
    assert refused(api.get_rest_api)[0] == 404
    assert refused(api.get_resource, resourceId=api.root_id)[0] == 404


def test_lists_of_apis_come_in_pages(apigateway: Any) -> None:
    made = {apigateway.create_rest_api(name=f"api{number}")["id"] for number in range(5)}
    paginator = apigateway.get_paginator("get_rest_apis")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
    sizes = [len(page["items"]) for page in pages]
    assert sizes == [2, 2, 1]
    found = [one["id"] for page in pages for one in page["items"]]
    assert set(found) == made


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"description": ""}, "Description cannot be an empty string"),
        (
            {"minimumCompressionSize": -1},
            "Invalid minimum compression size, must be between 0 and 10485760",
        ),
        (
            {"endpointConfiguration": {"types": []}},
            "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.",
        ),
        (
            {"endpointConfiguration": {"types": ["EDGE", "REGIONAL"]}},
            "Cannot create an api with multiple Endpoint Types.",
        ),
    ],
)
def test_wrong_options_are_refused(apigateway: Any, options: Any, message: str) -> None:
    assert refused(apigateway.create_rest_api, name="x", **options) == bad_request(message)


@pytest.mark.parametrize("op", ["add", "remove", "replace"])
def test_a_list_is_not_patched_as_a_whole(api: Api, op: str) -> None:
    patch = [{"op": op, "path": "/binaryMediaTypes", "value": "image/png"}]
    expected = bad_request("Invalid patch path /binaryMediaTypes")
    assert refused(api.update_rest_api, patchOperations=patch) == expected


def test_a_member_of_a_list_is_the_last_part_of_the_path(api: Api) -> None:
    added = [{"op": "add", "path": "/binaryMediaTypes/image~1png"}]
    assert api.update_rest_api(patchOperations=added)["binaryMediaTypes"] == ["image/png"]
    replaced = replace("/binaryMediaTypes/image~1png", "image/jpeg")
    assert api.update_rest_api(patchOperations=replaced)["binaryMediaTypes"] == ["image/jpeg"]


def test_an_operation_that_a_field_does_not_know_is_refused(api: Api) -> None:
    patch = [{"op": "add", "path": "/minimumCompressionSize", "value": "1"}]
    assert refused(api.update_rest_api, patchOperations=patch) == bad_request(
        "Invalid patch operation specified. Must be one of: [replace]"
    )


@pytest.mark.parametrize("value", ["-1", "many", "10485761"])
def test_a_wrong_compression_size_is_refused(api: Api, value: str) -> None:
    patch = replace("/minimumCompressionSize", value)
    assert refused(api.update_rest_api, patchOperations=patch) == bad_request(
        "Invalid minimum compression size, must be between 0 and 10485760"
    )


def test_compression_is_set_and_taken_away(api: Api) -> None:
    patch = replace("/minimumCompressionSize", "0")
    assert api.update_rest_api(patchOperations=patch)["minimumCompressionSize"] == 0
    patch = [{"op": "replace", "path": "/minimumCompressionSize"}]
    assert "minimumCompressionSize" not in api.update_rest_api(patchOperations=patch)


def test_the_endpoint_type_and_its_addresses_are_patched(api: Api) -> None:
    patch = replace("/endpointConfiguration/types/EDGE", "PRIVATE")
    made = api.update_rest_api(patchOperations=patch)
    assert made["endpointConfiguration"] == {"types": ["PRIVATE"], "ipAddressType": "dualstack"}
    patch = replace("/endpointConfiguration/ipAddressType", "ipv4")
    assert refused(api.update_rest_api, patchOperations=patch) == bad_request(
        "Only dualstack ipAddressType is supported for Private APIs."
    )


def test_what_is_not_built_is_named(apigateway: Any) -> None:
    status, code, message = refused(apigateway.create_rest_api, name="x", policy="{}")
    assert (status, code) == (501, "NotImplemented")
    assert "policy" in message


def test_tags_of_an_api_are_set_read_and_taken_away(apigateway: Any, api: Api) -> None:
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api.id}"
    apigateway.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    apigateway.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert apigateway.get_tags(resourceArn=arn)["tags"] == {"b": "2"}
    assert api.get_rest_api()["tags"] == {"b": "2"}


def test_the_account_has_awss_throttle(apigateway: Any) -> None:
    account = apigateway.get_account()
    assert account["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}
