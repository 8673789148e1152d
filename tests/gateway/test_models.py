"""The models as botocore has them, without botocore."""

import subprocess
import sys

import botocore.session
import pytest

from fogbank.gateway import models
from fogbank.services.registry import PACKAGES

SERVICES = sorted(models.SERVICES)


def test_every_service_of_the_catalog_has_a_model() -> None:
    assert sorted(PACKAGES) == SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_the_static_tables_agree_with_the_models(service: str) -> None:
    model = models.load(service)
    assert model.target_prefix == models.SERVICES[service][1]
    # Streams are signed as the service that they belong to.
    assert models.by_signing_name[model.signing_name] == service.removesuffix("streams")


@pytest.mark.parametrize("service", SERVICES)
def test_operations_and_members_are_those_of_botocore(service: str) -> None:
    theirs = botocore.session.get_session().get_service_model(service)
    ours = models.load(service)
    assert sorted(ours.operations) == sorted(theirs.operation_names)
    for name, operation in ours.operations.items():
        shape = theirs.operation_model(name).input_shape
        members = list(shape.members) if shape else []
        assert list(operation.input.members if operation.input else {}) == members, name


def test_only_bodies_of_objects_stream_in() -> None:
    streaming = {
        f"{service}:{name}"
        for service in SERVICES
        for name, operation in models.load(service).operations.items()
        if operation.streams_input
    }
    assert streaming == {
        "lambda:InvokeAsync",
        "s3:PutObject",
        "s3:PutObjectAnnotation",
        "s3:UploadPart",
        "s3:WriteGetObjectResponse",
    }


def test_a_service_that_botocore_does_not_know_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        models.load("no-such-service")


def test_reading_models_never_imports_botocore() -> None:
    code = (
        "import sys; from fogbank.gateway import models, protocols; models.load('s3');"
        "sys.exit('botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_error_is_found_by_its_name_and_by_its_code() -> None:
    iam = models.load("iam")
    assert iam.error_shape("NoSuchEntityException") is iam.error_shape("NoSuchEntity")
    assert iam.error_shape("NoSuchEntity") is not None
    assert iam.error_shape("GetRoleRequest") is None
