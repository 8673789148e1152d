"""The tree of resources."""

from typing import Any

import pytest

from tests.aws.apigateway.api import Api, bad_request, not_found, refused


def test_a_resource_knows_its_path(api: Api) -> None:
    pets = api.create_resource(parentId=api.root_id, pathPart="pets")
    pet = api.create_resource(parentId=pets["id"], pathPart="{id}")
    assert pet == {
        "id": pet["id"],
        "parentId": pets["id"],
        "pathPart": "{id}",
        "path": "/pets/{id}",
    }
    assert len(pet["id"]) == 6


def test_a_name_is_taken_once(api: Api) -> None:
    api.resource("pets")
    assert refused(api.create_resource, parentId=api.root_id, pathPart="pets") == (
        409,
        "ConflictException",
        "Another resource with the same parent already has this name: pets",
    )


def test_a_resource_has_one_variable_child(api: Api) -> None:
    api.resource("{id}")
    assert refused(api.create_resource, parentId=api.root_id, pathPart="{name}") == bad_request(
        "A sibling ({id}) of this resource already has a variable path part -- only one is allowed"
    )


def test_a_greedy_variable_has_no_children(api: Api) -> None:
    proxy = api.resource("{proxy+}")
    assert refused(api.create_resource, parentId=proxy, pathPart="x") == bad_request(
        "Cannot create a child of a resource with a greedy path variable: {proxy+}"
    )


@pytest.mark.parametrize("part", ["a/b", "{", "{}", "a{b}", "{a", "{+}", "a+", "ä", "a b"])
def test_a_part_has_few_characters(api: Api, part: str) -> None:
    status, code, message = refused(api.create_resource, parentId=api.root_id, pathPart=part)
    assert (status, code) == (400, "BadRequestException")
    assert message.startswith("Resource's path part only allow a-zA-Z0-9._-")


def test_an_unknown_parent_is_refused(api: Api) -> None:
    expected = not_found("Invalid Resource identifier specified")
    assert refused(api.create_resource, parentId="nope", pathPart="x") == expected


def test_deleting_a_resource_deletes_what_is_under_it(api: Api) -> None:
    pets = api.resource("pets")
    pet = api.resource("{id}", pets)
    api.delete_resource(resourceId=pets)
    assert api.get_resources()["items"] == [{"id": api.root_id, "path": "/"}]
    expected = not_found("Invalid Resource identifier specified")
    assert refused(api.delete_resource, resourceId=pet) == expected


def test_methods_are_listed_by_name_unless_they_are_embedded(api: Api) -> None:
    names = api.mock("pets")
    listed = {one["id"]: one for one in api.get_resources()["items"]}
    assert listed[names["resourceId"]]["resourceMethods"] == {"GET": {}}
    embedded = api.get_resource(resourceId=names["resourceId"], embed=["methods"])
    assert embedded["resourceMethods"]["GET"]["methodIntegration"]["type"] == "MOCK"


def test_lists_of_resources_come_in_pages(api: Api, apigateway: Any) -> None:
    made = {api.root_id} | {api.resource(f"r{number}") for number in range(4)}
    pages = apigateway.get_paginator("get_resources").paginate(
        restApiId=api.id, PaginationConfig={"PageSize": 3}
    )
    found = [[one["id"] for one in page["items"]] for page in pages]
    assert [len(page) for page in found] == [3, 2]
    assert {one for page in found for one in page} == made


def test_renaming_a_resource_changes_the_paths_under_it(api: Api) -> None:
    pets = api.resource("pets")
    pet = api.resource("{id}", pets)
    patch = [{"op": "replace", "path": "/pathPart", "value": "animals"}]
    assert api.update_resource(resourceId=pets, patchOperations=patch)["path"] == "/animals"
    assert api.get_resource(resourceId=pet)["path"] == "/animals/{id}"


def test_a_resource_is_not_moved_under_itself(api: Api) -> None:
    pets = api.resource("pets")
    pet = api.resource("{id}", pets)
    patch = [{"op": "replace", "path": "/parentId", "value": pet}]
    assert refused(api.update_resource, resourceId=pets, patchOperations=patch)[0] == 400
