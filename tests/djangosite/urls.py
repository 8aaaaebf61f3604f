"""One view: an upload by a form, and what has become of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse
from django.urls import path

from tests.djangosite.models import Document


class DocumentForm(forms.ModelForm):  # type: ignore[misc]  # Django is not typed
    class Meta:
        model = Document
        fields = ("file",)


def upload(request: Any) -> HttpResponse:
    """Save what the form brings; answer with the name it got."""
    form = DocumentForm(request.POST, request.FILES)
    if not form.is_valid():
        return HttpResponse(str(form.errors), status=422)
    return HttpResponse(form.save().file.name)


def download(request: Any) -> FileResponse:
    """Serve the file of this name, whoever asks for whatever: a naive view."""
    return FileResponse(default_storage.open(request.GET["name"]))


urlpatterns = [path("upload", upload), path("download", download)]
