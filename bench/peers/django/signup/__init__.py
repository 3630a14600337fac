"""A sign-up service with Django and Celery, as tutorials teach it: the bench measures it beside Usher."""

from .celery import app as celery_app

__all__ = ['celery_app']
