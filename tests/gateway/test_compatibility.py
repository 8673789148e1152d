"""COMPATIBILITY.md says what is."""

from pathlib import Path

from fogbank.gateway.compatibility import render
from fogbank.services.registry import Catalog

ROOT = Path(__file__).parents[2]


def test_the_committed_page_is_current() -> None:
    page = (ROOT / "COMPATIBILITY.md").read_text()
    assert page == render(Catalog()), "run `make compatibility`"


def test_every_registered_operation_is_one_of_its_model() -> None:
    from fogbank.gateway.models import load

    catalog = Catalog()
    for name in catalog.names():
        service = catalog.service(name)
        assert service is not None
        assert service.operations.keys() <= load(name).operations.keys()
