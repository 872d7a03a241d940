"""The settings: those of CAS first."""

from pathlib import Path
from urllib.parse import urlsplit

from decouple import config

CAS_PROVIDER = config("CAS_PROVIDER")
SERVICE_URL = config("SERVICE_URL")

LOGIN_URL = "login"
AUTHENTICATION_BACKENDS = ["people.backend.CasBackend"]

SECRET_KEY = config("SECRET_KEY")
ALLOWED_HOSTS = [urlsplit(SERVICE_URL).hostname]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SERVICE_URL.startswith("https:")

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "people"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "application.urls"
WSGI_APPLICATION = "application.wsgi.application"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).resolve().parents[1] / "people.db"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
