"""The index with astronomer-certified, as pip and uv need it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request

import pytest

from tests.real import opener
from tests.scenarios.index import EXTRAS, FILE, JSON, serving, wheel


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    with serving("127.0.0.1") as url:
        yield url


def get(url: str, accept: str = "*/*") -> tuple[str, bytes]:
    """Return content type and content of a page."""
    with opener.open(Request(url, headers={"Accept": accept}), timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read()


def test_the_wheel_is_whole() -> None:
    with zipfile.ZipFile(io.BytesIO(wheel())) as archive:
        assert archive.testzip() is None
        metadata = archive.read("astronomer_certified-1.10.10.post1.dist-info/METADATA").decode()
        listed = archive.read("astronomer_certified-1.10.10.post1.dist-info/RECORD").decode()
        assert [line.split(",")[0] for line in listed.splitlines()] == archive.namelist()

    assert "Requires-Dist: apache-airflow (==1.10.10)\n" in metadata
    for extra in EXTRAS:
        assert f'Requires-Dist: apache-airflow[{extra}] (==1.10.10) ; extra == "{extra}"\n' in metadata
    assert wheel() == wheel()


def test_its_page_of_json_leads_to_the_wheel(index: str) -> None:
    kind, content = get(f"{index}astronomer-certified/", f"{JSON}, text/html;q=0.1")
    page = json.loads(content)
    (file,) = page["files"]

    assert kind == JSON
    assert page["name"] == "astronomer-certified" and page["versions"] == ["1.10.10.post1"]
    assert get(urljoin(index, file["url"])) == ("application/octet-stream", wheel())
    assert file["hashes"] == {"sha256": hashlib.sha256(wheel()).hexdigest()}
    assert file["size"] == len(wheel())
    assert file["upload-time"].startswith("2020-04-10")  # uv excludes files that are newer than requested


def test_its_page_of_html_leads_to_the_wheel(index: str) -> None:
    kind, content = get(f"{index}astronomer-certified/")

    assert kind == "text/html"
    assert f'href="/files/{FILE}#sha256={hashlib.sha256(wheel()).hexdigest()}"' in content.decode()


def test_it_has_nothing_else(index: str) -> None:
    for path in ("apache-airflow/", "../files/other.whl"):
        with pytest.raises(HTTPError) as refused:
            get(index + path)
        assert refused.value.code == 404


def test_uv_may_ask_for_the_head_of_the_wheel(index: str) -> None:
    with opener.open(Request(urljoin(index, f"/files/{FILE}"), method="HEAD"), timeout=10) as answer:
        assert int(answer.headers["Content-Length"]) == len(wheel())
        assert answer.read() == b""
