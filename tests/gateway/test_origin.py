"""What a web page may not do."""

import pytest

from fogbank.gateway.origin import Door
from tests.gateway.requests import request

PAGE = "https://attacker.example"


def door(*origins: str, loopback: bool = True) -> Door:
    return Door(origins, loopback=loopback, own_names=["stack.test"])


def test_a_foreign_origin_is_refused_in_clear_words() -> None:
    refusal = door().refuse(request(origin=PAGE))
    assert refusal is not None
    assert refusal.status == 403
    assert b"cors_origins" in (refusal.body if isinstance(refusal.body, bytes) else b"")


def test_the_origin_null_is_foreign() -> None:
    assert door().refuse(request(origin="null")) is not None


def test_a_request_without_an_origin_comes_in() -> None:
    assert door().refuse(request()) is None


def test_a_page_of_our_own_comes_in() -> None:
    assert door().refuse(request(origin="http://127.0.0.1:4566")) is None


def test_a_page_of_another_port_of_this_machine_is_foreign() -> None:
    assert door().refuse(request(origin="http://127.0.0.1:3000")) is not None


def test_an_origin_that_the_setting_names_comes_in_and_may_read() -> None:
    one = door("http://localhost:3000")
    http = request(origin="http://localhost:3000")
    assert one.refuse(http) is None
    assert (b"Access-Control-Allow-Origin", b"http://localhost:3000") in one.headers_for(http)


def test_a_star_permits_every_origin() -> None:
    assert door("*").refuse(request(origin=PAGE)) is None


def test_an_origin_that_the_setting_does_not_name_may_not_read() -> None:
    assert door("http://localhost:3000").headers_for(request(origin=PAGE)) == []


def test_a_permitted_page_is_told_so_when_it_asks_first() -> None:
    http = request(
        "OPTIONS",
        origin="http://localhost:3000",
        access_control_request_method="PUT",
        access_control_request_headers="x-amz-date",
    )
    answer = door("http://localhost:3000").preflight(http)
    assert answer is not None
    assert (b"Access-Control-Allow-Headers", b"x-amz-date") in answer.headers
    assert door().preflight(http) is None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4566",
        "[::1]:4566",
        "10.1.2.3",
        "localhost",
        "LOCALHOST:4566",
        "photos.localhost:4566",
        "localhost.localstack.cloud:4566",
        "photos.s3.localhost.localstack.cloud",
        "photos.s3.eu-west-1.amazonaws.com",
        "abc123.execute-api.us-east-1.amazonaws.com",
        "stack.test:4566",
    ],
)
def test_addresses_and_our_own_names_come_in(host: str) -> None:
    assert door().refuse(request(host=host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "localhost.attacker.example",
        "127.0.0.1.attacker.example",
        "photos.s3.attacker.example",
        "abc.execute-api.attacker.example",
        "amazonaws.com.attacker.example",
        "notlocalhost",
    ],
)
def test_other_names_are_refused_on_loopback(host: str) -> None:
    refusal = door().refuse(request(host=host))
    assert refusal is not None
    assert refusal.status == 403


def test_other_names_come_in_where_other_machines_may() -> None:
    assert door(loopback=False).refuse(request(host="stack.company.example")) is None


def test_a_page_of_another_site_may_embed_objects_and_nothing_else() -> None:
    embedded = request(sec_fetch_site="cross-site")
    assert door().refuse_embedded(embedded, "s3") is None
    assert door().refuse_embedded(embedded, "iam") is not None
    assert door().refuse_embedded(request(sec_fetch_site="none"), "iam") is None
    assert door().refuse_embedded(request(), "iam") is None
