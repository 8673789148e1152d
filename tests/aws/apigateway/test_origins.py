"""A web page of a foreign origin may call an API only where the API says so."""

import httpx
import pytest

from tests.aws.apigateway.api import Api
from tests.stack import RunningStack

PAGE = {"Origin": "http://page.example"}


@pytest.fixture
def url(stack: RunningStack, api: Api) -> str:
    """GET /pets and nothing else, deployed."""
    api.mock("pets", "GET")
    api.create_deployment(stageName="dev")
    return f"{stack.endpoint}/_aws/execute-api/{api.id}/dev/pets"


def test_a_foreign_page_is_refused_where_the_api_has_no_options(url: str) -> None:
    assert httpx.get(url).status_code == 200
    refused = httpx.get(url, headers=PAGE)
    assert refused.status_code == 403
    assert "cors_origins" in refused.json()["message"]


def test_a_foreign_page_comes_in_where_the_api_answers_options(url: str, api: Api) -> None:
    resources = {one["path"]: one["id"] for one in api.get_resources()["items"]}
    names = {"resourceId": resources["/pets"], "httpMethod": "OPTIONS"}
    api.put_method(**names, authorizationType="NONE")
    templates = {"application/json": '{"statusCode": 200}'}
    api.put_integration(**names, type="MOCK", requestTemplates=templates)
    api.put_method_response(**names, statusCode="200")
    api.put_integration_response(**names, statusCode="200")
    api.create_deployment(stageName="dev")
    assert httpx.get(url, headers=PAGE).status_code == 200
    assert httpx.options(url, headers=PAGE).status_code == 200
