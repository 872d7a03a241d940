"""The examples' stories in Chromium, against ``casque demo``."""

import base64
import zlib

import pytest
from example_programs import run
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait


def text(browser):
    return browser.find_element(By.TAG_NAME, "body").text


def log_in(browser, name, password):
    for field, value in (("username", name), ("password", password)):
        found = browser.find_element(By.NAME, field)
        found.clear()
        found.send_keys(value)
    submit(browser)


def submit(browser):
    browser.execute_script("window.before = true")
    browser.find_element(By.CSS_SELECTOR, "form button").click()

    def is_another_page(browser):
        return browser.execute_script("return !window.before && document.readyState == 'complete'")

    # A question that meets the change of pages has no answer, and Chromium has several errors for that.
    wait = WebDriverWait(browser, 30, poll_frequency=0.05, ignored_exceptions=[WebDriverException])
    wait.until(is_another_page)


def readable(browser):
    """What anybody reads in Flask's cookie."""
    value = browser.get_cookie("session")["value"]
    packed, value = value.startswith("."), value.removeprefix(".").split(".")[0]
    content = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    return (zlib.decompress(content) if packed else content).decode()


def test_flask(chromium, casque_demo, tmp_path):
    with run("flask", casque_demo.cas_url, tmp_path) as program:
        chromium.get(program.at("/"))
        assert "Welcome to the Homepage!" in text(chromium)
        chromium.get(program.at("/protected"))
        assert "Access denied. Please log in first." in text(chromium)

        chromium.get(program.at("/login"))
        assert chromium.current_url.startswith(casque_demo.cas_url)
        log_in(chromium, "alice", "not wonderland")
        assert chromium.current_url.startswith(casque_demo.cas_url)
        assert chromium.find_element(By.CSS_SELECTOR, "[role=alert]").text
        chromium.get(program.at("/protected"))
        assert "Access denied. Please log in first." in text(chromium)

        chromium.get(program.at("/login"))
        log_in(chromium, "alice", casque_demo.users["alice"])
        assert chromium.current_url == program.at("/protected")
        assert "Welcome to the protected page, alice!" in text(chromium)
        assert "alice" in readable(chromium)
        assert "ST-" not in readable(chromium)
        chromium.get(program.at("/login"))
        assert chromium.current_url == program.at("/protected")

        chromium.get(program.at("/logout"))
        assert chromium.current_url.startswith(casque_demo.cas_url)
        chromium.get(program.at("/protected"))
        assert "Access denied. Please log in first." in text(chromium)
        # The session at the server has ended too: the password is asked for again.
        chromium.get(program.at("/login"))
        assert chromium.find_element(By.NAME, "password").is_displayed()


@pytest.mark.parametrize("example", ["flask-people", "django", "fastapi"])
def test_people(chromium, casque_demo, tmp_path, example):
    with run(example, casque_demo.cas_url, tmp_path) as program:
        chromium.get(program.at("/"))
        assert "Welcome to the Homepage!" in text(chromium)

        asked_for = program.at("/profile?page=2&q=a%20b%2Bc")
        chromium.get(asked_for)
        assert chromium.current_url.startswith(casque_demo.cas_url)
        log_in(chromium, "alice", casque_demo.users["alice"])
        assert chromium.current_url == asked_for
        assert "Welcome, alice!" in text(chromium)
        cookies = " ".join(cookie["value"] for cookie in chromium.get_cookies())
        assert "ST-" not in cookies
        if example == "flask-people":
            assert "alice" not in readable(chromium)

        submit(chromium)
        assert chromium.current_url.startswith(casque_demo.cas_url + "/logout")
        chromium.get(asked_for)
        assert chromium.find_element(By.NAME, "password").is_displayed()
