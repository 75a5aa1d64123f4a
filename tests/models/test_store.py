"""The store keeps every answer, never lets an error hide one, and shows current keys only."""

import sqlite3

import pytest

from medvision.models import (
    DuplicateRequestError,
    ErrorKind,
    Reply,
    RequestRow,
    ResponseStatus,
    ResponseStore,
    StoreUnreadableError,
)
from medvision.models.base import InconsistentReplyError, error_reply

OK = Reply(
    status=ResponseStatus.OK,
    text="25.0, 12.5",
    reasoning="long",
    finish_reason="stop",
    attempts=2,
    prompt_tokens=7,
    completion_tokens=3,
    latency_s=0.25,
)


def row(sample_id: str, key: str, repeat: int = 0) -> RequestRow:
    return RequestRow(sample_id=sample_id, repeat=repeat, key=key, prompt=f"prompt of {key}")


def test_reply_comes_back_as_it_was_stored(store):
    store.put("k", OK, model="openai/m")
    store.set_requests([row("s", "k")])
    (stored,) = store.current_replies()
    assert stored.reply == OK
    assert (stored.sample_id, stored.repeat, stored.key) == ("s", 0, "k")
    assert (stored.prompt, stored.model) == ("prompt of k", "openai/m")
    assert stored.created_utc.endswith("+00:00")


def test_only_answers_count_as_answered(store):
    for status in (ResponseStatus.OK, ResponseStatus.TRUNCATED, ResponseStatus.REFUSED):
        store.put(status, Reply(status=status), model="m")
    store.put("bad", error_reply(ErrorKind.SERVER, http_code=500, attempts=3), model="m")
    assert store.answered(["ok", "truncated", "refused", "bad", "absent"]) == {
        "ok",
        "truncated",
        "refused",
    }


def test_answered_takes_more_keys_than_sqlite_takes_parameters(store):
    keys = [f"{number:064x}" for number in range(40_000)]
    store.put_many(((key, OK) for key in keys[::2]), model="m")
    assert store.answered(keys) == set(keys[::2])


def test_answer_replaces_error_and_error_never_replaces_answer(store):
    store.set_requests([row("s", "k")])
    store.put("k", error_reply(ErrorKind.TIMEOUT), model="m")
    assert next(store.current_replies()).reply.error_kind is ErrorKind.TIMEOUT
    store.put("k", OK, model="m")
    store.put("k", error_reply(ErrorKind.TIMEOUT), model="m")
    assert next(store.current_replies()).reply == OK


def test_current_replies_show_only_current_keys(store):
    store.put("old", OK, model="m")
    store.set_requests([row("s", "old"), row("t", "t")])
    store.set_requests([row("s", "new")])
    (stored,) = store.current_replies()
    assert stored.key == "new"
    assert stored.reply == error_reply(ErrorKind.NOT_ASKED)


def test_two_samples_with_one_key_share_one_reply(store):
    store.set_requests([row("a", "k"), row("b", "k"), row("b", "k2", repeat=1)])
    assert store.unanswered_keys() == {"k", "k2"}
    store.put("k", OK, model="m")
    assert store.unanswered_keys() == {"k2"}
    replies = {(r.sample_id, r.repeat): r.reply.status for r in store.current_replies()}
    assert replies == {("a", 0): "ok", ("b", 0): "ok", ("b", 1): "error"}


def test_status_counts_follow_current_requests(store):
    store.set_requests([row("a", "a"), row("b", "b"), row("c", "c")])
    store.put("a", OK, model="m")
    store.put("b", error_reply(ErrorKind.SERVER, http_code=503), model="m")
    counts = {(c.status, c.error_kind): c.n for c in store.status_counts()}
    assert counts == {("ok", None): 1, ("error", "server"): 1, ("error", "not_asked"): 1}


def test_failed_set_requests_leaves_the_former_ones(store):
    store.set_requests([row("a", "a")])
    with pytest.raises(DuplicateRequestError, match="each sample once for every repeat"):
        store.set_requests([row("b", "b"), row("c", "c"), row("c", "d")])
    assert [stored.sample_id for stored in store.current_replies()] == ["a"]
    store.set_requests([row("b", "b")])
    assert [stored.sample_id for stored in store.current_replies()] == ["b"]


def test_failed_batch_stores_none_of_it(store):
    def replies():
        yield "a", OK
        msg = "stopped"
        raise KeyError(msg)

    with pytest.raises(KeyError, match="stopped"):
        store.put_many(replies(), model="m")
    assert store.answered(["a"]) == set()


def test_reopened_store_holds_what_was_put(tmp_path):
    path = tmp_path / "responses.sqlite"
    with ResponseStore(path) as first:
        first.put("k", OK, model="m")
    with ResponseStore(path, must_exist=True) as second:
        assert second.answered(["k"]) == {"k"}


def test_text_with_lone_surrogates_and_zero_bytes_is_stored(store):
    store.set_requests([row("s", "k")])
    store.put("k", Reply(status=ResponseStatus.OK, text="a\ud800b\0c µ"), model="m")
    assert next(store.current_replies()).reply.text == "a?b\0c µ"


def test_other_version_is_refused(tmp_path):
    path = tmp_path / "responses.sqlite"
    ResponseStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreUnreadableError, match=r"expected .* version 1, found version 99"):
        ResponseStore(path)


def test_foreign_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs(x)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnreadableError, match="version 0"):
        ResponseStore(path)
    assert path.read_bytes() == before


def test_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no database, but long enough to be looked at " * 20)
    with pytest.raises(StoreUnreadableError, match="found something else"):
        ResponseStore(path)


def test_absent_file_is_refused_where_it_must_exist(tmp_path):
    path = tmp_path / "responses.sqlite"
    with pytest.raises(StoreUnreadableError, match="found no file"):
        ResponseStore(path, must_exist=True)
    assert not path.exists()


def test_absent_folder_is_refused(tmp_path):
    with pytest.raises(StoreUnreadableError, match="check that its folder exists"):
        ResponseStore(tmp_path / "absent" / "responses.sqlite")


@pytest.mark.parametrize(
    ("status", "kind"), [(ResponseStatus.ERROR, None), (ResponseStatus.OK, ErrorKind.SERVER)]
)
def test_reply_is_either_answer_or_error(status, kind):
    with pytest.raises(InconsistentReplyError, match="exactly for errors"):
        Reply(status=status, error_kind=kind)
