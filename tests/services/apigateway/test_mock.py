"""MOCK integrations, as far as they need no template language."""

from typing import Any

import pytest

from fogbank.services.apigateway.errors import NotBuilt
from tests.services.apigateway.world import Gateway, header


class Mocked(Gateway):
    """An API with one MOCK method, GET /mock."""

    async def build(
        self, templates: dict[str, str] | None, responses: list[dict[str, Any]], **options: Any
    ) -> None:
        await self.create_api()
        names = {
            "restApiId": self.api_id,
            "resourceId": await self.resource("/mock"),
            "httpMethod": "ANY",
        }
        await self.call("PutMethod", **names, authorizationType="NONE")
        await self.call(
            "PutIntegration", **names, type="MOCK", requestTemplates=templates, **options
        )
        for response in responses:
            declared = dict.fromkeys(response.get("responseParameters", {}), False)
            await self.call(
                "PutMethodResponse",
                **names,
                statusCode=response["statusCode"],
                responseParameters=declared,
            )
            await self.call("PutIntegrationResponse", **names, **response)
        await self.deploy()


JSON_200 = {"application/json": '{"statusCode": 200}'}


async def test_the_response_of_the_templates_status_is_sent() -> None:
    mocked = Mocked()
    response = {
        "statusCode": "200",
        "responseParameters": {"method.response.header.Access-Control-Allow-Origin": "'*'"},
        "responseTemplates": {"application/json": '{"mocked": true}'},
    }
    await mocked.build(JSON_200, [response])
    answer = await mocked.send("OPTIONS", "/mock")
    assert (answer.status, answer.body) == (200, b'{"mocked": true}')
    assert header(answer, "Access-Control-Allow-Origin") == "*"
    assert header(answer, "Content-Type") == "application/json"
    assert header(answer, "X-Amzn-Trace-Id") is None


async def test_a_pattern_chooses_the_response() -> None:
    mocked = Mocked()
    responses = [{"statusCode": "200"}, {"statusCode": "404", "selectionPattern": "4\\d\\d"}]
    await mocked.build({"application/json": '{"statusCode": 418}'}, responses)
    assert (await mocked.send("GET", "/mock")).status == 404


@pytest.mark.parametrize(
    "template", ["{ statusCode: 200 }", "{'statusCode': 200}", '{"statusCode": "200"}']
)
async def test_a_loose_template_is_taken(template: str) -> None:
    mocked = Mocked()
    await mocked.build({"application/json": template}, [{"statusCode": "200"}])
    assert (await mocked.send("GET", "/mock")).status == 200


@pytest.mark.parametrize("template", ["", "{}", "[]", '{"statusCode": true}'])
async def test_a_template_without_a_status_is_a_500(template: str) -> None:
    mocked = Mocked()
    await mocked.build({"application/json": template}, [{"statusCode": "200"}])
    assert (await mocked.send("GET", "/mock")).status == 500


async def test_no_response_for_the_status_is_a_500() -> None:
    mocked = Mocked()
    await mocked.build(JSON_200, [{"statusCode": "200", "selectionPattern": "5\\d\\d"}])
    assert (await mocked.send("GET", "/mock")).status == 500


async def test_without_a_template_for_its_type_the_body_is_the_request() -> None:
    mocked = Mocked()
    await mocked.build(JSON_200, [{"statusCode": "200"}])
    headers = {"Content-Type": "text/plain"}
    assert (await mocked.send("POST", "/mock", headers=headers)).status == 500
    body = b'{"statusCode": 200}'
    assert (await mocked.send("POST", "/mock", headers=headers, body=body)).status == 200


@pytest.mark.parametrize("behavior", ["NEVER", "WHEN_NO_TEMPLATES"])
async def test_passing_through_may_be_refused(behavior: str) -> None:
    mocked = Mocked()
    await mocked.build(JSON_200, [{"statusCode": "200"}], passthroughBehavior=behavior)
    answer = await mocked.send("POST", "/mock", headers={"Content-Type": "text/plain"})
    assert (answer.status, answer.body) == (415, b'{"message":"Unsupported Media Type"}')


@pytest.mark.parametrize("template", ["$input.body", "#set($a = 1)", "${x}", "$!x", "## note"])
async def test_a_template_that_needs_vtl_is_refused_when_it_is_put(template: str) -> None:
    with pytest.raises(NotBuilt):
        await Mocked().build({"application/json": template}, [])


@pytest.mark.parametrize("template", ["$5", "#1", "a # b", "100%", '{"$": 1}'])
async def test_a_dollar_or_a_hash_alone_is_no_vtl(template: str) -> None:
    mocked = Mocked()
    response = {"statusCode": "200", "responseTemplates": {"text/plain": template}}
    await mocked.build(JSON_200, [response])
    answer = await mocked.send("GET", "/mock")
    assert answer.body == template.encode()
    assert header(answer, "Content-Type") == "text/plain"
