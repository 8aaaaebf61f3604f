"""A small project of Django, for tests/test_django.py."""
