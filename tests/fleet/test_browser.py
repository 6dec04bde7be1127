"""The web pages as a person sees them, in a headless Chromium."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.fleet.conftest import Fleet
from tests.fleet.rest import log_in

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
PATIENCE = 90  # seconds; the first page is a large program


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Chromium and its driver, from Debian's packages."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in ("update -q", "install -q -y --no-install-recommends chromium chromium-driver"):
            subprocess.run(["apt-get", *command.split()], env=environment, check=True, timeout=600)
    return CHROMIUM


@pytest.fixture
def browser(chromium: Path, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A fresh browser."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for option in (*OPTIONS, f"--user-data-dir={tmp_path}/profile"):
        options.add_argument(option)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    driver.set_page_load_timeout(PATIENCE)
    try:
        yield driver
    finally:
        driver.quit()


class Fields(HTMLParser):
    """The input fields of a page: name → type."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "input":
            self.found[attributes.get("name") or ""] = attributes.get("type") or ""


def test_the_login_page_asks_for_user_and_password(deployed: Fleet, chromium: Path, tmp_path: Path) -> None:
    options = [*OPTIONS, f"--user-data-dir={tmp_path}/profile", "--dump-dom"]
    argv = [str(chromium), *options, f"{deployed.web_url}/auth/login/"]
    page = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout

    fields = Fields(page).found
    assert (fields.get("username"), fields.get("password")) == ("text", "password"), page


def test_who_is_not_logged_in_is_led_to_the_login_and_then_sees_the_dag(
    deployed: Fleet, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    api = log_in(deployed)
    api.unpause("hello_fleet")  # so that the web server knows the DAG
    soon = WebDriverWait(browser, PATIENCE)

    browser.get(f"{deployed.web_url}/dags")
    soon.until(lambda page: page.find_elements(By.NAME, "password"))
    assert "/auth/login" in browser.current_url
    assert "hello_fleet" not in browser.page_source

    for name, text in (("username", api.name), ("password", "wrong")):
        browser.find_element(By.NAME, name).send_keys(text)
    browser.find_element(By.NAME, "password").submit()
    soon.until(lambda page: "Invalid login" in page.page_source)

    for name, text in (("username", api.name), ("password", api.password)):
        field = browser.find_element(By.NAME, name)
        field.clear()
        field.send_keys(text)
    browser.find_element(By.NAME, "password").submit()
    soon.until(lambda page: "/auth/login" not in page.current_url)
    browser.get(f"{deployed.web_url}/dags")
    soon.until(lambda page: page.find_elements(By.LINK_TEXT, "hello_fleet"))
    browser.save_screenshot(str(tmp_path / "dags.png"))
