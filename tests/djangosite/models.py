"""A document with an upload, and a portrait with an image."""

from __future__ import annotations

from django.db import models

from safefs.integrations.django import SafeStorage


class Document(models.Model):  # type: ignore[misc]  # Django is not typed
    """What someone has uploaded, on the default storage."""

    file = models.FileField(upload_to="documents/%Y")


class Portrait(models.Model):  # type: ignore[misc]  # Django is not typed
    """An image on a storage of its own, whose measures the field takes from the file."""

    image = models.ImageField(
        storage=SafeStorage("uploads"), width_field="width", height_field="height"
    )
    width = models.IntegerField()
    height = models.IntegerField()
