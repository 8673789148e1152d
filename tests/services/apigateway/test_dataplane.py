"""Requests to deployed APIs, with a stub in the place of Lambda."""

import asyncio
import base64

import orjson
import pytest

from fogbank.services.apigateway.gateway_responses import REQUEST_TOO_LARGE
from fogbank.services.context import Context, Input, Output
from tests.services.apigateway.world import FUNCTION, URI, Gateway, header


@pytest.fixture
async def gateway() -> Gateway:
    made = Gateway()
    await made.create_api(binaryMediaTypes=["image/png"])
    return made


async def test_an_event_has_every_key_that_aws_has(gateway: Gateway) -> None:
    await gateway.proxy("POST", "/pets/{id}")
    deployment_id = await gateway.deploy(variables={"mode": "blue"})
    await gateway.send(
        "POST",
        "/pets/7?a=1&a=2&b=x%20y",
        headers={"User-Agent": "test/1", "X-cAsE": "v"},
        body=b"hi",
    )
    event = gateway.events[0]
    context = event.pop("requestContext")
    trace = event["headers"].pop("X-Amzn-Trace-Id")
    assert event["multiValueHeaders"].pop("X-Amzn-Trace-Id") == [trace]
    assert event == {
        "resource": "/pets/{id}",
        "path": "/pets/7",
        "httpMethod": "POST",
        "headers": {
            "User-Agent": "test/1",
            "X-cAsE": "v",
            "X-Forwarded-For": "192.0.2.7",
            "X-Forwarded-Port": "80",
            "X-Forwarded-Proto": "http",
        },
        "multiValueHeaders": {
            "User-Agent": ["test/1"],
            "X-cAsE": ["v"],
            "X-Forwarded-For": ["192.0.2.7"],
            "X-Forwarded-Port": ["80"],
            "X-Forwarded-Proto": ["http"],
        },
        "queryStringParameters": {"a": "2", "b": "x y"},
        "multiValueQueryStringParameters": {"a": ["1", "2"], "b": ["x y"]},
        "pathParameters": {"id": "7"},
        "stageVariables": {"mode": "blue"},
        "body": "hi",
        "isBase64Encoded": False,
    }
    identity = context.pop("identity")
    assert identity.pop("sourceIp") == "192.0.2.7"
    assert identity.pop("userAgent") == "test/1"
    assert set(identity.values()) == {None}
    assert set(identity) == {
        "accessKey",
        "accountId",
        "caller",
        "cognitoAuthenticationProvider",
        "cognitoAuthenticationType",
        "cognitoIdentityId",
        "cognitoIdentityPoolId",
        "principalOrgId",
        "user",
        "userArn",
    }
    assert len(context.pop("extendedRequestId")) == 16
    assert len(context.pop("requestId")) == 36
    assert context == {
        "accountId": "111111111111",
        "apiId": gateway.api_id,
        "deploymentId": deployment_id,
        "domainName": f"{gateway.api_id}.execute-api.eu-west-1.amazonaws.com",
        "domainPrefix": gateway.api_id,
        "httpMethod": "POST",
        "path": "/dev/pets/7",
        "protocol": "HTTP/1.1",
        "requestTime": "14/Nov/2023:22:13:20 +0000",
        "requestTimeEpoch": 1_700_000_000_000,
        "resourceId": await gateway.resource("/pets/{id}"),
        "resourcePath": "/pets/{id}",
        "stage": "dev",
    }


async def test_what_is_empty_is_null(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/")
    await gateway.deploy()
    await gateway.send("GET", "")
    event = gateway.events[0]
    for name in (
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ):
        assert name in event and event[name] is None
    assert event["path"] == "/"


async def test_slashes_of_the_path_are_kept(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    await gateway.send("GET", "//pets/")
    assert gateway.events[0]["path"] == "//pets/"
    assert gateway.events[0]["requestContext"]["path"] == "/dev//pets/"


async def test_hop_headers_do_not_reach_the_function(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    await gateway.send("GET", "/pets", headers={"Connection": "close", "TE": "x", "Via": "y"})
    assert not {"Connection", "TE"} & set(gateway.events[0]["headers"])
    assert gateway.events[0]["headers"]["Via"] == "y"


async def test_a_body_of_a_binary_type_comes_as_base64(gateway: Gateway) -> None:
    await gateway.proxy("POST", "/pets")
    await gateway.deploy()
    await gateway.send("POST", "/pets", headers={"Content-Type": "image/png"}, body=b"\x00\xff")
    event = gateway.events[0]
    assert (event["body"], event["isBase64Encoded"]) == (
        base64.b64encode(b"\x00\xff").decode(),
        True,
    )


async def test_the_functions_answer_reaches_the_client(gateway: Gateway) -> None:
    gateway.answer = {"statusCode": 201, "headers": {"X-My": "1"}, "body": "made"}
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    response = await gateway.send("GET", "/pets")
    assert (response.status, response.body, header(response, "X-My")) == (201, b"made", "1")
    assert header(response, "Content-Type") == "application/json"
    assert len(header(response, "x-amzn-RequestId") or "") == 36
    assert len(header(response, "x-amz-apigw-id") or "") == 16
    assert (header(response, "X-Amzn-Trace-Id") or "").startswith("Root=1-")


@pytest.mark.parametrize("answer", [{"statusCode": 200, "other": 1}, "text", b"{"])
async def test_a_malformed_answer_is_a_502(gateway: Gateway, answer: object) -> None:
    gateway.answer = answer
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    response = await gateway.send("GET", "/pets")
    assert (response.status, response.body) == (502, b'{"message":"Internal server error"}')
    assert header(response, "x-amzn-ErrorType") == "InternalServerErrorException"
    assert header(response, "X-Amzn-Trace-Id") is None


async def test_a_function_that_fails_is_a_502(gateway: Gateway) -> None:
    gateway.function_error = "Unhandled"
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    assert (await gateway.send("GET", "/pets")).status == 502


async def test_a_function_that_takes_too_long_is_a_504(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(ctx: Context, request: Input) -> Output:
        await asyncio.Event().wait()
        raise AssertionError

    lambda_ = gateway.stack.catalog.service("lambda")
    assert lambda_ is not None
    monkeypatch.setitem(lambda_.operations, "Invoke", never)
    await gateway.proxy("GET", "/pets", timeoutInMillis=50)
    await gateway.deploy()
    response = await gateway.send("GET", "/pets")
    assert (response.status, response.body) == (504, b'{"message":"Endpoint request timed out"}')


async def test_a_function_without_a_permission_is_a_500(gateway: Gateway) -> None:
    gateway.policy = None
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    response = await gateway.send("GET", "/pets")
    assert (response.status, response.body) == (500, b'{"message":"Internal server error"}')
    assert gateway.events == []


async def test_a_permission_for_another_method_is_a_500(gateway: Gateway) -> None:
    assert gateway.policy is not None
    arn = f"arn:aws:execute-api:eu-west-1:111111111111:{gateway.api_id}/*/POST/pets"
    gateway.policy["Statement"][0]["Condition"] = {"ArnLike": {"AWS:SourceArn": arn}}
    await gateway.proxy("ANY", "/pets")
    await gateway.deploy()
    assert (await gateway.send("GET", "/pets")).status == 500
    assert (await gateway.send("POST", "/pets")).status == 200


async def test_another_integration_method_than_post_is_a_500(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets", integrationHttpMethod="GET")
    await gateway.deploy()
    assert (await gateway.send("GET", "/pets")).status == 500


async def test_no_route_is_a_403_that_names_the_missing_token(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    for method, path in (("GET", "/other"), ("POST", "/pets")):
        response = await gateway.send(method, path)
        assert (response.status, response.body) == (
            403,
            b'{"message":"Missing Authentication Token"}',
        )
        assert header(response, "x-amzn-ErrorType") == "MissingAuthenticationTokenException"


async def test_an_unknown_stage_is_forbidden(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    response = await gateway.send("GET", "/pets", stage="other")
    assert (response.status, response.body) == (403, b'{"message":"Forbidden"}')


async def test_a_method_that_needs_a_key_is_forbidden_while_no_keys_exist(gateway: Gateway) -> None:
    names = await gateway.proxy("GET", "/pets")
    patch = [{"op": "replace", "path": "/apiKeyRequired", "value": "true"}]
    await gateway.call("UpdateMethod", **names, patchOperations=patch)
    await gateway.deploy()
    response = await gateway.send("GET", "/pets", headers={"x-api-key": "k"})
    assert (response.status, response.body) == (403, b'{"message":"Forbidden"}')


async def test_a_body_above_the_limit_is_a_413(gateway: Gateway) -> None:
    await gateway.proxy("POST", "/pets")
    await gateway.deploy()
    response = await gateway.send("POST", "/pets", body=None)
    assert (response.status, response.body) == (413, REQUEST_TOO_LARGE.body)


async def test_a_change_is_seen_only_when_it_is_deployed(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    await gateway.proxy("GET", "/more")
    assert (await gateway.send("GET", "/more")).status == 403
    await gateway.deploy()
    assert (await gateway.send("GET", "/more")).status == 200


async def test_an_edit_of_the_stage_is_seen_at_once(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets")
    await gateway.deploy(variables={"mode": "blue"})
    await gateway.send("GET", "/pets")
    await gateway.call(
        "UpdateStage",
        restApiId=gateway.api_id,
        stageName="dev",
        patchOperations=[{"op": "replace", "path": "/variables/mode", "value": "green"}],
    )
    await gateway.send("GET", "/pets")
    assert [event["stageVariables"]["mode"] for event in gateway.events] == ["blue", "green"]


async def test_a_deleted_api_answers_no_more(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    assert (await gateway.send("GET", "/pets")).status == 200
    await gateway.call("DeleteRestApi", restApiId=gateway.api_id)
    assert (await gateway.send("GET", "/pets")).status == 403


async def test_a_disabled_endpoint_is_forbidden(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets")
    patch = [{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}]
    await gateway.call("UpdateRestApi", restApiId=gateway.api_id, patchOperations=patch)
    await gateway.deploy()
    assert (await gateway.send("GET", "/pets")).status == 403


async def test_a_stage_variable_names_the_function(gateway: Gateway) -> None:
    uri = URI.replace("function:echo", "function:${stageVariables.fn}")
    await gateway.proxy("GET", "/pets", uri=uri)
    await gateway.deploy(variables={"fn": "echo"})
    await gateway.deploy("empty")
    assert (await gateway.send("GET", "/pets")).status == 200
    assert (await gateway.send("GET", "/pets", stage="empty")).status == 500
    assert FUNCTION.endswith(":echo")


async def test_mapped_parameters_reach_the_function(gateway: Gateway) -> None:
    await gateway.proxy(
        "GET",
        "/pets/{id}",
        requestParameters={
            "integration.request.header.X-Fixed": "'fixed'",
            "integration.request.header.X-From-Query": "method.request.querystring.q",
            "integration.request.querystring.id": "method.request.path.id",
        },
    )
    await gateway.deploy()
    await gateway.send("GET", "/pets/7?q=one")
    event = gateway.events[0]
    assert event["headers"]["X-Fixed"] == "fixed"
    assert event["headers"]["X-From-Query"] == "one"
    assert event["queryStringParameters"] == {"q": "one", "id": "7"}


async def test_a_mapping_to_a_hop_header_is_a_500(gateway: Gateway) -> None:
    parameters = {"integration.request.header.Content-Length": "'1'"}
    await gateway.proxy("GET", "/pets", requestParameters=parameters)
    await gateway.deploy()
    assert (await gateway.send("GET", "/pets")).status == 500


async def test_the_request_is_the_root_of_its_trace(gateway: Gateway) -> None:
    await gateway.proxy("GET", "/pets/{id}")
    await gateway.deploy()
    gateway.stack.traces.clear()
    await gateway.send("GET", "/pets/7")
    (trace,) = gateway.stack.traces.traces()
    (root,) = trace["spans"]
    assert (root["name"], root["status"]) == ("apigateway GET /pets/{id}", "ok")
    assert [child["name"] for child in root["children"]] == ["lambda.Invoke"]


async def test_why_a_request_was_refused_stands_in_its_trace(gateway: Gateway) -> None:
    gateway.answer = {"unknown": 1}
    await gateway.proxy("GET", "/pets")
    await gateway.deploy()
    gateway.stack.traces.clear()
    await gateway.send("GET", "/pets")
    (trace,) = gateway.stack.traces.traces()
    assert "unknown fields: unknown" in trace["spans"][0]["status"]


async def test_the_event_is_json_that_the_function_can_read(gateway: Gateway) -> None:
    await gateway.proxy("POST", "/pets")
    await gateway.deploy()
    await gateway.send("POST", "/pets", body=b'{"name": "\xff"}')
    assert orjson.dumps(gateway.events[0])
    assert gateway.events[0]["body"] == '{"name": "\ufffd"}'
