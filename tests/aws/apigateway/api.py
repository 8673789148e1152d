"""An API under test and the error that a call of its client raises."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


class Api:
    """Adds the API's id to every call."""

    def __init__(self, client: Any, api_id: str, root_id: str) -> None:
        self.client = client
        self.id = api_id
        self.root_id = root_id

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            answer = getattr(self.client, operation)(restApiId=self.id, **request)
            answer.pop("ResponseMetadata", None)
            return answer

        return call

    def resource(self, part: str, parent_id: str | None = None) -> str:
        made = self.create_resource(parentId=parent_id or self.root_id, pathPart=part)
        resource_id: str = made["id"]
        return resource_id

    def mock(self, part: str = "pets", method: str = "GET", **integration: Any) -> dict[str, str]:
        """A method with a MOCK integration that answers 200; the names to refer to it by."""
        names = {"resourceId": self.resource(part), "httpMethod": method}
        self.put_method(**names, authorizationType="NONE")
        templates = {"application/json": '{"statusCode": 200}'}
        self.put_integration(
            **names, **{"type": "MOCK", "requestTemplates": templates, **integration}
        )
        self.put_method_response(**names, statusCode="200")
        self.put_integration_response(**names, statusCode="200")
        return names


def refused(call: Callable[..., Any], **request: Any) -> tuple[int, str, str]:
    """Status, code and text of the error that a call is answered with."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    response = caught.value.response
    status: int = response["ResponseMetadata"]["HTTPStatusCode"]
    return status, response["Error"]["Code"], response["Error"]["Message"]


def bad_request(message: str) -> tuple[int, str, str]:
    return 400, "BadRequestException", message


def not_found(message: str) -> tuple[int, str, str]:
    return 404, "NotFoundException", message
