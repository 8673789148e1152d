"""Methods, integrations and their responses: fields, defaults and errors."""

from typing import Any

import pytest

from tests.aws.apigateway.api import Api, bad_request, not_found, refused

NO_METHOD = not_found("Invalid Method identifier specified")
NO_RESOURCE = not_found("Invalid Resource identifier specified")
NO_INTEGRATION = not_found("Invalid Integration identifier specified")
NO_RESPONSE = not_found("Invalid Response status code specified")
NO_AUTHORIZER = bad_request(
    "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or "
    "COGNITO_USER_POOLS requires a valid authorizer."
)
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
PROXY_ONLY = bad_request(
    "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose "
    "stream invocations."
)
NO_PATH = bad_request("AWS ARN for integration must contain path or action")


@pytest.fixture
def names(api: Api) -> dict[str, str]:
    """A method without an integration."""
    made = {"resourceId": api.resource("pets"), "httpMethod": "GET"}
    api.put_method(**made, authorizationType="NONE")
    return made


def test_a_new_method_has_awss_defaults(api: Api) -> None:
    made = api.put_method(resourceId=api.root_id, httpMethod="GET", authorizationType="NONE")
    assert made == {"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": False}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"resourceId": "nope"}, NO_RESOURCE),
        (
            {"httpMethod": "get"},
            bad_request(
                "Invalid HttpMethod specified. Valid options are "
                "GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY"
            ),
        ),
        ({"authorizationType": "CUSTOM"}, NO_AUTHORIZER),
        ({"authorizationType": "COGNITO_USER_POOLS", "authorizerId": "a"}, NO_AUTHORIZER),
        (
            {"requestModels": {"application/json": "petModel"}},
            bad_request("Invalid model identifier specified: petModel"),
        ),
        (
            {"requestValidatorId": "v"},
            bad_request("Invalid Request Validator identifier specified"),
        ),
    ],
)
def test_a_wrong_method_is_refused(
    api: Api, changes: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    request = {"resourceId": api.root_id, "httpMethod": "GET", "authorizationType": "NONE"}
    assert refused(api.put_method, **{**request, **changes}) == expected


def test_a_method_of_another_api_is_named_by_its_resource(api: Api, apigateway: Any) -> None:
    request = {"resourceId": api.root_id, "httpMethod": "GET", "authorizationType": "NONE"}
    assert refused(apigateway.put_method, restApiId="nope", **request) == NO_RESOURCE


def test_a_method_exists_once(api: Api, names: dict[str, str]) -> None:
    assert refused(api.put_method, **names, authorizationType="NONE")[:2] == (
        409,
        "ConflictException",
    )


def test_iam_authorization_is_named_as_not_built(api: Api) -> None:
    request = {"resourceId": api.root_id, "httpMethod": "GET", "authorizationType": "AWS_IAM"}
    assert refused(api.put_method, **request)[:2] == (501, "NotImplemented")


@pytest.mark.parametrize(
    ("op", "path", "value", "expected"),
    [
        (
            "add",
            "/authorizationType",
            "NONE",
            bad_request("Invalid patch operation specified. Must be one of: [replace]"),
        ),
        ("replace", "/httpMethod", "GET", bad_request("Invalid patch path /httpMethod")),
        (
            "replace",
            "/requestParameters",
            "x",
            bad_request("Invalid patch path /requestParameters"),
        ),
        (
            "add",
            "/requestModels/application/json",
            "x",
            bad_request("Invalid patch path /requestModels/application/json"),
        ),
        ("replace", "/authorizationType", "CUSTOM", NO_AUTHORIZER),
        (
            "replace",
            "/requestValidatorId",
            "v",
            bad_request("Invalid Request Validator identifier specified"),
        ),
    ],
)
def test_a_wrong_patch_of_a_method_is_refused(
    api: Api, names: dict[str, str], op: str, path: str, value: str, expected: Any
) -> None:
    patch = [{"op": op, "path": path, "value": value}]
    assert refused(api.update_method, **names, patchOperations=patch) == expected


def test_a_boolean_of_a_patch_is_any_text(api: Api, names: dict[str, str]) -> None:
    patch = [{"op": "replace", "path": "/apiKeyRequired", "value": "whatever"}]
    assert api.update_method(**names, patchOperations=patch)["apiKeyRequired"] is False


def test_an_authorizer_is_not_looked_at_without_its_type(api: Api, names: dict[str, str]) -> None:
    patch = [{"op": "replace", "path": "/authorizerId", "value": "nope"}]
    assert "authorizerId" not in api.update_method(**names, patchOperations=patch)


def test_a_mock_integration_has_awss_defaults(api: Api, names: dict[str, str]) -> None:
    templates = {"application/json": '{"statusCode": 200}'}
    assert api.put_integration(**names, type="MOCK", requestTemplates=templates) == {
        "type": "MOCK",
        "requestTemplates": templates,
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000,
        "cacheNamespace": names["resourceId"],
        "cacheKeyParameters": [],
    }


def test_a_proxy_integration_has_awss_defaults(api: Api, names: dict[str, str]) -> None:
    made = api.put_integration(**names, type="AWS_PROXY", integrationHttpMethod="POST", uri=URI)
    assert made == {
        "type": "AWS_PROXY",
        "httpMethod": "POST",
        "uri": URI,
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000,
        "cacheNamespace": names["resourceId"],
        "cacheKeyParameters": [],
    }
    assert api.get_integration(**names) == made
    assert api.get_method(**names)["methodIntegration"] == made


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("nonsense", bad_request("Invalid ARN specified in the request")),
        (FUNCTION, NO_PATH),
        ("arn:aws:apigateway:us-east-1:lambda:other/x", NO_PATH),
        (
            "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/bad/invocations",
            PROXY_ONLY,
        ),
        ("arn:aws:apigateway:us-east-1:firehose:path/x", PROXY_ONLY),
        ("arn:aws:apigateway:us-east-1:sqs:action/SendMessage", PROXY_ONLY),
    ],
)
def test_a_wrong_uri_of_a_proxy_integration_is_refused(
    api: Api, names: dict[str, str], uri: str, expected: Any
) -> None:
    request = {**names, "type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": uri}
    assert refused(api.put_integration, **request) == expected


@pytest.mark.parametrize("kind", ["HTTP", "HTTP_PROXY", "AWS"])
def test_a_type_that_is_not_built_is_named(api: Api, names: dict[str, str], kind: str) -> None:
    request = {**names, "type": kind, "integrationHttpMethod": "GET", "uri": "http://example.com"}
    status, code, message = refused(api.put_integration, **request)
    assert (status, code) == (501, "NotImplemented")
    assert f"integrations of type {kind}" in message


def test_a_timeout_has_bounds(api: Api, names: dict[str, str]) -> None:
    for timeout_ms in (49, 29_001):
        request = {**names, "type": "MOCK", "timeoutInMillis": timeout_ms}
        expected = bad_request("Timeout should be between 50 ms and 29000 ms")
        assert refused(api.put_integration, **request) == expected


def test_integrations_need_their_resource_and_method(api: Api, names: dict[str, str]) -> None:
    put = {"type": "MOCK"}
    assert refused(api.put_integration, **{**names, "resourceId": "nope"}, **put) == NO_RESOURCE
    assert refused(api.put_integration, **{**names, "httpMethod": "POST"}, **put) == NO_METHOD
    assert refused(api.get_integration, **names) == NO_INTEGRATION


def test_an_integration_is_patched(api: Api) -> None:
    names = api.mock()
    patch = [
        {"op": "replace", "path": "/timeoutInMillis", "value": "1000"},
        {"op": "add", "path": "/requestTemplates/text~1plain", "value": '{"statusCode": 200}'},
    ]
    made = api.update_integration(**names, patchOperations=patch)
    assert made["timeoutInMillis"] == 1000
    assert set(made["requestTemplates"]) == {"application/json", "text/plain"}


def test_a_method_response_lives_through_its_operations(api: Api, names: dict[str, str]) -> None:
    named = {**names, "statusCode": "200"}
    put = api.put_method_response(**named, responseParameters={}, responseModels={})
    assert put == {"statusCode": "200", "responseParameters": {}, "responseModels": {}}
    assert refused(api.put_method_response, **named)[:2] == (409, "ConflictException")
    patch = [
        {"op": "add", "path": "/responseParameters/method.response.header.x", "value": "true"},
        {"op": "add", "path": "/responseModels/application~1json", "value": "Empty"},
    ]
    assert api.update_method_response(**named, patchOperations=patch) == {
        "statusCode": "200",
        "responseParameters": {"method.response.header.x": True},
        "responseModels": {"application/json": "Empty"},
    }
    api.delete_method_response(**named)
    assert refused(api.get_method_response, **named) == NO_RESPONSE


def test_an_integration_response_sets_declared_headers_only(api: Api) -> None:
    names = api.mock()
    parameters = {"method.response.header.x": "'1'"}
    named = {**names, "statusCode": "200"}
    status, code, message = refused(
        api.put_integration_response, **named, responseParameters=parameters
    )
    assert (status, code) == (400, "BadRequestException")
    assert "Invalid mapping expression parameter specified: method.response.header.x" in message


def test_deleting_an_integration_response_has_awss_errors(api: Api) -> None:
    names = api.mock()
    named = {**names, "statusCode": "200"}
    delete = api.delete_integration_response
    assert refused(delete, **{**named, "resourceId": "nope"}) == NO_RESOURCE
    assert refused(delete, **{**named, "httpMethod": "POST"}) == NO_INTEGRATION
    assert refused(delete, **{**named, "statusCode": "201"}) == NO_RESPONSE
    delete(**named)
    assert refused(api.get_integration_response, **named) == NO_RESPONSE


def test_a_deleted_method_is_gone(api: Api) -> None:
    names = api.mock()
    api.delete_method(**names)
    assert refused(api.get_method, **names) == NO_METHOD
