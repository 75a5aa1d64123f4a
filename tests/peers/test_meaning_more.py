"""Many more examples of the properties of `tests/replies/test_meaning.py`, other ones each time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.replies.test_meaning import CHECKS

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@given(data=st.data())
@settings(max_examples=5_000)
def test_never_a_wrong_number_in_many_more_replies(check, data):
    check(data)
