"""Settings: one table, from flags and variables, with clear errors."""

from dataclasses import fields
from pathlib import Path

import pytest

from fogbank.gateway.settings import BadSetting, Settings, load, load_accounts, table


def test_a_flag_goes_before_a_variable_and_that_before_the_default() -> None:
    assert load({}, {}).port == 4566
    assert load({}, {"FOGBANK_PORT": "1"}).port == 1
    assert load({"port": "2"}, {"FOGBANK_PORT": "1"}).port == 2


def test_every_setting_has_a_row_with_a_meaning() -> None:
    assert [row["name"] for row in table()] == [one.name for one in fields(Settings)]
    assert all(row["meaning"] for row in table())


def test_numbers_in_the_table_have_a_unit() -> None:
    numbers = {one.name for one in fields(Settings) if type(one.default) in (int, float)}
    assert {row["name"] for row in table() if row["unit"]} == numbers - {"port"}


def test_variables_of_other_programs_are_understood() -> None:
    assert load({}, {"EDGE_PORT": "5000"}).port == 5000
    settings = load({"allow_remote_open": "true"}, {"GATEWAY_LISTEN": "0.0.0.0:4510"})
    assert (settings.host, settings.port) == ("0.0.0.0", 4510)


def test_our_own_variable_goes_before_that_of_another_program() -> None:
    assert load({}, {"EDGE_PORT": "5000", "FOGBANK_PORT": "1"}).port == 1


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("port", "70000", "a port from 0 to 65535"),
        ("port", "many", "takes a number"),
        ("durability", "some", "full or relaxed"),
        ("auth", "none", "open or strict"),
        ("require_isolation", "maybe", "true or false"),
        ("drain_s", "0", "seconds above 0"),
        ("drain_s", "nan", "seconds above 0"),
        ("trace_spans_max", "-1", "not negative"),
        ("cors_origins", "localhost", "origins such as"),
    ],
)
def test_a_value_that_a_setting_does_not_take_is_named(name: str, value: str, text: str) -> None:
    with pytest.raises(BadSetting, match=text):
        load({name: value}, {})


def test_a_variable_that_no_setting_has_is_named() -> None:
    with pytest.raises(BadSetting, match="FOGBANK_PROT"):
        load({}, {"FOGBANK_PROT": "1"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_letting_other_machines_in_without_authentication_must_be_said(host: str) -> None:
    with pytest.raises(BadSetting, match="--allow-remote-open"):
        load({"host": host}, {})
    assert load({"host": host, "auth": "strict"}, {}).host == host
    assert load({"host": host, "allow_remote_open": "true"}, {}).host == host


def test_the_key_may_not_lie_in_the_data_directory(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="inside the data directory"):
        load({"data_dir": str(tmp_path), "key_file": str(tmp_path / "master.key")}, {})


def test_the_accounts_file_names_keys(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(
        '[[account]]\nid = "111111111111"\naccess_key = "AK"\nsecret = "s"\ndisplay_name = "Ann"\n'
    )
    (account,) = load_accounts(path)
    assert (account.account, account.access_key, account.secret) == ("111111111111", "AK", "s")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[[account]", "is not TOML"),
        ("account = 3", "written as"),
        ('[[account]]\nid = "1"\naccess_key = "AK"\nsecret = "s"', "12 digits"),
        ('[[account]]\nid = "111111111111"\nsecret = "s"', "no text called `access_key`"),
    ],
)
def test_a_broken_accounts_file_is_said_to_be_so(tmp_path: Path, content: str, text: str) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(content)
    with pytest.raises(BadSetting, match=text):
        load_accounts(path)


def test_a_missing_accounts_file_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="No such file"):
        load_accounts(tmp_path / "nothing.toml")
