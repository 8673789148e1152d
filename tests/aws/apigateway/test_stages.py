"""Deployments and stages."""

from typing import Any

import pytest

from tests.aws.apigateway.api import Api, bad_request, not_found, refused


@pytest.fixture
def deployed(api: Api) -> Api:
    """An API with a method, deployed to the stage `dev`."""
    api.mock()
    api.create_deployment(stageName="dev")
    return api


def patch(api: Api, op: str, path: str, value: str | None = None) -> Any:
    operation = {"op": op, "path": path, **({} if value is None else {"value": value})}
    return api.update_stage(stageName="dev", patchOperations=[operation])


def refused_patch(api: Api, op: str, path: str, value: str | None = None) -> Any:
    operation = {"op": op, "path": path, **({} if value is None else {"value": value})}
    return refused(api.update_stage, stageName="dev", patchOperations=[operation])


def test_an_api_without_methods_is_not_deployed(api: Api) -> None:
    expected = bad_request("The REST API doesn't contain any methods")
    assert refused(api.create_deployment) == expected


def test_a_method_without_an_integration_is_not_deployed(api: Api) -> None:
    api.put_method(resourceId=api.root_id, httpMethod="GET", authorizationType="NONE")
    assert refused(api.create_deployment) == bad_request("No integration defined for method")


def test_a_deployment_has_an_id_and_a_date(api: Api) -> None:
    api.mock()
    made = api.create_deployment()
    assert set(made) == {"id", "createdDate"}
    assert len(made["id"]) == 6
    assert api.get_deployment(deploymentId=made["id"]) == made
    assert api.get_deployments()["items"] == [made]


def test_a_deployments_summary_names_its_methods(deployed: Api) -> None:
    (deployment,) = deployed.get_deployments()["items"]
    found = deployed.get_deployment(deploymentId=deployment["id"], embed=["apisummary"])
    expected = {"/pets": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}}
    assert found["apiSummary"] == expected


def test_a_deployed_stage_has_awss_defaults(deployed: Api) -> None:
    (deployment,) = deployed.get_deployments()["items"]
    stage = deployed.get_stage(stageName="dev")
    assert stage.pop("createdDate") == stage.pop("lastUpdatedDate")
    assert stage == {
        "deploymentId": deployment["id"],
        "stageName": "dev",
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "methodSettings": {},
        "tracingEnabled": False,
    }
    assert [one["stageName"] for one in deployed.get_stages()["item"]] == ["dev"]


def test_deploying_again_moves_the_stage_and_keeps_its_settings(deployed: Api) -> None:
    patch(deployed, "replace", "/variables/a", "1")
    made = deployed.create_deployment(stageName="dev")
    stage = deployed.get_stage(stageName="dev")
    assert (stage["deploymentId"], stage["variables"]) == (made["id"], {"a": "1"})


def test_a_stage_of_its_own_is_created_once(deployed: Api) -> None:
    (deployment,) = deployed.get_deployments()["items"]
    request = {"stageName": "prod", "deploymentId": deployment["id"], "description": "mine"}
    assert deployed.create_stage(**request)["description"] == "mine"
    assert refused(deployed.create_stage, **request) == (
        409,
        "ConflictException",
        "Stage already exists",
    )
    expected = bad_request("Deployment id does not exist")
    assert refused(deployed.create_stage, stageName="x", deploymentId="nope") == expected


def test_an_unknown_stage_and_deployment_are_refused(deployed: Api) -> None:
    expected = not_found("Invalid stage identifier specified")
    assert refused(deployed.get_stage, stageName="nope") == expected
    assert refused(deployed.delete_stage, stageName="nope") == expected
    expected = not_found("Invalid Deployment identifier specified")
    assert refused(deployed.get_deployment, deploymentId="nope") == expected


def test_a_deployment_that_a_stage_uses_is_not_deleted(deployed: Api) -> None:
    (deployment,) = deployed.get_deployments()["items"]
    assert refused(deployed.delete_deployment, deploymentId=deployment["id"]) == bad_request(
        "Active stages pointing to this deployment must be moved or deleted"
    )
    deployed.delete_stage(stageName="dev")
    deployed.delete_deployment(deploymentId=deployment["id"])
    assert deployed.get_deployments()["items"] == []


def test_variables_are_set_and_taken_away(deployed: Api) -> None:
    assert patch(deployed, "replace", "/variables/a", "1")["variables"] == {"a": "1"}
    assert "variables" not in patch(deployed, "remove", "/variables/a")


def test_method_settings_have_awss_defaults(deployed: Api) -> None:
    settings = patch(deployed, "replace", "/*/*/caching/enabled", "true")["methodSettings"]
    assert settings == {
        "*/*": {
            "metricsEnabled": False,
            "dataTraceEnabled": False,
            "throttlingBurstLimit": 5000,
            "throttlingRateLimit": 10000.0,
            "cachingEnabled": True,
            "cacheTtlInSeconds": 300,
            "cacheDataEncrypted": False,
            "requireAuthorizationForCacheControl": True,
            "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
        }
    }
    assert patch(deployed, "remove", "/*/*")["methodSettings"] == {}


def test_settings_that_do_not_exist_are_not_removed(deployed: Api) -> None:
    assert refused_patch(deployed, "remove", "/*/*") == bad_request(
        "Cannot remove method setting */* because there is no method setting for this method "
    )


def test_an_unknown_path_is_answered_with_the_known_ones(deployed: Api) -> None:
    status, code, message = refused_patch(deployed, "replace", "/nonsense", "x")
    assert (status, code) == (400, "BadRequestException")
    assert message.startswith(
        "Invalid method setting path: /nonsense. Must be one of: [/deploymentId, /description,"
    )
    assert message.endswith("/variables/{variable_name}, /tracingEnabled]")


@pytest.mark.parametrize("path", ["/accessLogSettings", "/accessLogSettings/x"])
def test_the_access_log_is_set_by_its_two_fields(deployed: Api, path: str) -> None:
    assert refused_patch(deployed, "replace", path, "x") == bad_request(
        "Invalid accessLogSettings path. Must be one of : "
        "[/accessLogSettings/destinationArn, /accessLogSettings/format]"
    )


def test_an_access_log_needs_a_value(deployed: Api) -> None:
    expected = bad_request("Access Log value must not be empty")
    assert refused_patch(deployed, "replace", "/accessLogSettings/format", "") == expected


def test_a_stage_does_not_move_to_an_unknown_deployment(deployed: Api) -> None:
    expected = bad_request("Deployment id does not exist")
    assert refused_patch(deployed, "replace", "/deploymentId", "nope") == expected


def test_a_canary_is_named_as_not_built(deployed: Api) -> None:
    path = "/canarySettings/percentTraffic"
    assert refused_patch(deployed, "replace", path, "50")[:2] == (501, "NotImplemented")
