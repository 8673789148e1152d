"""Policy documents: what is refused, and the form in which they are answered."""

from urllib.parse import unquote

import pytest

from fogbank.services.iam.documents import check, encoded
from fogbank.services.iam.errors import MalformedPolicyDocument

GOOD = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a+b c/d","Resource":"*"}}'


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", "5", "{}", '{"Statement": []}', '{"Statement": [5]}', '{"Other": 1}'],
)
def test_what_is_no_policy_is_malformed(document: str) -> None:
    with pytest.raises(MalformedPolicyDocument):
        check(document)


def test_answers_are_percent_encoded_without_exceptions() -> None:
    check(GOOD)
    text = encoded(GOOD)
    assert unquote(text) == GOOD
    assert not set(text) & set('{}"/+ :')
