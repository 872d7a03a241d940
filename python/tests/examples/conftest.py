"""A browser for the examples."""

from __future__ import annotations

import os
import shutil

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service


@pytest.fixture
def chromium(tmp_path):
    """A headless browser that has never been anywhere."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    missing = [name for name, found in [("chromium", program), ("chromedriver", driver)] if not found]
    if missing:
        why = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(why, pytrace=False)
        pytest.skip(f"skipped: {why}")
    options = ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path / 'chromium'}")
    browser = Chrome(options=options, service=Service(driver))
    browser.set_page_load_timeout(60)
    yield browser
    browser.quit()
