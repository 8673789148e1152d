"""Which resource policies let API Gateway invoke a function."""

from typing import Any

import orjson
import pytest

from fogbank.services.apigateway.permission import permits

SOURCE = "arn:aws:execute-api:eu-west-1:111111111111:abc/dev/GET/pets/{id}"
BASE = {
    "Effect": "Allow",
    "Principal": {"Service": "apigateway.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
}


def allowed(**changes: Any) -> bool:
    policy = {"Version": "2012-10-17", "Statement": [{**BASE, **changes}]}
    return permits(orjson.dumps(policy).decode(), SOURCE, "111111111111")


def from_arn(pattern: str) -> dict[str, Any]:
    return {"ArnLike": {"AWS:SourceArn": pattern}}


def test_a_statement_for_the_service_allows_every_api() -> None:
    assert allowed()


@pytest.mark.parametrize(
    "pattern",
    [
        SOURCE,
        "arn:aws:execute-api:eu-west-1:111111111111:abc/*",
        "arn:aws:execute-api:eu-west-1:111111111111:abc/*/*/*",
        "arn:aws:execute-api:eu-west-1:111111111111:abc/*/GET/pets/*",
        "arn:aws:execute-api:*:111111111111:abc/dev/???/pets/{id}",
    ],
)
def test_wildcards_in_the_source_arn_match(pattern: str) -> None:
    assert allowed(Condition=from_arn(pattern))


@pytest.mark.parametrize(
    "pattern",
    [
        "arn:aws:execute-api:eu-west-1:111111111111:abc/prod/*",
        "arn:aws:execute-api:eu-west-1:111111111111:abc/*/POST/*",
        "arn:aws:execute-api:eu-west-1:222222222222:abc/*",
        "arn:aws:execute-api:eu-west-1:111111111111:other/*",
        "arn:aws:execute-api:*",
    ],
)
def test_another_stage_method_account_or_api_does_not_match(pattern: str) -> None:
    assert not allowed(Condition=from_arn(pattern))


def test_another_service_is_not_us() -> None:
    assert not allowed(Principal={"Service": "s3.amazonaws.com"})


def test_everybody_includes_us() -> None:
    assert allowed(Principal="*")


def test_another_action_does_not_allow_an_invocation() -> None:
    assert not allowed(Action="lambda:GetFunction")


def test_the_source_account_must_be_the_apis() -> None:
    assert allowed(Condition={"StringEquals": {"AWS:SourceAccount": "111111111111"}})
    assert not allowed(Condition={"StringEquals": {"AWS:SourceAccount": "222222222222"}})


def test_a_condition_that_is_not_known_never_holds() -> None:
    assert not allowed(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})


def test_a_denial_wins() -> None:
    statements = [BASE, {**BASE, "Effect": "Deny"}]
    assert not permits(orjson.dumps({"Statement": statements}).decode(), SOURCE, "111111111111")
