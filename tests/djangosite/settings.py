"""The settings of the project, for every module that needs Django: they can be made only once."""

from __future__ import annotations

import django
from django.conf import settings

BACKEND = "safefs.integrations.django.SafeStorage"


def ready() -> None:
    """Set Django up, unless it is."""
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["testserver"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            INSTALLED_APPS=["tests.djangosite"],
            LOGGING_CONFIG=None,
            MEDIA_URL="/media/",
            ROOT_URLCONF="tests.djangosite.urls",
            STORAGES={"default": {"BACKEND": BACKEND, "OPTIONS": {"disk": "uploads"}}},
            USE_TZ=True,
        )
        django.setup()
