"""Requests to deployed APIs over HTTP, served by real functions."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.aws.apigateway.api import Api
from tests.stack import RunningStack

ECHO = """
import json
def handler(event, context):
    query = event["queryStringParameters"] or {}
    if "fail" in query:
        raise ValueError("no")
    if "answer" in query:
        return json.loads(query["answer"])
    return {"statusCode": 200, "headers": {"X-FuncTion": "1"}, "body": json.dumps(event)}
"""


class Deployed:
    """An API with ANY /{proxy+} to a function that echoes its event, at the stage `dev`."""

    def __init__(self, stack: RunningStack, api: Api) -> None:
        self.api = api
        self.url = f"{stack.endpoint}/_aws/execute-api/{api.id}/dev"
        self.endpoint = stack.endpoint

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(method, f"{self.url}{path}", timeout=30, **options)

    def event(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.request(method, path, **options).json()
        return found


@pytest.fixture
def function(client: Callable[..., Any]) -> Iterator[str]:
    """The ARN of a function that echoes its event."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", ECHO)
    lambda_ = client("lambda")
    made = lambda_.create_function(
        FunctionName="echo",
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/r",
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=20,
    )
    yield made["FunctionArn"]
    lambda_.delete_function(FunctionName="echo")


@pytest.fixture
def deployed(
    stack: RunningStack, api: Api, function: str, client: Callable[..., Any], account: str
) -> Deployed:
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    names = {"resourceId": api.resource("{proxy+}"), "httpMethod": "ANY"}
    api.put_method(**names, authorizationType="NONE")
    api.put_integration(**names, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    api.create_deployment(stageName="dev")
    client("lambda").add_permission(
        FunctionName="echo",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{account}:{api.id}/*/*/*",
    )
    return Deployed(stack, api)


def test_a_request_reaches_the_function_and_its_answer_the_client(deployed: Deployed) -> None:
    headers = {"X-MiXed": "Value", "Content-Type": "application/json"}
    response = deployed.request("POST", "/a/b/?x=1&x=2", headers=headers, content=b'{"k": "v"}')
    assert response.status_code == 200
    names = [name for name, _ in response.headers.raw]
    assert b"X-FuncTion" in names
    assert {b"x-amzn-RequestId", b"x-amz-apigw-id", b"X-Amzn-Trace-Id"} <= set(names)
    event = response.json()
    assert event["headers"]["X-MiXed"] == "Value"
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert (event["path"], event["pathParameters"]) == ("/a/b/", {"proxy": "a/b"})
    assert (event["body"], event["isBase64Encoded"]) == ('{"k": "v"}', False)
    assert event["requestContext"]["path"] == "/dev/a/b/"
    assert event["requestContext"]["requestId"] == response.headers["x-amzn-requestid"]


def test_a_path_stays_as_it_came(deployed: Deployed) -> None:
    assert deployed.event("GET", "/a%2Fb%20c")["path"] == "/a%2Fb%20c"


def test_an_api_answers_at_its_host_names(deployed: Deployed) -> None:
    for host in (
        f"{deployed.api.id}.execute-api.us-east-1.amazonaws.com",
        f"{deployed.api.id}.execute-api.localhost:4566",
        f"{deployed.api.id}.execute-api.localhost.localstack.cloud:4566",
    ):
        event = httpx.get(f"{deployed.endpoint}/dev/x", headers={"Host": host}).json()
        assert event["requestContext"]["domainName"] == host
        assert event["path"] == "/x"


def test_an_api_answers_at_its_path_forms(deployed: Deployed) -> None:
    api_id = deployed.api.id
    for path in (f"/restapis/{api_id}/dev/_user_request_/x", f"/_fogbank/api/{api_id}/dev/x"):
        assert httpx.get(f"{deployed.endpoint}{path}").json()["path"] == "/x"


def test_a_foreign_page_is_the_apis_own_business(deployed: Deployed) -> None:
    headers = {"Origin": "https://example.com", "Access-Control-Request-Method": "PUT"}
    event = deployed.event("OPTIONS", "/x", headers=headers)
    assert event["httpMethod"] == "OPTIONS"
    assert event["headers"]["Origin"] == "https://example.com"


def test_a_foreign_host_name_is_refused(deployed: Deployed) -> None:
    host = f"{deployed.api.id}.execute-api.attacker.example"
    assert httpx.get(f"{deployed.endpoint}/dev/x", headers={"Host": host}).status_code == 403


def test_a_function_that_raises_is_a_502(deployed: Deployed) -> None:
    response = deployed.request("GET", "/x?fail=1")
    assert (response.status_code, response.json()) == (502, {"message": "Internal server error"})
    assert response.headers["x-amzn-errortype"] == "InternalServerErrorException"


def test_a_malformed_answer_is_a_502(deployed: Deployed) -> None:
    answer = json.dumps({"statusCode": 200, "other": 1})
    assert deployed.request("GET", "/x", params={"answer": answer}).status_code == 502


def test_cookies_of_a_function_stay_apart(deployed: Deployed) -> None:
    answer = json.dumps({"multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}})
    response = deployed.request("GET", "/x", params={"answer": answer})
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_without_its_permission_a_function_is_not_invoked(
    deployed: Deployed, client: Callable[..., Any]
) -> None:
    assert deployed.request("GET", "/x").status_code == 200
    client("lambda").remove_permission(FunctionName="echo", StatementId="api")
    response = deployed.request("GET", "/x")
    assert (response.status_code, response.json()) == (500, {"message": "Internal server error"})


def test_a_body_above_ten_megabytes_is_a_413(deployed: Deployed) -> None:
    response = deployed.request("POST", "/x", content=b"x" * (10 * 1024 * 1024 + 1))
    assert response.status_code == 413
    assert response.json() == {"message": "HTTP content length exceeded 10485760 bytes."}


def test_no_route_is_a_403(deployed: Deployed) -> None:
    response = deployed.request("GET", "")
    assert response.status_code == 403
    assert response.json() == {"message": "Missing Authentication Token"}


def test_head_has_no_body(deployed: Deployed) -> None:
    response = deployed.request("HEAD", "/x")
    assert (response.status_code, response.content) == (200, b"")


def test_a_request_and_its_function_are_one_trace(deployed: Deployed) -> None:
    response = deployed.request("GET", "/x")
    trace_id = response.headers["x-amzn-trace-id"].split(";")[0].removeprefix("Root=")
    traces = httpx.get(f"{deployed.endpoint}/_fogbank/traces").json()["traces"]
    (trace,) = [one for one in traces if one["traceId"] == trace_id]
    (root,) = trace["spans"]
    assert root["name"] == "apigateway GET /{proxy+}"
    (call,) = root["children"]
    assert call["name"] == "lambda.Invoke"
    assert "invoke" in [child["kind"] for child in call["children"]]


def test_a_mock_answers_preflight_requests(api: Api, stack: RunningStack) -> None:
    names = api.mock("pets", "OPTIONS")
    allow = "method.response.header.Access-Control-Allow-Origin"
    patch = [{"op": "add", "path": f"/responseParameters/{allow}", "value": "true"}]
    api.update_method_response(**names, statusCode="200", patchOperations=patch)
    api.put_integration_response(**names, statusCode="200", responseParameters={allow: "'*'"})
    api.create_deployment(stageName="dev")
    response = httpx.options(
        f"{stack.endpoint}/_aws/execute-api/{api.id}/dev/pets",
        headers={"Origin": "https://example.com", "Access-Control-Request-Method": "GET"},
    )
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert "x-amzn-trace-id" not in response.headers
