"""The web server as seen with and without a login, for each version of Airflow."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, Request, build_opener

from tests.real import opener, token

SECONDS = 60  # for a page


def status(url: str, headers: dict[str, str] | None = None) -> int:
    """Return the status of a page, redirects followed."""
    try:
        with opener.open(Request(url, headers=headers or {}), timeout=SECONDS) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


def led_to(url: str) -> str:
    """Return where a page redirects to without a login."""
    with browser().open(url, timeout=SECONDS) as answer:
        return str(answer.url)


def browser() -> OpenerDirector:
    """Return an opener that keeps cookies, like a fresh browser."""
    return build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))


def basic(name: str, password: str) -> dict[str, str]:
    """Return the header of basic authentication."""
    login = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {login}"}


def log_in_by_form(url: str, name: str, password: str) -> OpenerDirector | None:
    """Fill in the login form of Airflow 1.10 and 2; None if the login is refused."""
    person = browser()
    with person.open(f"{url}/login/", timeout=SECONDS) as answer:
        page = answer.read().decode()
    field = re.search(r'<input[^>]*name="csrf_token"[^>]*value="([^"]+)"', page)
    assert field, page
    form = {"csrf_token": field[1], "username": name, "password": password}
    with person.open(f"{url}/login/", urlencode(form).encode(), timeout=SECONDS) as answer:
        page = answer.read().decode()
        assert ("/login" in answer.url) == ("Invalid login" in page), answer.url
    return None if "Invalid login" in page else person


def lets_in(major: int, url: str, name: str, password: str) -> bool:
    """Tell whether a login works, in every way that a person or a program can log in."""
    if major == 3:
        try:
            bearer = token(url, name, password)
        except HTTPError as refused:
            assert refused.code == 401
            return False
        assert status(f"{url}/api/v2/dags", {"Authorization": f"Bearer {bearer}"}) == 200
        return True
    by_form = log_in_by_form(url, name, password) is not None
    if major == 2:
        code = status(f"{url}/api/v1/dags", basic(name, password))
        assert (code, by_form) in ((200, True), (401, False), (403, False))
    return by_form


def log(major: int, url: str, login: tuple[str, str], task: Mapping[str, str]) -> str:
    """Return a task's log as the web server shows it, which fetches it from the worker.

    `task` has the columns dag_id, run_id, task_id and execution_date (as ISO 8601).
    """
    place = "/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1?full_content=true".format_map(
        {name: quote(value) for name, value in task.items()}
    )
    if major == 1:
        person = log_in_by_form(url, *login)
        assert person
        asked = {name: task[name] for name in ("dag_id", "task_id", "execution_date")}
        query = urlencode({**asked, "try_number": "1", "metadata": "null"})
        with person.open(f"{url}/get_logs_with_metadata?{query}", timeout=SECONDS) as answer:
            return str(answer.read().decode())
    if major == 2:
        request = Request(f"{url}/api/v1{place}", headers={**basic(*login), "Accept": "text/plain"})
    else:
        bearer = f"Bearer {token(url, *login)}"
        request = Request(f"{url}/api/v2{place}", headers={"Authorization": bearer, "Accept": "application/json"})
    with opener.open(request, timeout=SECONDS) as answer:
        return str(answer.read().decode())
